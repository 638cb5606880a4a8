// The reading thread and the bounded queue between it and the trainer.
#include "data/loader.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "data/hard_negatives.h"
#include "data/share.h"

namespace coterie::data {
namespace {

/// The documents of one share of a global batch, in the order of `Batch::sequences`.
struct ShareDocuments {
  std::vector<std::int64_t> negatives;       ///< [g] places in the global list
  std::vector<std::uint32_t> documents;      ///< [B]
  std::vector<std::int64_t> sequence_index;  ///< [B]

  void add(std::uint32_t document, std::int64_t index) {
    documents.push_back(document);
    sequence_index.push_back(index);
  }
};

std::vector<ShareDocuments> documents_of(const std::vector<std::vector<std::int64_t>>& positions,
                                         const GlobalBatch& global) {
  std::vector<ShareDocuments> parts(positions.size());
  std::vector<std::size_t> owner(global.a.size());
  for (std::size_t rank = 0; rank < positions.size(); ++rank) {
    for (const std::int64_t p : positions[rank]) {
      parts[rank].add(global.a[static_cast<std::size_t>(p)], p);
      owner[static_cast<std::size_t>(p)] = rank;
    }
    for (const std::int64_t p : positions[rank])
      parts[rank].add(global.b[static_cast<std::size_t>(p)], global.pairs() + p);
  }
  for (std::size_t k = 0; k < global.negatives.size(); ++k) {
    ShareDocuments& part = parts[owner[static_cast<std::size_t>(global.negative_of[k])]];
    const auto place = static_cast<std::int64_t>(k);
    part.negatives.push_back(place);
    part.add(global.negatives[k], 2 * global.pairs() + place);
  }
  return parts;
}

// Of whole documents one after another; `sequence_index` counts from 0.
SequenceLayout layout_of(const Corpus& corpus, std::span<const std::uint32_t> documents, std::int64_t max_length) {
  SequenceLayout layout;
  for (const std::uint32_t document : documents) {
    layout.sequence_index.push_back(layout.sequences());
    layout.offsets.push_back(layout.offsets.back() + std::min(corpus.length(document), max_length));
    layout.domain.push_back(corpus.domain(document));
    if (corpus.names_experts()) layout.expert.push_back(corpus.expert(document));
  }
  return layout;
}

// The sequences of a layout with their tokens.
PackedSequences read(const Corpus& corpus, SequenceLayout layout, std::span<const std::uint32_t> documents,
                     std::int64_t max_length) {
  PackedSequences packed{std::move(layout), {}, {}};
  for (const std::uint32_t document : documents) corpus.read_tokens(document, max_length, packed.tokens);
  return packed;
}

Batch make_batch(const Corpus& corpus, GlobalBatch global, const LoaderOptions& options) {
  Batch batch;
  auto positions = share(corpus, global, options.max_length, options.share_count);
  std::vector<ShareDocuments> parts = documents_of(positions, global);
  for (ShareDocuments& part : parts) {
    batch.shares.push_back(layout_of(corpus, part.documents, options.max_length));
    batch.shares.back().sequence_index = std::move(part.sequence_index);
  }
  const auto mine = static_cast<std::size_t>(options.share_index);
  batch.sequences = read(corpus, batch.shares[mine], parts[mine].documents, options.max_length);
  batch.positions = std::move(positions[mine]);
  batch.negatives = std::move(parts[mine].negatives);
  batch.global = std::move(global);
  return batch;
}

}  // namespace

PackedSequences pack(const Corpus& corpus, std::span<const std::uint32_t> documents, std::int64_t max_length) {
  return read(corpus, layout_of(corpus, documents, max_length), documents, max_length);
}

Loader::Loader(std::filesystem::path corpus, LoaderOptions options)
    : path_(std::move(corpus)), options_(options), cursor_(options.start) {
  COTERIE_CHECK(ShapeError,
                options_.share_count >= 1 && options_.share_index >= 0 && options_.share_index < options_.share_count,
                "loader: share ", options_.share_index, " of ", options_.share_count);
  COTERIE_CHECK(ShapeError, options_.read_ahead >= 1, "loader: read_ahead must be at least 1, got ",
                options_.read_ahead);
  thread_ = std::thread([this] { read_ahead(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Loader::read_ahead() {
  try {
    const Corpus corpus(path_);
    PairSampler sampler(corpus, options_.key, options_.sampler);
    sampler.seek(options_.start);
    while (true) {
      GlobalBatch global = sampler.next();
      add_hard_negatives(corpus, global, options_.hard_negatives, options_.key.derive("hard negatives"));
      Ready ready{make_batch(corpus, std::move(global), options_), sampler.cursor()};
      if (!hand_over(std::move(ready))) return;
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  changed_.notify_all();
}

// Waits for room; false if the loader is being destroyed.
bool Loader::hand_over(Ready ready) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || queue_.size() < static_cast<std::size_t>(options_.read_ahead); });
    if (stopping_) return false;
    queue_.push_back(std::move(ready));
  }
  changed_.notify_all();
  return true;
}

std::int64_t Loader::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(queue_.size());
}

Batch Loader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !queue_.empty() || failure_ != nullptr; });
  if (queue_.empty()) std::rethrow_exception(failure_);
  Ready ready = std::move(queue_.front());
  queue_.pop_front();
  lock.unlock();
  changed_.notify_all();
  cursor_ = ready.following;
  return std::move(ready.batch);
}

}  // namespace coterie::data
