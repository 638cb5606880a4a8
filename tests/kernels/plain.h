// What the fast kernels are compared with: the same formulas as separate ATen operations, differentiated by autograd.
#pragma once

#include <ATen/Functions.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/attention.h"
#include "kernels/dropout.h"

namespace coterie::test {

/// Offsets and global indices of sequences of these lengths.
struct Packing {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> index;

  explicit Packing(const std::vector<std::int64_t>& lengths) : offsets{0} {
    for (const std::int64_t length : lengths) {
      offsets.push_back(offsets.back() + length);
      index.push_back(100 + 7 * static_cast<std::int64_t>(index.size()));
    }
  }
  [[nodiscard]] std::int64_t tokens() const { return offsets.back(); }
  [[nodiscard]] kernels::TokenPlaces places() const {
    kernels::TokenPlaces out;
    for (std::size_t b = 0; b < index.size(); ++b)
      for (std::int64_t t = 0; t < offsets[b + 1] - offsets[b]; ++t) {
        out.sequence.push_back(index[b]);
        out.token.push_back(t);
      }
    return out;
  }
};

/// Factors of hidden dropout.
inline at::Tensor dropout_factors(const at::Tensor& like_TD, double rate, RandomKey key,
                                  const kernels::TokenPlaces& places) {
  return kernels::dropout(at::ones_like(like_TD), rate, key, places).detach();
}

/// Attention sequence by sequence: ATen's fused kernel, or the unfused formula where probabilities are dropped.
inline at::Tensor plain_attention(const at::Tensor& query_TD, const at::Tensor& key_TD, const at::Tensor& value_TD,
                                  std::int64_t heads, const Packing& packing,
                                  const kernels::AttentionDropout& dropout) {
  std::vector<at::Tensor> outputs = {query_TD.narrow(0, 0, 0)};
  for (std::size_t b = 0; b < packing.index.size(); ++b) {
    const std::int64_t first = packing.offsets[b];
    const std::int64_t length = packing.offsets[b + 1] - first;
    if (length == 0) continue;
    const auto split = [&](const at::Tensor& rows) {
      return rows.narrow(0, first, length).view({1, length, heads, rows.size(1) / heads}).transpose(1, 2);
    };
    at::Tensor out;
    if (dropout.rate == 0.0) {
      out = at::scaled_dot_product_attention(split(query_TD), split(key_TD), split(value_TD));
    } else {
      const double width = static_cast<double>(query_TD.size(1) / heads);
      const at::Tensor scores_1HNN = at::matmul(split(query_TD), split(key_TD).transpose(2, 3)) / std::sqrt(width);
      const at::Tensor factors_HNN = kernels::attention_dropout_factors(heads, length, dropout.rate, dropout.key,
                                                                        packing.index[b], query_TD.scalar_type());
      out = at::matmul(scores_1HNN.softmax(-1) * factors_HNN, split(value_TD));
    }
    outputs.push_back(out.transpose(1, 2).reshape({length, query_TD.size(1)}));
  }
  return at::cat(outputs);
}

}  // namespace coterie::test
