// A rank's sequences in pieces that fit the memory.
#include "train/micro_batches.h"

#include <gtest/gtest.h>

#include "dist/mesh.h"
#include "tests/harness/packing.h"

namespace coterie::train {
namespace {

// Every rank has other sequences: rank r has 5 + 2 r of them.
class MicroBatches : public testing::Test {
 protected:
  MicroBatches() : mesh_({}, {}) {
    const std::int64_t count = 5 + 2 * mesh_.world().rank();
    for (std::int64_t i = 0; i < count; ++i)
      test::append(sequences_, std::vector<std::int32_t>(lengths_[static_cast<std::size_t>(i % 5)], 7), 64,
                   static_cast<std::int32_t>(i % 3), i);
  }
  [[nodiscard]] std::vector<data::PackedSequences> pieces(std::int64_t tokens) const {
    return micro_batches(sequences_, tokens, mesh_.world());
  }

  const std::vector<std::size_t> lengths_ = {4, 9, 3, 2, 30};
  dist::Mesh mesh_;
  data::PackedSequences sequences_;
};

TEST_F(MicroBatches, hold_no_more_tokens_than_they_may_or_one_longer_sequence) {
  for (const std::int64_t tokens : {1, 10, 16, 39})
    for (const data::PackedSequences& piece : pieces(tokens)) {
      const auto held = static_cast<std::int64_t>(piece.tokens.size());
      EXPECT_TRUE(held <= tokens || piece.sequences() == 1) << held << " tokens, " << tokens << " allowed";
    }
}

TEST_F(MicroBatches, hold_every_sequence_once_and_in_order) {
  for (const std::int64_t tokens : {0, 1, 16}) {
    std::vector<std::int64_t> index;
    std::size_t held = 0;
    for (const data::PackedSequences& piece : pieces(tokens)) {
      index.insert(index.end(), piece.sequence_index.begin(), piece.sequence_index.end());
      held += piece.tokens.size();
    }
    EXPECT_EQ(index, sequences_.sequence_index);
    EXPECT_EQ(held, sequences_.tokens.size());
  }
}

TEST_F(MicroBatches, are_filled_before_another_is_begun) {
  EXPECT_EQ(pieces(0).size(), 1U);
  // 4 9 3 | 2 | 30 | 4 9 3 | 2 | 30 | 4 ...: what the last rank needs.
  const std::int64_t sequences = 5 + 2 * (mesh_.world().size() - 1);
  const std::int64_t needed = sequences / 5 * 3 + (sequences % 5 > 0 ? 1 : 0) + (sequences % 5 > 3 ? 1 : 0);
  EXPECT_EQ(static_cast<std::int64_t>(pieces(16).size()), needed);
}

TEST_F(MicroBatches, are_as_many_on_every_rank_of_the_group_and_empty_ones_come_last) {
  const auto mine = pieces(10);
  const auto most = mesh_.world().all_reduce(static_cast<std::int64_t>(mine.size()), dist::Reduce::max);

  EXPECT_EQ(static_cast<std::int64_t>(mine.size()), most);
  bool empty = false;
  for (const data::PackedSequences& piece : mine) {
    EXPECT_FALSE(empty && piece.sequences() > 0);
    empty = piece.sequences() == 0;
    if (mesh_.world().rank() == mesh_.world().size() - 1) {
      EXPECT_FALSE(empty) << "the rank with the most sequences fills its pieces";
    }
  }
}

}  // namespace
}  // namespace coterie::train
