// A greedy cut in order, of every share in the same way.
#include "train/micro_batches.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace coterie::train {
namespace {

using Pieces = std::vector<std::vector<std::size_t>>;

Pieces cut(const data::SequenceLayout& sequences, std::int64_t tokens) {
  Pieces pieces(1);
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
  return pieces;
}

}  // namespace

std::vector<data::PackedSequences> micro_batches(const data::Batch& batch, std::int64_t tokens,
                                                 const dist::MeshShape& mesh) {
  COTERIE_CHECK(ShapeError, batch.shares.size() == static_cast<std::size_t>(mesh.ranks()),
                "micro-batches: ", batch.shares.size(), " shares for ", mesh.ranks(), " ranks");
  const auto first = static_cast<std::size_t>(mesh.first_of_expert_group());
  const auto own = static_cast<std::size_t>(mesh.expert_rank());
  COTERIE_CHECK(ShapeError, batch.shares[first + own] == batch.sequences,
                "micro-batches: what peers know of this rank's sequences is not what it has");
  std::vector<Pieces> of_peers;
  std::size_t most = 0;
  for (std::size_t peer = 0; peer < static_cast<std::size_t>(mesh.expert_size()); ++peer) {
    of_peers.push_back(cut(batch.shares[first + peer], tokens));
    most = std::max(most, of_peers.back().size());
  }
  for (Pieces& pieces : of_peers) pieces.resize(most);
  std::vector<data::PackedSequences> batches;
  for (std::size_t i = 0; i < most; ++i) {
    data::PackedSequences piece = data::select(batch.sequences, of_peers[own][i]);
    for (std::size_t peer = 0; peer < of_peers.size(); ++peer)
      piece.peers.push_back(data::select(batch.shares[first + peer], of_peers[peer][i]));
    batches.push_back(std::move(piece));
  }
  return batches;
}

}  // namespace coterie::train
