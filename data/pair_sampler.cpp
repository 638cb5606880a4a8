// The order of training pairs: permutation, windows, plans, cursor.
#include "data/pair_sampler.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "data/window_plan.h"

namespace coterie::data {

PairSampler::PairSampler(const Corpus& corpus, RandomKey key, SamplerOptions options)
    : corpus_(&corpus), key_(key.derive("pairs")), options_(options) {
  COTERIE_CHECK(ConfigError, options_.batch_pairs >= 1 && options_.window_pairs >= options_.batch_pairs,
                "sampler: data.window_pairs must be at least data.batch_pairs (", options_.batch_pairs, "), got ",
                options_.window_pairs);
  const auto pairs = static_cast<std::int64_t>(corpus.positives(Split::train).size());
  COTERIE_CHECK(DataError, pairs >= options_.batch_pairs, "sampler: one batch takes ", options_.batch_pairs,
                " training pairs (data.batch_pairs), '", corpus.path().string(), "' has ", pairs,
                ": lower data.batch_pairs");
  // Windows of equal size leave no short one at the end that would drop most of its pairs.
  windows_ = std::max<std::int64_t>(1, pairs / options_.window_pairs);
  window_ = plan(0, 0);
  settle();
}

std::uint64_t PairSampler::pair_at(std::int64_t epoch, std::uint64_t position) const {
  const RandomKey key = key_.derive("order").derive(static_cast<std::uint64_t>(epoch));
  return Permutation(key, corpus_->positives(Split::train).size())(position);
}

PairSampler::Window PairSampler::plan(std::int64_t epoch, std::int64_t window) const {
  const auto& pairs = corpus_->positives(Split::train);
  // Sizes of windows differ by at most one pair.
  const auto bound = [&](std::int64_t index) {
    const auto all = static_cast<std::uint64_t>(pairs.size());
    const auto count = static_cast<std::uint64_t>(windows_);
    const auto at = static_cast<std::uint64_t>(index);
    return all / count * at + std::min(all % count, at);
  };
  Window result;
  result.first_pair = bound(window);
  result.pairs = bound(window + 1) - result.first_pair;
  std::vector<std::uint32_t> first;
  std::vector<std::uint32_t> second;
  for (std::uint64_t i = 0; i < result.pairs; ++i) {
    const Pair& pair = pairs[pair_at(epoch, result.first_pair + i)];
    first.push_back(corpus_->text_class(pair.a));
    second.push_back(corpus_->text_class(pair.b));
  }
  result.batches = plan_window(first, second, options_.batch_pairs);
  return result;
}

std::int64_t PairSampler::dropped_pairs(const Window& window) const {
  return static_cast<std::int64_t>(window.pairs) -
         static_cast<std::int64_t>(window.batches.size()) * options_.batch_pairs;
}

// Moves the cursor from the end of a window to the next batch there is.
void PairSampler::settle() {
  // A whole epoch, and its first window again, without a batch: there will be none.
  for (std::int64_t empty = 0; cursor_.batch >= static_cast<std::int64_t>(window_.batches.size()); ++empty) {
    COTERIE_CHECK(DataError, empty <= windows_, "sampler: no batch of ", options_.batch_pairs,
                  " training pairs without a repeated document can be made from the ",
                  corpus_->positives(Split::train).size(), " pairs of '", corpus_->path().string(),
                  "': lower data.batch_pairs");
    cursor_ =
        cursor_.window + 1 < windows_ ? Cursor{cursor_.epoch, cursor_.window + 1, 0} : Cursor{cursor_.epoch + 1, 0, 0};
    window_ = plan(cursor_.epoch, cursor_.window);
  }
}

GlobalBatch PairSampler::next() {
  const auto& pairs = corpus_->positives(Split::train);
  const RandomKey swaps = key_.derive("swap").derive(static_cast<std::uint64_t>(cursor_.epoch));
  GlobalBatch batch;
  batch.cursor = cursor_;
  batch.window = {static_cast<std::int64_t>(window_.batches.size()), dropped_pairs(window_), windows_};
  for (const std::uint32_t position : window_.batches[static_cast<std::size_t>(cursor_.batch)]) {
    const std::uint64_t index = pair_at(cursor_.epoch, window_.first_pair + position);
    const Pair& pair = pairs[index];
    // A query stays the first side, as losses in one direction have it.
    const bool searched = corpus_->split(pair.a) == Split::every;
    const bool directed = searched || corpus_->split(pair.b) == Split::every;
    const bool drawn = options_.sides == Sides::random && (random_bits(swaps, index) & 1) != 0;
    const bool swapped = directed ? searched : drawn;
    batch.a.push_back(swapped ? pair.b : pair.a);
    batch.b.push_back(swapped ? pair.a : pair.b);
  }
  batch.domains = static_cast<std::int64_t>(corpus_->domains().size());
  ++cursor_.batch;
  settle();
  return batch;
}

void PairSampler::seek(Cursor cursor) {
  const bool inside = cursor.epoch >= 0 && cursor.window >= 0 && cursor.window < windows_ && cursor.batch >= 0;
  Window window = inside ? plan(cursor.epoch, cursor.window) : Window();
  COTERIE_CHECK(DataError, inside && cursor.batch <= static_cast<std::int64_t>(window.batches.size()),
                "sampler: no batch at epoch ", cursor.epoch, ", window ", cursor.window, ", batch ", cursor.batch,
                ": '", corpus_->path().string(), "' has ", windows_, " windows, this one ", window.batches.size(),
                " batches; is it another corpus, seed or data.batch_pairs?");
  cursor_ = cursor;
  window_ = std::move(window);
  settle();
}

}  // namespace coterie::data
