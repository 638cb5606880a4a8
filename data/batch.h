// What the trainer gets: one rank's share of one global batch, packed, with no padding anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace coterie::data {

/// Where the sampler stands: enough to continue an epoch exactly.
struct Cursor {
  std::int64_t epoch = 0;
  std::int64_t window = 0;
  std::int64_t batch = 0;  ///< within the window

  friend bool operator==(const Cursor&, const Cursor&) = default;
};

/// How the window that a batch comes from was cut.
struct WindowSize {
  std::int64_t batches = 0;
  std::int64_t dropped_pairs = 0;  ///< fitted no full batch
  std::int64_t windows = 0;        ///< in its epoch
};

/// The pairs of one global batch, the same on every rank. No document stands in it twice.
struct GlobalBatch {
  Cursor cursor;  ///< of this batch
  std::vector<std::uint32_t>
      a;  ///< [n] document of each pair's first side, after the random swap; a query is always first
  std::vector<std::uint32_t> b;  ///< [n] document of its second side
  WindowSize window;
  std::int64_t domains = 0;                    ///< of the corpus
  std::vector<std::uint32_t> negatives = {};   ///< [h] hard negatives: further documents, none of them among a and b
  std::vector<std::int64_t> negative_of = {};  ///< [h] the pair that each was drawn for, ascending
  [[nodiscard]] std::int64_t pairs() const { return static_cast<std::int64_t>(a.size()); }
};

/// All about packed sequences but their tokens.
struct SequenceLayout {
  std::vector<std::int64_t> offsets = {0};   ///< [B + 1] first token of each sequence, and T ("cu_seqlens")
  std::vector<std::int32_t> domain;          ///< [B] domain of each sequence; -1 is unknown
  std::vector<std::int64_t> sequence_index;  ///< [B] index among all sequences of the global batch
  std::vector<std::int32_t> expert;          ///< [B] the expert named for each sequence, -1 for none; empty: none was
  [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  friend bool operator==(const SequenceLayout&, const SequenceLayout&) = default;
};

/// Packed sequences: what the encoder runs on.
struct PackedSequences : SequenceLayout {
  std::vector<std::int32_t> tokens;  ///< [T] ids, each sequence with its [CLS] and [SEP]
  /// Those of each rank of the expert group in the same pass, this one's among them; empty: the ranks do not know.
  std::vector<SequenceLayout> peers;
};

/// The chosen sequences, in the order given.
[[nodiscard]] SequenceLayout select(const SequenceLayout& from, std::span<const std::size_t> chosen);
/// The same with their tokens; what peers have is not known.
[[nodiscard]] PackedSequences select(const PackedSequences& from, std::span<const std::size_t> chosen);

/// One rank's share of a global batch.
struct Batch {
  GlobalBatch global;
  std::vector<std::int64_t> positions;  ///< [m] the pairs of this rank: positions in the global batch, ascending
  std::vector<std::int64_t> negatives;  ///< [g] the hard negatives of those pairs: places in the global list, ascending
  /// B = 2 m + g sequences: the a sides in order of `positions`, the b sides, the hard negatives. With n pairs in the
  /// global batch the index of a side a is its position p, of a side b n + p, of the hard negative at place k 2 n + k.
  PackedSequences sequences;
  std::vector<SequenceLayout> shares;  ///< [ranks] of the sequences of every rank: each knows them all without asking
  /// Of all ranks.
  [[nodiscard]] std::int64_t tokens() const;
};

}  // namespace coterie::data
