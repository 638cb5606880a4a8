#include "eval/embedder.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "kernels/upload.h"

namespace coterie::eval {
namespace {

using Batch = std::vector<std::size_t>;  // indices of texts

std::int64_t length(const data::PackedSequences& texts, std::size_t i) {
  return texts.offsets[i + 1] - texts.offsets[i];
}

// Longest first, so that the batches that take long are dealt out before the short ones.
std::vector<Batch> make_batches(const data::PackedSequences& texts, std::int64_t batch_tokens) {
  std::vector<std::size_t> order(static_cast<std::size_t>(texts.sequences()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return length(texts, x) > length(texts, y); });
  std::vector<Batch> batches;
  std::int64_t tokens = batch_tokens;
  for (const std::size_t i : order) {
    if (batches.empty() || tokens + length(texts, i) > batch_tokens) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(i);
    tokens += length(texts, i);
  }
  return batches;
}

}  // namespace

at::Tensor embed_all(const model::Encoder& encoder, const data::PackedSequences& texts, std::int64_t batch_tokens,
                     const dist::Mesh& mesh, RandomKey key) {
  const c10::InferenceMode inference;
  const std::vector<Batch> batches = make_batches(texts, batch_tokens);
  const auto ranks = static_cast<std::size_t>(mesh.world().size());
  const auto rank = static_cast<std::size_t>(mesh.world().rank());
  const std::size_t rounds = (batches.size() + ranks - 1) / ranks;

  std::vector<at::Tensor> mine;
  std::vector<std::int64_t> gathered_order;  // text of each row of the gathered result
  dist::Splits counts(ranks, 0);
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::size_t next = round * ranks + rank;
    mine.push_back(encoder.embed(next < batches.size() ? data::select(texts, batches[next]) : data::PackedSequences{},
                                 {.key = key}));
  }
  for (std::size_t r = 0; r < ranks; ++r) {
    for (std::size_t b = r; b < batches.size(); b += ranks) {
      counts[r] += static_cast<std::int64_t>(batches[b].size());
      gathered_order.insert(gathered_order.end(), batches[b].begin(), batches[b].end());
    }
  }
  COTERIE_CHECK(ShapeError, !mine.empty(), "embed: there is nothing to embed");
  const at::Tensor rows_ND = mesh.world().all_gather(at::cat(mine).contiguous(), counts);
  at::Tensor embeddings_ND = at::empty_like(rows_ND);
  return embeddings_ND.index_copy_(0, kernels::upload(gathered_order, rows_ND.device()), rows_ND);
}

}  // namespace coterie::eval
