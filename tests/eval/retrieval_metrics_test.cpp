// Measures of runs against pytrec_eval-terrier 0.5.11 and sentence-transformers 6.2.0 on the same run and judgements,
// and hand counts.
#include "eval/retrieval_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/str.h"

namespace coterie::eval {
namespace {

// Ids are of unequal length: d9 is behind d10 in the order of bytes.
// @param documents  found for each query
// @param scores     how many different ones there are
// @param unit       between two of them
Ranking run_of(const std::vector<int>& documents, int scores, float unit) {
  Ranking run;
  for (int q = 0; q < static_cast<int>(documents.size()); ++q) {
    auto& found = run.queries[str("q", q)];
    for (int i = 0; i < documents[static_cast<std::size_t>(q)]; ++i)
      found.push_back({str("d", (i * 13 + q) % 200), static_cast<float>((i * 37 + q) % scores) * unit});
    std::sort(found.begin(), found.end(), ranks_before);
  }
  return run;
}

// Most documents are tied. Query 0 has fewer documents than any cut, queries 4 and 6 more than 100.
Ranking tied_run() { return run_of({3, 7, 40, 120, 150, 9, 150, 20}, 11, 1.0F / 8.0F); }

// Grades from -2 to 3. Nothing is relevant to query 5, nobody judged query 7, and query 9 is in no run.
Qrels graded_qrels() {
  Qrels qrels;
  for (int q = 0; q < 7; ++q) {
    for (int i = 0; i < 200; i += 1 + q % 3) {
      const int grade = (i * 7 + q) % 6 - 2;
      qrels.queries[str("q", q)][str("d", i)] = q == 5 ? std::min(grade, 0) : grade;
    }
  }
  qrels.queries["q9"]["d1"] = 1;
  return qrels;
}

struct Expected {
  const char* query;
  std::array<double, 6> values;  // in the order of kRetrievalMeasures
};

// pytrec_eval's ndcg_cut_3, ndcg_cut_10, recip_rank of the run cut at ten documents, map_cut_100, recall_100 and P_1.
constexpr std::array<Expected, 7> kPytrecEval = {{
    {"q0", {0.0000000000, 0.0000000000, 0.0000000000, 0.0000000000, 0.0000000000, 0.0000000000}},
    {"q1", {0.0000000000, 0.1099943904, 0.2500000000, 0.0088383838, 0.0303030303, 0.0000000000}},
    {"q2", {0.7039180890, 0.4847119890, 1.0000000000, 0.0974130445, 0.1818181818, 1.0000000000}},
    {"q3", {0.0782131210, 0.3217911830, 0.3333333333, 0.2901566801, 0.5247524752, 0.0000000000}},
    {"q4", {0.4692787260, 0.2200917663, 1.0000000000, 0.0863833237, 0.4411764706, 1.0000000000}},
    {"q5", {0.0000000000, 0.0000000000, 0.0000000000, 0.0000000000, 0.0000000000, 0.0000000000}},
    {"q6", {0.2960819110, 0.2122263660, 0.5000000000, 0.2126950482, 0.4646464646, 0.0000000000}},
}};

TEST(RetrievalMetrics, are_those_of_pytrec_eval_query_by_query) {
  const auto measured = measure_queries(tied_run(), graded_qrels());

  ASSERT_EQ(measured.size(), kPytrecEval.size());
  for (std::size_t i = 0; i < measured.size(); ++i) {
    EXPECT_EQ(measured[i].query, kPytrecEval[i].query);
    for (std::size_t m = 0; m < kRetrievalMeasures.size(); ++m)
      // The values above have ten digits.
      EXPECT_NEAR(measured[i].metrics.*kRetrievalMeasures[m].value, kPytrecEval[i].values[m], 1e-10)
          << measured[i].query << ' ' << kRetrievalMeasures[m].name;
  }
}

// sentence-transformers knows no grades, and the order of ties is its own: here neither is.
TEST(RetrievalMetrics, are_those_of_sentence_transformers_where_no_scores_are_equal) {
  const Ranking run = run_of({3, 7, 40, 120, 150, 9}, 211, 1.0F / 256.0F);
  Qrels qrels;
  for (int q = 0; q < 6; ++q)
    for (int i = 0; i < 200; i += 1 + q % 3) qrels.queries[str("q", q)][str("d", i)] = (i * 7 + q) % 6 > 2 ? 1 : 0;

  const RetrievalMetrics m = mean(measure_queries(run, qrels));

  // InformationRetrievalEvaluator's, to ten digits.
  EXPECT_NEAR(m.ndcg_3, 0.1173196815, 1e-10);
  EXPECT_NEAR(m.ndcg_10, 0.1603929032, 1e-10);
  EXPECT_NEAR(m.mrr_10, 0.25, 1e-10);
  EXPECT_NEAR(m.recall_100, 0.2175511669, 1e-10);
  EXPECT_NEAR(m.p_1, 0.1666666667, 1e-10);
  // Its MAP@100, .0705341477, divides by at most 100 of the relevant documents; this one by all, 101 for some queries.
  EXPECT_LT(m.map_100, 0.0705341477 - 1e-4);
}

TEST(RetrievalMetrics, mean_counts_a_query_without_a_relevant_document_as_zero) {
  const RetrievalMetrics means = mean(measure_queries(tied_run(), graded_qrels()));

  EXPECT_DOUBLE_EQ(means.p_1, 2.0 / 7);
}

// Of three relevant documents one stands at rank 2 and one is not found.
TEST(RetrievalMetrics, divide_average_precision_by_all_relevant_documents) {
  const Ranking run{{{"q", {{"a", 3}, {"b", 2}, {"c", 1}}}}};
  const Qrels qrels{{{"q", {{"b", 1}, {"c", 1}, {"z", 1}, {"a", 0}}}}};

  const RetrievalMetrics m = measure_queries(run, qrels).at(0).metrics;

  EXPECT_DOUBLE_EQ(m.map_100, (1.0 / 2 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(m.recall_100, 2.0 / 3);
  EXPECT_DOUBLE_EQ(m.mrr_10, 0.5);
  EXPECT_EQ(m.p_1, 0.0);
}

TEST(RetrievalMetrics, a_run_without_a_judged_query_is_refused) {
  EXPECT_THROW((void)measure_queries(Ranking{{{"x", {{"a", 1}}}}}, graded_qrels()), DataError);
}

}  // namespace
}  // namespace coterie::eval
