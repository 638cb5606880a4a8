// The loader: the sampler's order, packed, from any cursor, and an end that never hangs.
#include "data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "base/error.h"
#include "data/share.h"
#include "tests/data/corpus_fixture.h"

namespace coterie::data {
namespace {

class LoaderTest : public testing::Test {
 protected:
  LoaderTest() {
    write_corpus(path_, small_content(200, 8));
    corpus_.emplace(path_);
    options_.sampler = {.batch_pairs = 8, .window_pairs = 100};
    options_.key = {17};
    options_.max_length = 20;
    options_.read_ahead = 3;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "corpus.h5";
  std::optional<Corpus> corpus_;
  LoaderOptions options_;
};

TEST_F(LoaderTest, follows_the_sampler_into_the_next_epoch) {
  PairSampler sampler(*corpus_, options_.key, options_.sampler);
  Loader loader(path_, options_);

  while (sampler.cursor().epoch < 2) {
    const GlobalBatch expected = sampler.next();
    const Batch batch = loader.next();
    EXPECT_EQ(batch.global.cursor, expected.cursor);
    EXPECT_EQ(batch.global.a, expected.a);
    EXPECT_EQ(batch.global.b, expected.b);
    EXPECT_EQ(loader.cursor(), sampler.cursor());
  }
}

TEST_F(LoaderTest, packs_the_documents_of_its_share) {
  options_.share_index = 1;
  options_.share_count = 3;
  Loader loader(path_, options_);

  const Batch batch = loader.next();

  EXPECT_EQ(batch.positions, share(*corpus_, batch.global, 20, 3)[1]);
  const std::size_t pairs = batch.positions.size();
  ASSERT_EQ(batch.sequences.sequences(), static_cast<std::int64_t>(2 * pairs));
  std::vector<std::int32_t> tokens;
  for (std::size_t s = 0; s < 2 * pairs; ++s) {
    const std::int64_t position = batch.positions[s % pairs];
    const auto& side = s < pairs ? batch.global.a : batch.global.b;
    const std::uint32_t document = side[static_cast<std::size_t>(position)];
    EXPECT_EQ(batch.sequences.sequence_index[s], s < pairs ? position : 8 + position);
    EXPECT_EQ(batch.sequences.domain[s], corpus_->domain(document));
    EXPECT_EQ(batch.sequences.offsets[s], static_cast<std::int64_t>(tokens.size()));
    corpus_->read_tokens(document, 20, tokens);
  }
  EXPECT_EQ(batch.sequences.offsets.back(), static_cast<std::int64_t>(tokens.size()));
  EXPECT_EQ(batch.sequences.tokens, tokens);
}

TEST_F(LoaderTest, gives_all_pairs_over_any_number_of_ranks_and_tells_each_what_all_have) {
  for (const std::int64_t ranks : {1, 2, 3, 4}) {
    std::vector<std::int64_t> positions;
    std::vector<std::uint32_t> order;
    std::vector<std::vector<SequenceLayout>> tell;  // what each rank is told of all
    std::vector<SequenceLayout> have;
    std::vector<std::int64_t> told_tokens;
    std::int64_t tokens = 0;  // of all ranks
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      options_.share_index = rank;
      options_.share_count = ranks;
      const Batch batch = Loader(path_, options_).next();
      positions.insert(positions.end(), batch.positions.begin(), batch.positions.end());
      if (rank == 0) order = batch.global.a;
      EXPECT_EQ(batch.global.a, order);
      tell.push_back(batch.shares);
      told_tokens.push_back(batch.tokens());
      tokens += static_cast<std::int64_t>(batch.sequences.tokens.size());
      have.push_back(batch.sequences);
    }
    for (const std::int64_t told : told_tokens) EXPECT_EQ(told, tokens);
    for (const auto& shares : tell) {
      ASSERT_EQ(shares.size(), have.size());
      for (std::size_t rank = 0; rank < have.size(); ++rank) EXPECT_TRUE(shares[rank] == have[rank]) << rank;
    }
    std::sort(positions.begin(), positions.end());
    EXPECT_EQ(positions, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  }
}

TEST_F(LoaderTest, gives_empty_shares_where_ranks_outnumber_pairs) {
  options_.share_index = 9;
  options_.share_count = 10;

  const Batch batch = Loader(path_, options_).next();

  EXPECT_TRUE(batch.positions.empty());
  EXPECT_EQ(batch.sequences.sequences(), 0);
  EXPECT_EQ(batch.global.pairs(), 8);
}

// 5 ranks for 2 batches, then 2 ranks: the order of pairs does not notice.
TEST_F(LoaderTest, continues_in_the_middle_of_a_window_with_other_ranks) {
  std::vector<std::vector<std::uint32_t>> expected;
  {
    Loader loader(path_, options_);
    for (int i = 0; i < 12; ++i) expected.push_back(loader.next().global.a);
  }
  std::vector<std::vector<std::uint32_t>> found;
  for (const std::int64_t ranks : {5, 2, 1, 3}) {
    options_.share_count = ranks;
    Loader loader(path_, options_);
    EXPECT_EQ(loader.cursor(), options_.start);
    for (int i = 0; i < 3; ++i) found.push_back(loader.next().global.a);
    options_.start = loader.cursor();
    EXPECT_NE(options_.start.batch, 0);
  }

  EXPECT_EQ(found, expected);
}

// Waits until as many batches wait as asked for; false after ten seconds.
bool fills_up_to(const Loader& loader, std::int64_t batches) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (loader.waiting() < batches && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return loader.waiting() >= batches;
}

TEST_F(LoaderTest, is_never_more_than_read_ahead_batches_ahead_and_ends_while_its_queue_is_full) {
  for (const std::int64_t read_ahead : {1, 3}) {
    options_.read_ahead = read_ahead;
    Loader loader(path_, options_);
    for (int taken = 0; taken < 3; ++taken) {
      ASSERT_TRUE(fills_up_to(loader, read_ahead));
      // Time in which a loader without a bound would make many more.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      EXPECT_EQ(loader.waiting(), read_ahead);
      static_cast<void>(loader.next());
    }
  }
}

TEST_F(LoaderTest, ends_at_once) { const Loader loader(path_, options_); }

TEST_F(LoaderTest, throws_what_its_thread_threw_and_again) {
  Loader loader(folder_ / "absent.h5", options_);

  for (int i = 0; i < 2; ++i) {
    try {
      static_cast<void>(loader.next());
      FAIL() << "no error";
    } catch (const IoError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("absent.h5"));
    }
  }
}

TEST_F(LoaderTest, throws_for_a_cursor_of_another_corpus) {
  options_.start = {0, 99, 0};

  EXPECT_THROW(static_cast<void>(Loader(path_, options_).next()), DataError);
}

TEST_F(LoaderTest, refuses_a_share_that_is_not_there) {
  options_.share_index = 2;
  options_.share_count = 2;

  EXPECT_THROW(Loader(path_, options_), ShapeError);
}

TEST_F(LoaderTest, packs_documents_for_evaluation) {
  const std::vector<std::uint32_t> documents = {150, 3, 3};

  const PackedSequences packed = pack(*corpus_, documents, 10);

  EXPECT_EQ(packed.sequence_index, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(packed.domain, (std::vector<std::int32_t>{1, 0, 0}));
  std::vector<std::int32_t> tokens;
  for (const std::uint32_t document : documents) corpus_->read_tokens(document, 10, tokens);
  EXPECT_EQ(packed.tokens, tokens);
  EXPECT_EQ(pack(*corpus_, {}, 10).offsets, (std::vector<std::int64_t>{0}));
}

}  // namespace
}  // namespace coterie::data
