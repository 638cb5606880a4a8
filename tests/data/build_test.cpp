// From collections to the content of a corpus.
#include "data/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/data/import_fixture.h"

namespace coterie::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// One token per byte, between 101 and 102.
TextEncoder byte_encoder() {
  return {[](std::string_view text) {
            std::vector<std::int32_t> ids = {101};
            for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
            ids.push_back(102);
            return ids;
          },
          "bytes", 256};
}

// Two domains. In `x` documents 0..2 train, 3..5 test; in `y` both train.
std::vector<Collection> two_domains() {
  Collection x{.domain = "x", .documents = {}, .pairs = {}, .dropped = {{"no abstract", 4}}};
  for (int i = 0; i < 6; ++i)
    x.documents.push_back(
        {std::to_string(i), std::string(static_cast<std::size_t>(i) + 1, 'x'), i < 3 ? Split::train : Split::test});
  x.pairs = {{0, 1, 1}, {0, 2, 2}, {1, 4, 9}, {3, 4, 1}};
  Collection y{.domain = "y", .documents = {}, .pairs = {{0, 1, 5}}, .dropped = {}};
  y.documents = {{"0", "y", Split::train}, {"1", "yy", Split::train}};
  return {x, y};
}

TEST(BuildContent, pairs_go_to_the_split_of_both_documents_and_the_graph_keeps_all) {
  const auto [content, report] = build_content(two_domains(), byte_encoder(), {.min_weight = 2, .threads = 1}, {1});

  EXPECT_THAT(content.domains, ElementsAre("x", "y"));
  EXPECT_THAT(content.domain, ElementsAre(0, 0, 0, 0, 0, 0, 1, 1));
  EXPECT_EQ(content.ids[7], "y:1");
  EXPECT_THAT(content.graph, ElementsAre(Pair{0, 1, 1}, Pair{0, 2, 2}, Pair{1, 4, 9}, Pair{3, 4, 1}, Pair{6, 7, 5}));
  EXPECT_THAT(content.positives[0], ElementsAre(Pair{0, 2, 2}, Pair{6, 7, 5}));
  EXPECT_THAT(content.positives[1], IsEmpty());
  EXPECT_THAT(content.positives[2], ElementsAre(Pair{3, 4, 1}));
  EXPECT_EQ(content.tokenizer, "bytes");
  EXPECT_EQ(content.vocabulary, 256);
  EXPECT_THAT(content.tokens[7], ElementsAre(101, 'y', 'y', 102));
}

TEST(BuildContent, negatives_match_the_positives_of_domain_and_split) {
  const auto [content, report] = build_content(two_domains(), byte_encoder(), {}, {1});

  EXPECT_THAT(content.negatives[0], IsEmpty());
  ASSERT_EQ(content.negatives[2].size(), 1U);
  const Pair negative = content.negatives[2][0];
  EXPECT_TRUE(negative == (Pair{3, 5, 0}) || negative == (Pair{4, 5, 0})) << negative.a << ' ' << negative.b;
}

TEST(BuildContent, too_few_negatives_are_all_taken_and_noted) {
  auto collections = two_domains();
  collections[0].pairs = {{3, 4, 1}, {3, 5, 1}};

  const auto [content, report] = build_content(collections, byte_encoder(), {}, {1});

  EXPECT_THAT(content.negatives[2], ElementsAre(Pair{4, 5, 0}));
  EXPECT_THAT(report.notes, testing::Contains("x, test: 2 pairs, but only 1 pairs of its documents are not co-cited"));
}

TEST(BuildContent, the_report_counts_what_was_kept_and_dropped) {
  const auto report = build_content(two_domains(), byte_encoder(), {.min_weight = 2, .threads = 1}, {1}).report;

  const SplitReport& train = report.domains[0].splits[0];
  EXPECT_EQ(train.documents, 3U);
  EXPECT_EQ(train.pairs, 1U);
  EXPECT_THAT(train.weights, ElementsAre(0, 1, 0, 0));
  EXPECT_EQ(train.tokens, 3U + 4U + 5U);
  EXPECT_EQ(train.max_tokens, 5U);
  EXPECT_EQ(report.domains[1].splits[0].weights[3], 1U);
  EXPECT_EQ(report.domains[1].splits[0].max_weight, 5U);
  EXPECT_THAT(report.domains[0].dropped,
              ElementsAre(testing::Pair("no abstract", 4U), testing::Pair("across splits", 1U),
                          testing::Pair("training weight below 2", 1U)));
  EXPECT_THAT(report.text(), HasSubstr("x       train               3      1    0    1    0     0      2          0"));
  EXPECT_THAT(report.text(), HasSubstr("x                    4            4              1                        1"));
}

TEST(BuildContent, the_result_does_not_depend_on_the_number_of_threads) {
  Collection many{.domain = "d", .documents = {}, .pairs = {}, .dropped = {}};
  for (int i = 0; i < 1000; ++i) many.documents.push_back({std::to_string(i), str("text ", i * i), Split::train});

  const auto one = build_content({many}, byte_encoder(), {.min_weight = 1, .threads = 1}, {1}).content;
  const auto four = build_content({many}, byte_encoder(), {.min_weight = 1, .threads = 4}, {1}).content;

  EXPECT_EQ(one.tokens, four.tokens);
  EXPECT_EQ(one.tokens[999], byte_encoder().encode("text 998001"));
}

TEST(BuildContent, an_error_of_the_tokenizer_reaches_the_caller_first_document_first) {
  Collection many{.domain = "d", .documents = {}, .pairs = {}, .dropped = {}};
  for (int i = 0; i < 1000; ++i) many.documents.push_back({std::to_string(i), std::to_string(i), Split::train});
  TextEncoder failing = byte_encoder();
  failing.encode = [](std::string_view text) -> std::vector<std::int32_t> {
    if (text.size() == 3) throw DataError("cannot encode " + std::string(text));
    return {101, 102};
  };

  for (int round = 0; round < 20; ++round)
    EXPECT_EQ(
        message_of<DataError>([&] { (void)build_content({many}, failing, {.min_weight = 1, .threads = 4}, {1}); }),
        "cannot encode 100");
}

TEST(BuildContent, ids_outside_the_vocabulary_are_caught) {
  TextEncoder encoder = byte_encoder();
  encoder.vocabulary = 102;

  EXPECT_THAT(message_of<ShapeError>([&] { (void)build_content(two_domains(), encoder, {}, {1}); }),
              HasSubstr("must be in 0..101, got 120 in 'x:0'"));
}

TEST(BuildContent, a_domain_from_two_sources_is_an_error) {
  auto collections = two_domains();
  collections[1].domain = "x";

  EXPECT_THAT(message_of<DataError>([&] { (void)build_content(collections, byte_encoder(), {}, {1}); }),
              HasSubstr("got 'x' twice (data.sources)"));
}

TEST(BuildContent, no_document_is_an_error) {
  EXPECT_THAT(message_of<DataError>([&] { (void)build_content({}, byte_encoder(), {}, {1}); }), HasSubstr("got none"));
}

}  // namespace
}  // namespace coterie::data
