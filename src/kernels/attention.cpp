#include "kernels/attention.h"

#include <ATen/Functions.h>

#include <cmath>

#include "base/error.h"
#include "kernels/dropout.h"

namespace coterie::kernels {
namespace {

// [N, D] -> [1, H, N, d]
at::Tensor split_heads(const at::Tensor& rows_ND, std::int64_t heads) {
  return rows_ND.view({1, rows_ND.size(0), heads, rows_ND.size(1) / heads}).transpose(1, 2);
}

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, std::int64_t sequence,
                  const AttentionDropout& dropout) {
  if (dropout.rate == 0.0) return at::scaled_dot_product_attention(query, key, value);
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(3)));
  const at::Tensor scores_1HNN = at::matmul(query, key.transpose(2, 3)) * scale;
  const at::Tensor factors_HNN =
      attention_dropout_factors(query.size(1), query.size(2), dropout.rate, dropout.key, sequence, query.scalar_type());
  return at::matmul(scores_1HNN.softmax(-1) * factors_HNN, value);
}

}  // namespace

at::Tensor attention(const at::Tensor& query_TD, const at::Tensor& key_TD, const at::Tensor& value_TD,
                     std::int64_t heads, const std::vector<std::int64_t>& offsets,
                     const std::vector<std::int64_t>& sequence_index, const AttentionDropout& dropout) {
  COTERIE_CHECK(ShapeError, !offsets.empty() && offsets.back() == query_TD.size(0), "attention: offsets end at ",
                offsets.empty() ? -1 : offsets.back(), ", there are ", query_TD.size(0), " tokens");
  const std::size_t sequences = offsets.size() - 1;
  COTERIE_CHECK(ShapeError, sequence_index.size() == sequences, "attention: ", sequence_index.size(), " indices for ",
                sequences, " sequences");
  // A rank without tokens still owns a place in the graph, so that its backward reaches every collective.
  if (query_TD.size(0) == 0) return query_TD + key_TD + value_TD;
  std::vector<std::int64_t> lengths(sequences);
  for (std::size_t b = 0; b < sequences; ++b) lengths[b] = offsets[b + 1] - offsets[b];
  // split_with_sizes has one backward for all parts; slices would each write a gradient of the full size.
  const auto queries = query_TD.split_with_sizes(lengths);
  const auto keys = key_TD.split_with_sizes(lengths);
  const auto values = value_TD.split_with_sizes(lengths);
  std::vector<at::Tensor> outputs;
  outputs.reserve(sequences);
  for (std::size_t b = 0; b < sequences; ++b) {
    if (lengths[b] == 0) continue;
    const at::Tensor out = attend(split_heads(queries[b], heads), split_heads(keys[b], heads),
                                  split_heads(values[b], heads), sequence_index[b], dropout);
    outputs.push_back(out.transpose(1, 2).reshape({lengths[b], query_TD.size(1)}));
  }
  return at::cat(outputs);
}

}  // namespace coterie::kernels
