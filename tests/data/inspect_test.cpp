// What `data inspect` says of a corpus, and that it finds each kind of leak.
#include "data/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/corpus_fixture.h"

namespace coterie::data {
namespace {

using testing::HasSubstr;

// Eight documents of two domains, nothing wrong.
CorpusContent clean_content() {
  CorpusContent content;
  content.domains = {"alpha", "beta"};
  content.tokenizer = "test-tokenizer";
  content.vocabulary = 1000;
  for (std::uint32_t i = 0; i < 8; ++i) {
    content.ids.push_back(str(i < 4 ? "alpha:" : "beta:", i));
    content.texts.push_back(str("text ", i));
    content.domain.push_back(i < 4 ? 0 : 1);
    content.split.push_back(i < 4 ? Split::train : i < 6 ? Split::validation : Split::test);
    content.tokens.push_back(std::vector<std::int32_t>(2 + i, 5));
  }
  content.graph = {{0, 1, 3}, {0, 2, 2}, {3, 4, 1}, {6, 7, 1}};
  content.positives[0] = {{0, 1, 3}, {0, 2, 2}};
  content.positives[2] = {{6, 7, 1}};
  content.negatives[1] = {{4, 5, 0}};
  return content;
}

std::string inspection_of(const CorpusContent& content) {
  const TemporaryFolder folder;
  write_corpus(folder / "corpus.h5", content);
  return inspect(folder / "corpus.h5");
}

TEST(Inspect, prints_sizes_by_domain_and_split) {
  const std::string text = inspection_of(clean_content());

  EXPECT_THAT(text, HasSubstr("corpus.h5: 8 documents in 2 domains"));
  EXPECT_THAT(text, HasSubstr("tokenizer: test-tokenizer, 1000 ids"));
  EXPECT_THAT(text, testing::ContainsRegex("alpha +train +4 +3\\.50 +5 +2 +2\\.50 +0"));
  EXPECT_THAT(text, testing::ContainsRegex("beta +validation +2 +6\\.50 +7 +0 +- +1"));
  EXPECT_THAT(text, testing::ContainsRegex("all +test +2 +8\\.50 +9 +1 +1\\.00 +0"));
}

TEST(Inspect, prints_the_graph) {
  const std::string text = inspection_of(clean_content());

  EXPECT_THAT(text, HasSubstr("4 co-cited pairs, mean weight 1.75, largest 3; 1 across splits, 1 across domains"));
  EXPECT_THAT(text, HasSubstr("mean 1.00, most 2; 1 documents without any"));
}

TEST(Inspect, finds_nothing_in_a_clean_corpus) {
  EXPECT_THAT(inspection_of(clean_content()), HasSubstr("leak check: nothing found"));
}

TEST(Inspect, finds_equal_texts_in_two_splits) {
  CorpusContent content = clean_content();
  content.texts[6] = content.texts[1];

  const std::string text = inspection_of(content);

  EXPECT_THAT(text, HasSubstr("leak check: 1 found"));
  EXPECT_THAT(text, HasSubstr("equal texts in two splits: 1\n    alpha:1 (train) and beta:6 (test)"));
}

TEST(Inspect, does_not_mind_equal_texts_in_one_split) {
  CorpusContent content = clean_content();
  content.texts[2] = content.texts[1];

  EXPECT_THAT(inspection_of(content), HasSubstr("leak check: nothing found"));
}

TEST(Inspect, finds_negatives_that_were_cited_together) {
  CorpusContent content = clean_content();
  content.negatives[2] = {{6, 7, 0}};

  EXPECT_THAT(inspection_of(content),
              HasSubstr("negatives that were cited together: 1\n    beta:6 (test) and beta:7 (test)"));
}

TEST(Inspect, finds_pairs_that_were_not_cited_together) {
  CorpusContent content = clean_content();
  content.positives[0].push_back({1, 2, 1});

  EXPECT_THAT(inspection_of(content), HasSubstr("pairs that were not cited together: 1\n    alpha:1 (train)"));
}

}  // namespace
}  // namespace coterie::data
