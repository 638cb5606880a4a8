// The `[eval]` section: what is measured, and how texts are embedded.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace coterie::eval {

/// The part of a corpus that is measured.
enum class EvalSplit { validation, test };

struct EvalOptions {
  EvalSplit split = EvalSplit::test;
  std::int64_t batch_tokens = 8192;
  bool untouched = true;
  bool pairs = true;
  std::vector<std::string> retrieval;
  bool mixed_index = false;
  std::int64_t depth = 100;
  std::string save;
  std::int64_t resamples = 1000;
  bool cross_domain = false;
  std::vector<std::string> baselines;
  double bm25_k1 = 0.9;
  double bm25_b = 0.4;
};

inline void describe(config::Visitor& v, EvalOptions& o) {
  v.choice("split", o.split, std::to_array<std::string_view>({"validation", "test"}),
           "pairs and queries that are measured; the fixed threshold always comes from validation");
  v.field("batch_tokens", o.batch_tokens, "tokens embedded at a time on each rank", {1, 1 << 24});
  v.field("untouched", o.untouched,
          "beside a trained model, also measure the checkpoint it started from; a sweep does so once");
  v.field("pairs", o.pairs, "measure pair classification on data.corpus");
  v.field(
      "retrieval", o.retrieval,
      "collections to search, beir:PATH or smart:PATH below data.root; queries that data.corpus has in another split "
      "than the measured one are left out");
  v.field("mixed_index", o.mixed_index,
          "also search one index, called mixed, of the documents of all these collections, with queries that carry no "
          "domain");
  v.field("depth", o.depth, "documents ranked for each query", {100, 100000});
  v.field("save", o.save,
          "folder for the scores of pairs and a projection of their documents (CSV), TREC run files, judgements, and "
          "what was found for some queries (JSON); empty: that of a run that is measured, which its report reads");
  v.field("resamples", o.resamples, "bootstrap resamples of the pairs' documents for 95 % intervals; 0: none",
          {0, 1000000});
  v.field("cross_domain", o.cross_domain,
          "also measure the pairs of every domain embedded as of each domain that the model knows");
  v.field(
      "baselines", o.baselines,
      "beside the models, measure tfidf (all words), tfidf_N (the N most frequent ones) or bm25; a sweep does so once");
  v.field("bm25_k1", o.bm25_k1, "BM25's saturation of word counts", {0.0, 100.0});
  v.field("bm25_b", o.bm25_b, "BM25's share of the normalisation by length", {0.0, 1.0});
}

}  // namespace coterie::eval
