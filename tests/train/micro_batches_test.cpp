// A rank's sequences in pieces that fit the memory.
#include "train/micro_batches.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/harness/packing.h"
#include "tests/harness/tensors.h"

namespace coterie::train {
namespace {

// Every rank has other sequences: rank r has 5 + 2 r of them.
class MicroBatches : public testing::Test {
 protected:
  // All ranks of the mesh share their experts.
  [[nodiscard]] static dist::MeshShape shape(int rank, int ranks = kRanks, std::int64_t expert = kRanks) {
    return {rank, ranks, {.expert = expert}};
  }
  [[nodiscard]] static data::Batch batch(int rank) {
    return test::dealt(rank, kRanks, [](std::int64_t each) {
      data::Batch share;
      for (std::int64_t i = 0; i < 5 + 2 * each; ++i) {
        test::append(share.sequences, std::vector<std::int32_t>(kLengths[i % 5], 7), 64,
                     static_cast<std::int32_t>((i + each) % 3), 100 * each + i);
        share.sequences.expert.push_back(static_cast<std::int32_t>(i));
      }
      return share;
    });
  }
  [[nodiscard]] static std::vector<data::PackedSequences> pieces(std::int64_t tokens, int rank) {
    return micro_batches(batch(rank), tokens, shape(rank));
  }

  static constexpr int kRanks = 4;
  static constexpr std::size_t kLengths[] = {4, 9, 3, 2, 30};
};

TEST_F(MicroBatches, hold_no_more_tokens_than_they_may_or_one_longer_sequence) {
  for (const std::int64_t tokens : {1, 10, 16, 39})
    for (const data::PackedSequences& piece : pieces(tokens, 2)) {
      const auto held = static_cast<std::int64_t>(piece.tokens.size());
      EXPECT_TRUE(held <= tokens || piece.sequences() == 1) << held << " tokens, " << tokens << " allowed";
    }
}

TEST_F(MicroBatches, hold_every_sequence_once_and_in_order) {
  const data::PackedSequences whole = batch(1).sequences;
  for (const std::int64_t tokens : {0, 1, 16}) {
    std::vector<std::int64_t> index;
    std::size_t held = 0;
    for (const data::PackedSequences& piece : pieces(tokens, 1)) {
      index.insert(index.end(), piece.sequence_index.begin(), piece.sequence_index.end());
      held += piece.tokens.size();
    }
    EXPECT_EQ(index, whole.sequence_index);
    EXPECT_EQ(held, whole.tokens.size());
  }
}

TEST_F(MicroBatches, are_filled_before_another_is_begun) {
  EXPECT_EQ(pieces(0, 0).size(), 1U);
  // 4 9 3 | 2 | 30 | 4 9 3 | 2 | 30 | 4: what the last rank needs.
  EXPECT_EQ(pieces(16, 3).size(), 7U);
}

TEST_F(MicroBatches, are_as_many_on_every_rank_of_the_group_and_empty_ones_come_last) {
  for (const int rank : {0, 1, 2, 3}) {
    bool empty = false;
    const auto mine = pieces(16, rank);
    EXPECT_EQ(mine.size(), 7U);
    for (const data::PackedSequences& piece : mine) {
      EXPECT_FALSE(empty && piece.sequences() > 0);
      empty = piece.sequences() == 0;
    }
    EXPECT_EQ(empty, rank < 3) << "only the rank with the most sequences fills its pieces";
  }
}

TEST_F(MicroBatches, know_what_the_other_ranks_of_the_group_have_at_the_same_time) {
  std::vector<std::vector<data::PackedSequences>> all;
  for (int rank = 0; rank < kRanks; ++rank) all.push_back(pieces(16, rank));
  for (const auto& mine : all)
    for (std::size_t i = 0; i < mine.size(); ++i) {
      ASSERT_EQ(mine[i].peers.size(), 4U);
      for (std::size_t peer = 0; peer < 4; ++peer) EXPECT_TRUE(mine[i].peers[peer] == all[peer][i]);
    }
}

TEST_F(MicroBatches, mind_the_ranks_of_their_own_expert_group_alone) {
  const auto mine = micro_batches(batch(0), 16, shape(0, 4, 2));

  EXPECT_EQ(mine.size(), 4U);  // 4 9 3 | 2 | 30 | 4 9: what rank 1 needs
  EXPECT_EQ(mine[0].peers.size(), 2U);
  EXPECT_EQ(micro_batches(batch(3), 16, shape(3, 4, 2))[0].peers[0].sequence_index[0], 200);
}

TEST_F(MicroBatches, need_the_share_of_every_rank_and_their_own_as_it_is) {
  EXPECT_THAT(test::error_of<ShapeError>([] { (void)micro_batches(batch(0), 16, shape(0, 8, 8)); }),
              testing::HasSubstr("micro-batches: 4 shares for 8 ranks"));
  data::Batch changed = batch(0);
  changed.shares[0].domain[1] = 2;
  EXPECT_THAT(test::error_of<ShapeError>([&] { (void)micro_batches(changed, 16, shape(0)); }),
              testing::HasSubstr("what peers know of this rank's sequences is not what it has"));
}

}  // namespace
}  // namespace coterie::train
