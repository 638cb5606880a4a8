// Hands out one rank's batches, packed and ready, while a thread reads ahead.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "base/random.h"
#include "data/batch.h"
#include "data/corpus.h"
#include "data/pair_sampler.h"

namespace coterie::data {

/// Token ids of whole documents one after another, as evaluation wants them: `sequence_index` counts from 0.
///
/// @param max_length  longer documents are cut to it, their last id ([SEP]) kept
[[nodiscard]] PackedSequences pack(const Corpus& corpus, std::span<const std::uint32_t> documents,
                                   std::int64_t max_length);

/// What a loader reads, and for whom.
struct LoaderOptions {
  SamplerOptions sampler;
  std::int64_t hard_negatives = 0;  ///< of each pair, at most
  RandomKey key;                    ///< of sampler and negatives: the same on every rank
  std::int64_t share_index = 0;     ///< which of the shares of each global batch
  std::int64_t share_count = 1;     ///< how many there are
  std::int64_t max_length = 256;
  std::int64_t read_ahead = 4;  ///< batches that may wait
  Cursor start;
};

/// The batches of one rank in the sampler's order.
///
/// A thread with its own open corpus prepares up to `read_ahead` of them. What fails there is thrown by `next`, after
/// the batches that came before.
class Loader {
 public:
  Loader(std::filesystem::path corpus, LoaderOptions options);
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  /// Stops the thread after the batch it is preparing.
  ~Loader();

  /// The next batch; waits until it is ready.
  /// @throws what opening the corpus, sampling or reading threw
  [[nodiscard]] Batch next();
  /// Batches that wait to be taken, at most `read_ahead`; one more may be in the making.
  [[nodiscard]] std::int64_t waiting() const;
  /// Where to start another loader so that its first batch is the one that `next` would give.
  [[nodiscard]] Cursor cursor() const { return cursor_; }

 private:
  struct Ready {
    Batch batch;
    Cursor following;
  };

  void read_ahead();
  bool hand_over(Ready ready);

  const std::filesystem::path path_;
  const LoaderOptions options_;
  Cursor cursor_;

  mutable std::mutex mutex_;  // guards the four below
  std::condition_variable changed_;
  std::deque<Ready> queue_;
  std::exception_ptr failure_;
  bool stopping_ = false;

  std::thread thread_;  // last: everything it uses exists before it starts
};

}  // namespace coterie::data
