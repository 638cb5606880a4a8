// Pair classification: known answers for hand-made scores, and scores that are the cosines of the embeddings.
#include "eval/pair_classification.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/loader.h"
#include "eval/embedder.h"
#include "model/sentence_encoder.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_run.h"

namespace coterie::eval {
namespace {

// F1 has 1e-8 added to its denominator p + r, and is at most (p + r) / 2: that takes away at most half of it.
constexpr double kF1Tolerance = 5e-9;
constexpr double kRounding = 1e-15;

// Validation chooses 0.6 for the first domain, 0.3 for the second and, pooled, 0.3: there precision is 4/5, recall 1.
ScoredPairs validation_pairs() {
  return {{0.9, 0.6, 0.5, 0.1, 0.4, 0.3, 0.2, -0.5}, {1, 1, 0, 0, 1, 1, 0, 0}, {0, 0, 0, 0, 1, 1, 1, 1}};
}

ScoredPairs test_pairs() {
  return {{0.8, 0.55, 0.3, 0.7, 0.35, 0.25, 0.15, 0.1}, {1, 1, 0, 0, 0, 1, 1, 0}, {0, 0, 0, 0, 1, 1, 1, 1}};
}

// From the highest score: + - + -. Of four pairs of a positive and a negative three are in order. Average precision is
// (1 + 2/3) / 2. F1 is best at 0.55 (precision 2/3, recall 1); at 0.6 one of two predicted is right, one of two found.
TEST(Classify, measures_a_domain_at_its_own_best_threshold_and_at_that_of_validation) {
  const auto results = classify({"first", "second"}, test_pairs(), validation_pairs());

  ASSERT_EQ(results.size(), 3U);
  const DomainResult& first = results[1];
  EXPECT_EQ(first.domain, "first");
  EXPECT_EQ(first.metrics.positives, 2);
  EXPECT_NEAR(first.metrics.roc_auc, 3.0 / 4, kRounding);
  EXPECT_NEAR(first.metrics.average_precision, 5.0 / 6, kRounding);
  EXPECT_NEAR(first.metrics.f1, 0.8, kF1Tolerance);
  EXPECT_EQ(first.metrics.threshold, 0.55);
  ASSERT_TRUE(first.at_validation.has_value());
  EXPECT_EQ(first.at_validation->threshold, 0.6);
  EXPECT_EQ(first.at_validation->measures.precision, 0.5);
  EXPECT_EQ(first.at_validation->measures.recall, 0.5);
  EXPECT_NEAR(first.at_validation->measures.f1, 0.5, kF1Tolerance);
}

// From the highest score: - + + -. Average precision is (1/2 + 2/3) / 2; at 0.3 the one predicted pair is wrong.
TEST(Classify, keeps_domains_apart) {
  const auto results = classify({"first", "second"}, test_pairs(), validation_pairs());

  const DomainResult& second = results.at(2);
  EXPECT_EQ(second.domain, "second");
  EXPECT_NEAR(second.metrics.roc_auc, 0.5, kRounding);
  EXPECT_NEAR(second.metrics.average_precision, 7.0 / 12, kRounding);
  EXPECT_NEAR(second.metrics.f1, 0.8, kF1Tolerance);
  EXPECT_EQ(second.metrics.threshold, 0.15);
  ASSERT_TRUE(second.at_validation.has_value());
  EXPECT_EQ(second.at_validation->threshold, 0.3);
  EXPECT_EQ(second.at_validation->measures.f1, 0.0);
}

// From the highest score: + - + - - + + -. Below the positives stand 4, 3, 1 and 1 of the 4 negatives. Precision at
// them is 1, 2/3, 3/6 and 4/7. F1 is best at 0.15 (4/7 and 1); at 0.3 two of five predicted are right, two of four
// found: 2 (2/5) (1/2) / (9/10).
TEST(Classify, pools_all_pairs_in_the_first_row) {
  const DomainResult all = classify({"first", "second"}, test_pairs(), validation_pairs()).at(0);

  EXPECT_EQ(all.domain, "all");
  EXPECT_EQ(all.metrics.positives, 4);
  EXPECT_EQ(all.metrics.negatives, 4);
  EXPECT_NEAR(all.metrics.roc_auc, 9.0 / 16, kRounding);
  EXPECT_NEAR(all.metrics.average_precision, (1.0 + 2.0 / 3 + 3.0 / 6 + 4.0 / 7) / 4, kRounding);
  EXPECT_NEAR(all.metrics.f1, 8.0 / 11, kF1Tolerance);
  EXPECT_EQ(all.metrics.threshold, 0.15);
  ASSERT_TRUE(all.at_validation.has_value());
  EXPECT_EQ(all.at_validation->threshold, 0.3);
  EXPECT_NEAR(all.at_validation->measures.f1, 4.0 / 9, kF1Tolerance);
}

TEST(Classify, a_domain_without_validation_pairs_keeps_its_row_without_a_fixed_threshold) {
  ScoredPairs measured = test_pairs();
  measured.scores.insert(measured.scores.end(), {0.9, 0.1});
  measured.labels.insert(measured.labels.end(), {1, 0});
  measured.domain.insert(measured.domain.end(), {2, 2});

  const auto results = classify({"first", "second", "third"}, measured, validation_pairs());

  ASSERT_EQ(results.size(), 4U);
  EXPECT_EQ(results[3].domain, "third");
  EXPECT_EQ(results[3].metrics.roc_auc, 1.0);
  EXPECT_FALSE(results[3].at_validation.has_value());
}

TEST(Classify, a_domain_that_cannot_be_measured_has_no_row) {
  const auto results = classify({"first", "second", "third"}, test_pairs(), validation_pairs());

  EXPECT_EQ(results.size(), 3U);
}

// In the first domain 3 documents make 4 pairs.
TEST(Classify, resamples_the_documents_of_a_domain) {
  ScoredPairs measured = test_pairs();
  measured.pairs = {{0, 1}, {1, 2}, {0, 2}, {0, 1}, {5, 6}, {6, 7}, {5, 8}, {7, 8}};
  PairDocuments documents;
  for (const auto& [a, b] : std::vector<std::array<std::string, 2>>{{"x", "y"}, {"y", "z"}, {"x", "z"}, {"x", "y"}})
    documents.add("first", a, b);
  const Resampling resampling{.times = 20, .key = {3}};
  const ScoredPairs first = measured.of_domain(0);
  const auto expected = bootstrap_pairs(first.scores, first.labels, documents, resampling);

  const auto results = classify({"first", "second"}, measured, validation_pairs(), resampling);

  ASSERT_TRUE(results[1].intervals.has_value());
  for (std::size_t m = 0; m < expected.size(); ++m) {
    EXPECT_EQ((*results[1].intervals)[m].low, expected[m].low);
    EXPECT_EQ((*results[1].intervals)[m].high, expected[m].high);
  }
}

TEST(ScorePairs, are_the_cosines_of_the_embeddings_co_cited_pairs_first) {
  const test::TemporaryFolder folder;
  test::write_tiny_inputs(folder.path());
  const data::Corpus corpus(folder.path() / "corpus.h5");
  const dist::Mesh mesh = dist::Mesh::solo();
  const auto source = model::ModelSource::open(folder.path() / "model");
  const auto model = model::make_sentence_encoder(source.spec, source.read({}), mesh, at::kFloat);
  const CorpusView view{corpus, {-1, -1}, source.spec.max_length, 64};
  std::vector<std::uint32_t> all(static_cast<std::size_t>(corpus.documents()));
  std::iota(all.begin(), all.end(), 0U);
  const at::Tensor embeddings_ND =
      embed_all(*model.encoder, data::pack(corpus, all, source.spec.max_length), 1000, mesh, {}).to(at::kDouble);

  const ScoredPairs scored = score_pairs(embed_split(*model.encoder, view, data::Split::test, mesh), corpus);

  std::vector<data::Pair> pairs = corpus.positives(data::Split::test);
  const std::size_t positives = pairs.size();
  for (const data::Pair& pair : corpus.negatives(data::Split::test)) pairs.push_back(pair);
  ASSERT_EQ(scored.scores.size(), pairs.size());
  ASSERT_GT(positives, 0U);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const at::Tensor a_D = embeddings_ND[pairs[i].a];
    const at::Tensor b_D = embeddings_ND[pairs[i].b];
    const double cosine = (a_D * b_D).sum().item<double>() / (a_D.norm() * b_D.norm()).item<double>();
    // Eight products of fp32 coordinates; other batch mates change the order of the encoder's sums.
    EXPECT_NEAR(scored.scores[i], cosine, 1e-6) << i;
    EXPECT_EQ(scored.labels[i], i < positives ? 1 : 0) << i;
    EXPECT_EQ(scored.domain[i], corpus.domain(pairs[i].a)) << i;
  }
}

}  // namespace
}  // namespace coterie::eval
