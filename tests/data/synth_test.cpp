// The corpus made from nothing.
#include "data/synth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/text.h"
#include "data/import.h"
#include "data/synth_words.h"

namespace coterie::data {
namespace {

TEST(Synthesize, the_shape_is_what_the_options_say) {
  const auto collections =
      synthesize({.domains = 3, .documents = 50, .topics = 5, .citing_papers = 80, .words = 30}, {1});

  ASSERT_EQ(collections.size(), 3U);
  for (const Collection& collection : collections) {
    EXPECT_EQ(collection.documents.size(), 50U);
    EXPECT_FALSE(collection.pairs.empty());
    EXPECT_TRUE(std::is_sorted(collection.pairs.begin(), collection.pairs.end(),
                               [](const Pair& x, const Pair& y) { return std::pair(x.a, x.b) < std::pair(y.a, y.b); }));
    for (const Pair& pair : collection.pairs) EXPECT_TRUE(pair.a < pair.b && pair.b < 50 && pair.weight >= 1);
  }
}

TEST(Synthesize, texts_are_about_as_long_as_wanted) {
  const auto collections =
      synthesize({.domains = 1, .documents = 400, .topics = 5, .citing_papers = 1, .words = 60}, {1});

  double total = 0;
  for (const Document& document : collections[0].documents) total += static_cast<double>(words(document.text).size());

  // Uniform in 0.6..1.4 of the mean; the last sentence goes beyond by less than its own length of at most 12 words.
  EXPECT_GT(total / 400, 60 - 4);
  EXPECT_LT(total / 400, 60 + 12);
}

TEST(Synthesize, the_key_decides_everything) {
  const SynthOptions options{.domains = 1, .documents = 20, .topics = 3, .citing_papers = 20, .words = 20};
  const auto once = synthesize(options, {1});
  const auto again = synthesize(options, {1});
  const auto other = synthesize(options, {2});

  EXPECT_EQ(again[0].documents[7].text, once[0].documents[7].text);
  EXPECT_EQ(again[0].pairs, once[0].pairs);
  EXPECT_NE(other[0].documents[7].text, once[0].documents[7].text);
  EXPECT_NE(other[0].pairs, once[0].pairs);
}

TEST(Synthesize, every_domain_has_its_own_valid_name) {
  std::set<std::string> names;
  for (const auto& collection :
       synthesize({.domains = 64, .documents = 16, .topics = 2, .citing_papers = 1, .words = 8}, {1})) {
    EXPECT_TRUE(is_domain_name(collection.domain)) << collection.domain;
    names.insert(collection.domain);
  }
  EXPECT_EQ(names.size(), 64U);
}

TEST(Synthesize, popular_documents_are_cited_more) {
  const auto collections =
      synthesize({.domains = 1, .documents = 200, .topics = 4, .citing_papers = 3000, .words = 10}, {1});
  std::vector<std::uint64_t> cited(200);
  for (const Pair& pair : collections[0].pairs) {
    cited[pair.a] += pair.weight;
    cited[pair.b] += pair.weight;
  }

  std::sort(cited.rbegin(), cited.rend());
  const auto sum = [&](std::size_t count) {
    return std::accumulate(cited.begin(), cited.begin() + static_cast<std::ptrdiff_t>(count), std::uint64_t{0});
  };

  // With a density falling as one over the square root, the first tenth gets 32 %; without a preference it would be 10.
  EXPECT_GT(sum(20), sum(200) / 5);
}

TEST(Synthesize, co_cited_documents_share_more_words_than_others) {
  const auto collection = synthesize({}, {1})[0];
  std::vector<std::set<std::string>> bags;
  for (const Document& document : collection.documents) {
    auto& bag = bags.emplace_back();
    for (const auto word : words(document.text)) bag.insert(ascii_lower(word));
  }
  const auto shared = [&](std::uint32_t a, std::uint32_t b) {
    return static_cast<double>(
        std::count_if(bags[a].begin(), bags[a].end(), [&](const auto& w) { return bags[b].contains(w); }));
  };

  double close = 0;
  for (const Pair& pair : collection.pairs) close += shared(pair.a, pair.b);
  double any = 0;
  for (std::uint32_t a = 0; a < 300; ++a)
    for (std::uint32_t b = a + 1; b < 300; ++b) any += shared(a, b);

  EXPECT_GT(close / static_cast<double>(collection.pairs.size()), any / (300.0 * 299 / 2) + 0.5);
}

TEST(SynthWords, no_word_of_a_field_stands_twice) {
  for (const SynthField& field : kSynthFields)
    EXPECT_EQ(std::set(field.words.begin(), field.words.end()).size(), field.words.size()) << field.name;
}

}  // namespace
}  // namespace coterie::data
