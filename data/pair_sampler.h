// Which pairs form each global batch: the same on every rank, and from any point of any epoch.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "data/batch.h"
#include "data/corpus.h"

namespace coterie::data {

/// Which document of a pair is its side a.
enum class Sides : std::uint8_t {
  random,     ///< either, anew in each epoch
  as_stored,  ///< the one with the lower number
};

/// How the training pairs are cut.
struct SamplerOptions {
  std::int64_t batch_pairs = 64;      ///< pairs in a global batch
  std::int64_t window_pairs = 65536;  ///< least pairs that are planned at a time, if there are as many
  Sides sides = Sides::random;
};

/// Hands out the global batches of the training pairs, epoch after epoch.
///
/// An epoch is a keyed permutation of the pairs, cut into windows of equal size. The plan of a window is a pure
/// function of (key, epoch, window): nothing else is needed to continue at a cursor. No document stands twice in a
/// batch, nor do two documents of equal text: such a pair would be a wrong negative.
class PairSampler {
 public:
  /// @param corpus  outlives the sampler
  /// @throws ConfigError if a window is smaller than a batch; DataError if the pairs do not fill one batch
  PairSampler(const Corpus& corpus, RandomKey key, SamplerOptions options);

  /// The batch at the cursor, then moves on to the next, into the next epoch where this one ends.
  [[nodiscard]] GlobalBatch next();
  /// Where the next batch stands.
  [[nodiscard]] Cursor cursor() const { return cursor_; }
  /// Continues at a cursor; the end of a window is the same as the start of the next.
  /// @throws DataError if this corpus has no batch there
  void seek(Cursor cursor);
  /// Number of windows in every epoch.
  [[nodiscard]] std::int64_t windows() const { return windows_; }

 private:
  struct Window {
    std::uint64_t first_pair = 0;  ///< position in the epoch
    std::uint64_t pairs = 0;
    std::vector<std::vector<std::uint32_t>> batches;  ///< positions in the epoch, after `first_pair`
  };

  [[nodiscard]] std::int64_t dropped_pairs(const Window& window) const;

  [[nodiscard]] Window plan(std::int64_t epoch, std::int64_t window) const;
  [[nodiscard]] std::uint64_t pair_at(std::int64_t epoch, std::uint64_t position) const;
  void settle();

  const Corpus* corpus_;
  RandomKey key_;
  SamplerOptions options_;
  std::int64_t windows_ = 1;
  Cursor cursor_;
  Window window_;
};

}  // namespace coterie::data
