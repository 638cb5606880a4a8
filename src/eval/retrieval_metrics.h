// Measures of a retrieval run, as trec_eval defines them.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "eval/trec.h"

namespace coterie::eval {

/// Measures of one query, or their means.
struct RetrievalMetrics {
  double ndcg_3 = 0;      ///< gain is the grade, discount log2(rank + 1), ideal from all judged documents
  double ndcg_10 = 0;     ///< the same
  double mrr_10 = 0;      ///< 1 / rank of the first relevant document, 0 below rank 10
  double map_100 = 0;     ///< sum of the precisions at relevant documents up to rank 100, over all relevant ones
  double recall_100 = 0;  ///< share of the relevant documents up to rank 100
  double p_1 = 0;         ///< whether the first document is relevant
};

/// A measure and its name in tables and JSON.
struct RetrievalMeasure {
  std::string_view name;
  double RetrievalMetrics::*value;
};

/// All measures, in the order in which they are shown.
inline constexpr std::array<RetrievalMeasure, 6> kRetrievalMeasures = {{
    {"nDCG@3", &RetrievalMetrics::ndcg_3},
    {"nDCG@10", &RetrievalMetrics::ndcg_10},
    {"MRR@10", &RetrievalMetrics::mrr_10},
    {"MAP@100", &RetrievalMetrics::map_100},
    {"Recall@100", &RetrievalMetrics::recall_100},
    {"P@1", &RetrievalMetrics::p_1},
}};

/// Measures of one query.
struct QueryMetrics {
  std::string query;
  RetrievalMetrics metrics;
};

/// Measures every query that the run answers and somebody judged, in order of their ids.
///
/// Unjudged documents count as irrelevant. A query none of whose judged documents is relevant measures zero.
///
/// @param run  each query's documents in the order of `ranks_before`
/// @throws DataError if there is no such query
/// @par Source
/// trec_eval 9 (ndcg_cut, recip_rank, map_cut, recall, P) through pytrec_eval. sentence-transformers divides MAP@k by
/// min(k, relevant documents) instead.
[[nodiscard]] std::vector<QueryMetrics> measure_queries(const Ranking& run, const Qrels& qrels);

/// The means over the queries.
/// @param queries  at least one
[[nodiscard]] RetrievalMetrics mean(const std::vector<QueryMetrics>& queries);

}  // namespace coterie::eval
