// Hard negatives against a search through all documents, and their way through the loader.
#include "data/hard_negatives.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

#include "data/loader.h"
#include "data/masked_cells.h"
#include "tests/data/corpus_fixture.h"

namespace coterie::data {
namespace {

constexpr std::int64_t kPerPair = 2;

class HardNegatives : public testing::Test {
 protected:
  HardNegatives() {
    write_corpus(path_, small_content(200, 8));
    corpus_.emplace(path_);
  }

  // The first batches of the sampler, with negatives.
  [[nodiscard]] std::vector<GlobalBatch> batches(std::int64_t per_pair, RandomKey key = {5}) const {
    PairSampler sampler(*corpus_, {17}, {.batch_pairs = 8, .window_pairs = 100});
    std::vector<GlobalBatch> all;
    for (int i = 0; i < 12; ++i) {
      all.push_back(sampler.next());
      add_hard_negatives(*corpus_, all.back(), per_pair, key);
    }
    return all;
  }

  // By the definition, document by document; texts of the batch not yet looked at.
  [[nodiscard]] std::set<std::uint32_t> near(std::uint32_t a, std::uint32_t b) const {
    std::set<std::uint32_t> found;
    for (std::uint32_t d = 0; d < static_cast<std::uint32_t>(corpus_->documents()); ++d)
      if (d != a && d != b && corpus_->split(d) == Split::train && corpus_->co_cited(b, d) && !corpus_->co_cited(a, d))
        found.insert(d);
    return found;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "corpus.h5";
  std::optional<Corpus> corpus_;
};

TEST_F(HardNegatives, are_training_documents_co_cited_with_b_and_not_with_a) {
  std::size_t drawn = 0;
  for (const GlobalBatch& batch : batches(kPerPair))
    for (std::size_t k = 0; k < batch.negatives.size(); ++k, ++drawn) {
      const auto pair = static_cast<std::size_t>(batch.negative_of[k]);
      EXPECT_TRUE(near(batch.a[pair], batch.b[pair]).contains(batch.negatives[k]));
    }
  EXPECT_GT(drawn, 0U);
}

TEST_F(HardNegatives, leave_no_text_twice_in_a_batch) {
  for (const GlobalBatch& batch : batches(kPerPair)) {
    std::set<std::uint32_t> texts;
    for (const auto* documents : {&batch.a, &batch.b, &batch.negatives})
      for (const std::uint32_t document : *documents) texts.insert(corpus_->text_class(document));
    EXPECT_EQ(texts.size(), 2 * batch.a.size() + batch.negatives.size());
  }
}

TEST_F(HardNegatives, are_fewer_than_asked_for_only_where_none_is_left) {
  for (const GlobalBatch& batch : batches(kPerPair)) {
    std::set<std::uint32_t> texts;
    for (const auto* documents : {&batch.a, &batch.b, &batch.negatives})
      for (const std::uint32_t document : *documents) texts.insert(corpus_->text_class(document));
    for (std::size_t i = 0; i < batch.a.size(); ++i) {
      const auto drawn = std::count(batch.negative_of.begin(), batch.negative_of.end(), static_cast<std::int64_t>(i));
      EXPECT_LE(drawn, kPerPair);
      if (drawn == kPerPair) continue;
      for (const std::uint32_t document : near(batch.a[i], batch.b[i]))
        EXPECT_TRUE(texts.contains(corpus_->text_class(document)));
    }
    EXPECT_TRUE(std::is_sorted(batch.negative_of.begin(), batch.negative_of.end()));
  }
}

TEST_F(HardNegatives, follow_the_key) {
  const auto drawn = [&](RandomKey key) {
    std::vector<std::uint32_t> all;
    for (const GlobalBatch& batch : batches(kPerPair, key))
      all.insert(all.end(), batch.negatives.begin(), batch.negatives.end());
    return all;
  };

  EXPECT_EQ(drawn({5}), drawn({5}));
  EXPECT_NE(drawn({5}), drawn({6}));
}

TEST_F(HardNegatives, are_none_unless_asked_for) {
  for (const GlobalBatch& batch : batches(0)) EXPECT_TRUE(batch.negatives.empty());
}

TEST_F(HardNegatives, known_co_cited_with_another_row_are_masked_there) {
  bool masked = false;
  for (const GlobalBatch& batch : batches(kPerPair)) {
    const MaskedCells cells = masked_cells(*corpus_, batch);
    const auto columns = candidates(batch);
    for (std::size_t i = 0; i < batch.a.size(); ++i) {
      std::vector<std::int64_t> expected;
      for (std::size_t j = 0; j < columns.size(); ++j) {
        const bool known = corpus_->co_cited(batch.a[i], columns[j]) ||
                           corpus_->text_class(batch.a[i]) == corpus_->text_class(columns[j]);
        if (j == i || !known) continue;
        expected.push_back(static_cast<std::int64_t>(j));
        masked = masked || j >= batch.a.size();
      }
      const std::vector<std::int64_t> found(cells.columns.begin() + cells.row_offsets[i],
                                            cells.columns.begin() + cells.row_offsets[i + 1]);
      EXPECT_EQ(found, expected);
    }
  }
  EXPECT_TRUE(masked) << "no negative of these batches is known to another row";
}

// Each rank reads those of its pairs; over any number of ranks they are the same.
TEST_F(HardNegatives, reach_the_rank_of_their_pair) {
  for (const std::int64_t ranks : {1, 3}) {
    std::vector<std::int64_t> places;
    std::vector<std::uint32_t> drawn;
    std::vector<std::vector<SequenceLayout>> told;  // to each rank of all
    std::vector<SequenceLayout> have;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      LoaderOptions options;
      options.sampler = {.batch_pairs = 8, .window_pairs = 100};
      options.hard_negatives = kPerPair;
      options.key = {17};
      options.share_index = rank;
      options.share_count = ranks;
      const Batch batch = Loader(path_, options).next();
      if (rank == 0) drawn = batch.global.negatives;
      EXPECT_EQ(batch.global.negatives, drawn);
      told.push_back(batch.shares);
      have.push_back(batch.sequences);
      const std::size_t pairs = batch.positions.size();
      ASSERT_EQ(batch.sequences.sequences(), static_cast<std::int64_t>(2 * pairs + batch.negatives.size()));
      for (std::size_t k = 0; k < batch.negatives.size(); ++k) {
        const auto place = static_cast<std::size_t>(batch.negatives[k]);
        EXPECT_TRUE(
            std::binary_search(batch.positions.begin(), batch.positions.end(), batch.global.negative_of[place]));
        EXPECT_EQ(batch.sequences.sequence_index[2 * pairs + k], 16 + batch.negatives[k]);
        std::vector<std::int32_t> tokens;
        corpus_->read_tokens(drawn[place], options.max_length, tokens);
        const auto first = batch.sequences.tokens.begin() + batch.sequences.offsets[2 * pairs + k];
        EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), first));
      }
      places.insert(places.end(), batch.negatives.begin(), batch.negatives.end());
    }
    for (const auto& shares : told) EXPECT_TRUE(shares == have);
    std::sort(places.begin(), places.end());
    EXPECT_FALSE(places.empty());
    for (std::size_t k = 0; k < places.size(); ++k) EXPECT_EQ(places[k], static_cast<std::int64_t>(k));
    EXPECT_EQ(places.size(), drawn.size());
  }
}

}  // namespace
}  // namespace coterie::data
