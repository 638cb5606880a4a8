// Measures by their names.
#include "sweep/measures.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace coterie::sweep {
namespace {

const nlohmann::json kEvaluation = {
    {"trained", {{"all", {{"roc_auc", 0.5}}}, {"a.b", {{"roc_auc", 0.25}}}}},
    {"bm25", {{"all", {{"roc_auc", 0.125}}}}},
    {"retrieval", {{"untouched", {{"c", {{"P@1", 0.0}}}}}, {"trained", {{"c", {{"P@1", 0.75}}}}}}}};

TEST(Measures, of_pairs_are_named_by_domain) {
  EXPECT_EQ(measure_of(kEvaluation, kTrained, "all.roc_auc"), 0.5);
  EXPECT_EQ(measure_of(kEvaluation, kTrained, "a.b.roc_auc"), 0.25);
  EXPECT_EQ(measure_of(kEvaluation, "bm25", "all.roc_auc"), 0.125);
  EXPECT_FALSE(measure_of(kEvaluation, kTrained, "all.f1").has_value());
  EXPECT_FALSE(measure_of(kEvaluation, "tfidf", "all.roc_auc").has_value());
}

TEST(Measures, of_retrieval_are_named_by_collection) {
  EXPECT_EQ(measure_of(kEvaluation, kTrained, "retrieval.c.P@1"), 0.75);
  EXPECT_FALSE(measure_of(kEvaluation, kTrained, "retrieval.d.P@1").has_value());
}

TEST(Measures, of_several_domains_are_their_mean) {
  EXPECT_EQ(measure_of(kEvaluation, kTrained, "all+a.b.roc_auc"), std::nullopt);
  EXPECT_EQ(measure_of(kEvaluation, kTrained, "a.b+all.roc_auc"), 0.375);
  EXPECT_EQ(measure_of(kEvaluation, kTrained, "a.b+all.f1"), std::nullopt);
  const nlohmann::json found = {{"retrieval", {{"bm25", {{"c", {{"P@1", 0.5}}}, {"d", {{"P@1", 0.25}}}}}}}};
  EXPECT_EQ(measure_of(found, "bm25", "retrieval.c+d.P@1"), 0.375);
}

TEST(Measures, of_a_domain_with_a_plus_in_its_name_are_no_mean) {
  const nlohmann::json eval = {{"trained", {{"c++", {{"roc_auc", 0.5}}}}}};

  EXPECT_EQ(measure_of(eval, kTrained, "c++.roc_auc"), 0.5);
}

TEST(Measures, are_of_the_domain_that_they_name_first) {
  EXPECT_TRUE(is_of("a.b.roc_auc", "a.b"));
  EXPECT_FALSE(is_of("ab.roc_auc", "a"));
  EXPECT_TRUE(is_of("retrieval.c.P@1", "c"));
  EXPECT_FALSE(is_of("retrieval.c.P@1", "retrieval.c"));
}

TEST(Measures, of_the_untouched_checkpoint_are_those_of_the_model_that_was_named) {
  const nlohmann::json plain = {{"model", {{"all", {{"roc_auc", 0.5}}}}}};

  EXPECT_EQ(measure_of(plain, kUntouched, "all.roc_auc"), 0.5);
  // A run that others start from.
  EXPECT_EQ(measure_of(kEvaluation, kUntouched, "all.roc_auc"), 0.5);
}

}  // namespace
}  // namespace coterie::sweep
