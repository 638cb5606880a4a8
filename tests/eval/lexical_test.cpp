// TF-IDF against scikit-learn 1.9.1 on the same sentences, BM25 against its formula written out, and retrieval against
// a full sort.
#include "eval/lexical.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/str.h"
#include "data/terms.h"
#include "dist/mesh.h"

namespace coterie::eval {
namespace {

constexpr std::array<std::string_view, 8> kTexts = {
    "The cat sat on the mat, the cat slept.", "A dog chased the cat around a tree.",
    "Dogs and cats: natural enemies?",        "Graph neural networks learn graph structure.",
    "The structure of the tree is a graph.",  "Neural networks, neural codes; the brain.",
    "x_1 and x_2 are variables of the graph", "The brain of the dog"};
constexpr std::array<std::string_view, 3> kQueries = {"the graph of a tree", "neural cat brain", "unknown words only"};
// A dozen rounded terms below 1.
constexpr double kRounding = 12 * 1.2e-16;

double product(const TermVector& x, const TermVector& y) {
  double sum = 0;
  for (const TermWeight& a : x)
    for (const TermWeight& b : y) sum += a.term == b.term ? a.weight * b.weight : 0;
  return sum;
}

double similarity(const TermWeighting& weighting, std::string_view a, std::string_view b) {
  return weighting.similarity(weighting.vectors(a), weighting.vectors(b));
}

using Scores = std::array<std::array<double, 8>, 3>;

void expect_scores(const TermWeighting& weighting, const Scores& expected) {
  for (std::size_t q = 0; q < kQueries.size(); ++q)
    for (std::size_t d = 0; d < kTexts.size(); ++d)
      EXPECT_NEAR(product(weighting.query(kQueries[q]), weighting.document(kTexts[d])), expected[q][d], kRounding)
          << q << ' ' << d;
}

TEST(TfIdf, is_that_of_scikit_learn) {
  const auto weighting = make_tf_idf(kTexts, 0);

  expect_scores(*weighting, {{{0.17610036906914475, 0.3226872206658848, 0.0, 0.32453600218744155, 0.7538593630894213,
                               0.07557444711694575, 0.3742808216862497, 0.42280765503111584},
                              {0.3215615554644293, 0.23181325549246515, 0.0, 0.21220590954981264, 0.0,
                               0.6209996380777778, 0.0, 0.28284083638457647},
                              {}}});
  EXPECT_NEAR(similarity(*weighting, kTexts[0], kTexts[1]), 0.34288355621724736, kRounding);
  EXPECT_NEAR(similarity(*weighting, kTexts[4], kTexts[6]), 0.29914619062244285, kRounding);
}

// the 10 times, graph 4, cat, neural and of 3: no sixth word is as frequent.
TEST(TfIdf, with_a_limit_keeps_the_most_frequent_words_as_scikit_learn_does) {
  const auto weighting = make_tf_idf(kTexts, 5);

  expect_scores(*weighting,
                {{{0.29265776177159597, 0.22482408209076923, 0.0, 0.549713870320767, 0.9494301964652544,
                   0.12542271253455523, 0.9999999999999998, 0.7280993250928555},
                  {0.527056790795454, 0.6073393978156663, 0.0, 0.3545069869874973, 0.0, 0.6776334100400334, 0.0, 0.0},
                  {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}}});
}

TEST(TfIdf, of_a_text_without_a_known_word_is_nothing) {
  const auto weighting = make_tf_idf(kTexts, 0);

  EXPECT_TRUE(weighting->document("zzz").empty());
  EXPECT_EQ(similarity(*weighting, "zzz", kTexts[0]), 0.0);
}

// The formula, word by word of the query.
double bm25(std::string_view query, std::string_view document, const Bm25Options& options) {
  const auto count = [](std::string_view text, const std::string& word) {
    const auto words = data::terms(text);
    return static_cast<double>(std::count(words.begin(), words.end(), word));
  };
  double words = 0;
  for (const std::string_view text : kTexts) words += static_cast<double>(data::terms(text).size());
  constexpr auto kDocuments = static_cast<double>(kTexts.size());
  const double mean_length = words / kDocuments;
  const auto length = static_cast<double>(data::terms(document).size());
  double score = 0;
  for (const std::string& word : data::terms(query)) {
    double df = 0;
    for (const std::string_view text : kTexts) df += count(text, word) > 0 ? 1 : 0;
    const double tf = count(document, word);
    if (df == 0 || tf == 0) continue;
    score += std::log(1 + (kDocuments - df + 0.5) / (df + 0.5)) * tf * (options.k1 + 1) /
             (tf + options.k1 * (1 - options.b + options.b * length / mean_length));
  }
  return score;
}

TEST(Bm25, is_its_formula) {
  for (const Bm25Options options : {Bm25Options{0.9, 0.4}, Bm25Options{1.2, 0.75}, Bm25Options{0, 0}}) {
    const auto weighting = make_bm25(kTexts, options);
    for (const std::string_view query : {kQueries[0], kQueries[1], kQueries[2], std::string_view("graph graph cat")})
      for (const std::string_view document : kTexts)
        // Up to ten times the size of a cosine.
        EXPECT_NEAR(product(weighting->query(query), weighting->document(document)), bm25(query, document, options),
                    10 * kRounding);
  }
}

TEST(Bm25, similarity_is_the_mean_of_both_directions_within_one) {
  const Bm25Options options{0.9, 0.4};
  const auto weighting = make_bm25(kTexts, options);

  const double mean = (bm25(kTexts[0], kTexts[1], options) + bm25(kTexts[1], kTexts[0], options)) / 2;

  EXPECT_NEAR(similarity(*weighting, kTexts[0], kTexts[1]), mean / (1 + mean), kRounding);
  EXPECT_EQ(similarity(*weighting, kTexts[0], kTexts[1]), similarity(*weighting, kTexts[1], kTexts[0]));
}

TEST(Baseline, is_made_by_its_name) {
  EXPECT_EQ(make_baseline("tfidf_5", kTexts, {0.9, 0.4})->document("the graph dog").size(), 2U);
  EXPECT_EQ(make_baseline("tfidf", kTexts, {0.9, 0.4})->document("the graph dog").size(), 3U);
  for (const char* bad : {"tfidf_", "tfidf_0", "tf-idf", "bm25_1", ""})
    EXPECT_THROW((void)make_baseline(bad, kTexts, {0.9, 0.4}), ConfigError) << bad;
}

// 170 queries: more than two blocks that are dealt to ranks.
TEST(LexicalRetrieval, ranks_what_shares_a_word_as_a_full_sort_does_at_any_number_of_ranks) {
  const dist::Mesh mesh({}, {.timeout_s = 60});
  const auto weighting = make_bm25(kTexts, {0.9, 0.4});
  RetrievalTask task{.name = "x", .documents = {}, .queries = {}, .qrels = {}};
  for (std::size_t d = kTexts.size(); d-- > 0;) task.documents.push_back({str("d", d), kTexts[d], "x"});
  for (std::size_t q = 0; q < 170; ++q) task.queries.push_back({str("q", q), kTexts[q % 8].substr(q / 8), "x"});

  const Ranking ranking = retrieve(*weighting, task, 4, mesh.world());

  ASSERT_EQ(ranking.queries.size(), 170U);
  for (const RetrievalText& query : task.queries) {
    std::vector<Found> expected;
    for (const RetrievalText& document : task.documents)
      if (const double score = product(weighting->query(query.text), weighting->document(document.text)); score > 0)
        expected.push_back({document.id, static_cast<float>(score)});
    std::sort(expected.begin(), expected.end(), ranks_before);
    expected.resize(std::min<std::size_t>(4, expected.size()));
    if (expected.empty()) expected.push_back({task.documents[0].id, 0.0F});
    const auto& found = ranking.queries.at(query.id);
    ASSERT_EQ(found.size(), expected.size()) << query.id;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].document, expected[i].document) << query.id;
      EXPECT_EQ(found[i].score, expected[i].score) << query.id;
    }
  }
}

}  // namespace
}  // namespace coterie::eval
