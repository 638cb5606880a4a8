// Splitting by paper, and negatives.
#include "data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"
#include "data/negatives.h"
#include "tests/data/import_fixture.h"

namespace coterie::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Collection documents(const std::string& domain, std::size_t count) {
  Collection made{.domain = domain, .documents = {}, .pairs = {}, .dropped = {}};
  for (std::size_t i = 0; i < count; ++i) made.documents.push_back({std::to_string(i), str("text ", i), std::nullopt});
  return made;
}

std::vector<Split> split(Collection collection, RandomKey key, SplitFractions fractions = {}) {
  std::vector<Collection> collections = {std::move(collection)};
  assign_splits(collections, fractions, key);
  std::vector<Split> splits;
  for (const Document& document : collections[0].documents) splits.push_back(document.split.value());
  return splits;
}

std::vector<std::size_t> counts(const std::vector<Split>& splits) {
  std::vector<std::size_t> counted(kSplits);
  for (const Split part : splits) ++counted[static_cast<std::size_t>(part)];
  return counted;
}

TEST(AssignSplits, parts_have_the_exact_size) {
  // Floors of n * 0.20 and n * 0.35: 1460 -> 292 and 511; 19 -> 3 and 6; 20 -> 4 and 7; 1 -> 0 and 0.
  EXPECT_THAT(counts(split(documents("d", 1460), {7})), ElementsAre(949, 219, 292));
  EXPECT_THAT(counts(split(documents("d", 19), {7})), ElementsAre(13, 3, 3));
  EXPECT_THAT(counts(split(documents("d", 20), {7})), ElementsAre(13, 3, 4));
  EXPECT_THAT(counts(split(documents("d", 1), {7})), ElementsAre(1, 0, 0));
  EXPECT_THAT(counts(split(documents("d", 10), {7}, {.validation = 0, .test = 0.5})), ElementsAre(5, 0, 5));
}

TEST(AssignSplits, depends_on_key_and_domain_only) {
  const auto once = split(documents("d", 200), {7});

  EXPECT_EQ(split(documents("d", 200), {7}), once);
  EXPECT_NE(split(documents("d", 200), {8}), once);
  EXPECT_NE(split(documents("e", 200), {7}), once);
}

TEST(AssignSplits, equal_texts_share_a_split) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Collection collection = documents("d", 30);
    for (std::size_t i = 0; i < 30; ++i) collection.documents[i].text = str("text ", i % 15);

    const auto splits = split(collection, {seed});

    for (std::size_t i = 0; i < 15; ++i) EXPECT_EQ(splits[i], splits[i + 15]) << "seed " << seed;
  }
}

TEST(AssignSplits, given_splits_stay) {
  Collection collection = documents("d", 3);
  for (Document& document : collection.documents) document.split = Split::test;

  EXPECT_THAT(split(collection, {7}), ElementsAre(Split::test, Split::test, Split::test));
}

TEST(AssignSplits, a_split_for_some_documents_only_is_an_error) {
  Collection collection = documents("d", 3);
  collection.documents[1].split = Split::test;

  EXPECT_THAT(message_of<DataError>([&] { (void)split(collection, {7}); }),
              AllOf(HasSubstr("got one for '1' and none for '0'"), HasSubstr("domain d")));
}

TEST(AssignSplits, fractions_must_leave_something_to_train_on) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const SplitFractions bad : {SplitFractions{0.5, 0.5}, SplitFractions{-0.1, 0.2}, SplitFractions{0.1, nan}})
    EXPECT_THAT(message_of<ConfigError>([&] { (void)split(documents("d", 9), {7}, bad); }), HasSubstr("less than 1"));
}

// Documents 10..19, of which 10 and 11 have equal text, and 12 is co-cited with all but 19.
class Negatives : public testing::Test {
 protected:
  Negatives() : texts_(20) {
    std::iota(documents_.begin(), documents_.end(), 10U);
    std::iota(texts_.begin(), texts_.end(), 0U);
    texts_[11] = 10;
    for (const std::uint32_t other : {10U, 11U}) graph_.push_back({other, 12, 1});
    for (std::uint32_t other = 13; other < 19; ++other) graph_.push_back({12, other, 3});
  }

  std::vector<std::uint32_t> documents_ = std::vector<std::uint32_t>(10);
  std::vector<std::uint32_t> texts_;
  std::vector<Pair> graph_;
};

TEST_F(Negatives, all_there_are_come_when_more_are_wanted) {
  const auto found = sample_negatives(documents_, {graph_, texts_, 1000}, {3});

  // 45 pairs of ten documents, less 8 co-cited, less one of equal text.
  EXPECT_EQ(found.size(), 36U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto& [a, b, weight] = found[i];
    EXPECT_TRUE(10 <= a && a < b && b < 20 && weight == 0);
    EXPECT_FALSE((a == 12 && b != 19) || b == 12 || (a == 10 && b == 11)) << a << ' ' << b;
    if (i > 0) {
      EXPECT_LT(std::pair(found[i - 1].a, found[i - 1].b), std::pair(a, b));
    }
  }
}

TEST_F(Negatives, as_many_as_wanted_fixed_by_the_key) {
  const auto found = sample_negatives(documents_, {graph_, texts_, 12}, {3});

  EXPECT_EQ(found.size(), 12U);
  EXPECT_EQ(sample_negatives(documents_, {graph_, texts_, 12}, {3}), found);
  EXPECT_NE(sample_negatives(documents_, {graph_, texts_, 12}, {4}), found);
}

TEST_F(Negatives, every_pair_has_the_same_chance) {
  // 36 pairs, 6 drawn in each of 6000 rounds: 1000 expected of each, standard deviation below 32.
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> drawn;
  for (std::uint64_t round = 0; round < 6000; ++round)
    for (const Pair& pair : sample_negatives(documents_, {graph_, texts_, 6}, RandomKey{5}.derive(round)))
      ++drawn[{pair.a, pair.b}];

  EXPECT_EQ(drawn.size(), 36U);
  for (const auto& [pair, times] : drawn) EXPECT_NEAR(times, 1000, 5 * 32);
}

TEST_F(Negatives, one_document_has_none) {
  EXPECT_TRUE(sample_negatives(std::span(documents_).first(1), {graph_, texts_, 5}, {3}).empty());
}

}  // namespace
}  // namespace coterie::data
