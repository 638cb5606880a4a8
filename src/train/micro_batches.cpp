// A greedy cut in order, then agreement on the number of pieces.
#include "train/micro_batches.h"

namespace coterie::train {

std::vector<data::PackedSequences> micro_batches(const data::PackedSequences& sequences, std::int64_t tokens,
                                                 const dist::ProcessGroup& expert_group) {
  std::vector<std::vector<std::size_t>> pieces(1);
  std::int64_t held = 0;
  for (std::size_t i = 0; i + 1 < sequences.offsets.size(); ++i) {
    const std::int64_t length = sequences.offsets[i + 1] - sequences.offsets[i];
    if (tokens > 0 && held > 0 && held + length > tokens) {
      pieces.emplace_back();
      held = 0;
    }
    pieces.back().push_back(i);
    held += length;
  }
  const auto agreed =
      static_cast<std::size_t>(expert_group.all_reduce(static_cast<std::int64_t>(pieces.size()), dist::Reduce::max));
  pieces.resize(agreed);
  std::vector<data::PackedSequences> batches;
  for (const auto& piece : pieces) batches.push_back(data::select(sequences, piece));
  return batches;
}

}  // namespace coterie::train
