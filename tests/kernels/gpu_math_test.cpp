// What the lanes of a GPU compute, run here by a team of one lane and held against the CPU's kernels.
#include <cstring>
#include <limits>

#include "kernels/activation.h"
#include "kernels/fused_norm.h"
#include "kernels/gpu/attention_math.h"
#include "kernels/gpu/row_math.h"
#include "kernels/stored.h"
#include "tests/harness/tensors.h"
#include "tests/kernels/plain.h"

namespace coterie::kernels::gpu {
namespace {

using test::Packing;

constexpr RandomKey kKey{31};
constexpr double kEpsilon = 1e-5;

at::Tensor random(const std::vector<std::int64_t>& sizes, std::uint64_t stream, at::ScalarType dtype) {
  return (test::random_tensor(sizes, stream) * 2).to(dtype);
}

TEST(GpuMath, rounds_to_bf16_as_torch_does) {
  const float infinite = std::numeric_limits<float>::infinity();
  at::Tensor values = at::tensor({0.0F, -0.0F, 1.00390625F, 1.01171875F, 3.4e38F, -1e-40F, infinite, -infinite});
  values = at::cat({values, random({5000}, 1, at::kFloat)});
  at::Tensor rounded = at::empty(values.sizes(), at::kBFloat16);

  for (std::int64_t i = 0; i < values.numel(); ++i)
    store(writable_numbers<BFloat>(rounded) + i, numbers<float>(values)[i]);

  EXPECT_TRUE(at::equal(rounded, values.to(at::kBFloat16)));
  BFloat not_a_number{};
  store(&not_a_number, std::numeric_limits<float>::quiet_NaN());
  EXPECT_NE(load(&not_a_number), load(&not_a_number));
}

template <class Stored>
void expect_the_bits_of_dropout(at::ScalarType dtype) {
  const Packing packing({3, 0, 2});
  const TokenPlaces places = packing.places();
  const at::Tensor tokens_TD = random({5, 301}, 1, dtype);
  const at::Tensor out_TD = at::empty_like(tokens_TD);

  for (std::int64_t r = 0; r < 5; ++r)
    drop_row(Alone{}, numbers<Stored>(tokens_TD), writable_numbers<Stored>(out_TD), r, 301,
             {places.sequence.data(), places.token.data()}, drop_of(0.3, kKey));

  EXPECT_TRUE(at::equal(out_TD, kernels::dropout(tokens_TD, 0.3, kKey, places)));
}

TEST(GpuMath, drops_what_the_cpu_drops) {
  expect_the_bits_of_dropout<float>(at::kFloat);
  expect_the_bits_of_dropout<double>(at::kDouble);
  expect_the_bits_of_dropout<BFloat>(at::kBFloat16);
}

/// Output and gradients of the norm, from the GPU's functions.
std::vector<at::Tensor> norm_by_lanes(const std::vector<at::Tensor>& in, const at::Tensor& gradient_TD, double rate,
                                      const TokenPlaces& places) {
  const std::int64_t rows = in[0].size(0);
  const std::int64_t width = in[0].size(1);
  const auto like = [&] { return at::empty_like(in[0]); };
  const at::Tensor out = like(), normal = like(), tokens = like(), residual = like();
  const at::Tensor inverse = at::empty({rows}, at::kDouble), sums = at::empty({2, width}, at::kDouble);
  const simd::Drop drop = drop_of(rate, kKey);
  const simd::RowPlaces where =
      rate > 0 ? simd::RowPlaces{places.sequence.data(), places.token.data()} : simd::RowPlaces{};
  const simd::NormRows<double> forward{.tokens = numbers<double>(in[0]),
                                       .residual = numbers<double>(in[1]),
                                       .weight = numbers<double>(in[2]),
                                       .bias = numbers<double>(in[3]),
                                       .rows = rows,
                                       .width = width,
                                       .epsilon = kEpsilon,
                                       .places = where,
                                       .drop = drop,
                                       .out = writable_numbers<double>(out),
                                       .normal = writable_numbers<double>(normal),
                                       .inverse = writable_numbers<double>(inverse)};
  std::vector<double> memory(static_cast<std::size_t>(width));
  for (std::int64_t r = 0; r < rows; ++r) norm_row(Alone{}, forward, r, memory.data());
  const simd::NormGradientRows<double> backward{.gradient = numbers<double>(gradient_TD),
                                                .normal = numbers<double>(normal),
                                                .inverse = numbers<double>(inverse),
                                                .weight = numbers<double>(in[2]),
                                                .rows = rows,
                                                .width = width,
                                                .places = where,
                                                .drop = drop,
                                                .tokens = writable_numbers<double>(tokens),
                                                .residual = writable_numbers<double>(residual)};
  for (std::int64_t r = 0; r < rows; ++r) norm_row_backward(Alone{}, backward, r);
  double* const weight = writable_numbers<double>(sums);
  // In two parts, as the warps of a block take them.
  const at::Tensor rest = at::empty_like(sums);
  double* const more = writable_numbers<double>(rest);
  for (std::int64_t c = 0; c < width; c += 4) {
    const std::int64_t count = std::min<std::int64_t>(4, width - c);
    const auto even = norm_columns(backward, {0, rows, 2}, c, count);
    const auto odd = norm_columns(backward, {1, rows, 2}, c, count);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto n = static_cast<std::size_t>(i);
      weight[c + i] = even.weight[n];
      weight[width + c + i] = even.bias[n];
      more[c + i] = odd.weight[n];
      more[width + c + i] = odd.bias[n];
    }
  }
  return {out, tokens, residual, sums[0] + rest[0], sums[1] + rest[1]};
}

TEST(GpuMath, normalises_as_the_cpu_does_with_its_gradients) {
  const Packing packing({4, 3});
  const TokenPlaces places = packing.places();
  for (const double rate : {0.0, 0.2}) {
    const std::vector<at::Tensor> in = {random({7, 301}, 1, at::kDouble), random({7, 301}, 2, at::kDouble),
                                        random({301}, 3, at::kDouble), random({301}, 4, at::kDouble)};
    const auto on_cpu = [&](const auto& x) {
      return dropout_residual_norm(x[0], x[1], {x[2], x[3], kEpsilon}, rate, kKey, places);
    };

    const auto actual = norm_by_lanes(in, test::random_tensor({7, 301}, 99), rate, places);

    auto expected = test::gradients_of(on_cpu, in);
    expected.insert(expected.begin(), on_cpu(in));
    for (std::size_t n = 0; n < actual.size(); ++n)
      EXPECT_LT(test::relative_distance(actual[n], expected[n]), 1e-12) << n << " at rate " << rate;
  }
}

TEST(GpuMath, has_gelu_and_its_gradient) {
  const std::vector<at::Tensor> in = {random({40, 30}, 1, at::kFloat) * 6, random({30}, 2, at::kFloat)};
  const at::Tensor gradient_RF = test::random_tensor({40, 30}, 99).to(at::kFloat);
  const GeluRows<float> all{numbers<float>(in[0]), numbers<float>(in[1]), 40, 30};
  const auto like = [&](std::size_t n) { return at::empty_like(in[n]); };
  const at::Tensor out = like(0), again = like(0), values = like(0), bias = like(1);
  const GeluGradient<float> to{numbers<float>(gradient_RF), writable_numbers<float>(values),
                               writable_numbers<float>(again)};

  for (std::int64_t c = 0; c < 30; c += 4) {
    const std::int64_t count = std::min<std::int64_t>(4, 30 - c);
    gelu_columns(all, writable_numbers<float>(out), {0, 40}, c, count);
    const auto upper = gelu_columns_backward(all, to, {0, 7}, c, count);
    const auto lower = gelu_columns_backward(all, to, {7, 40}, c, count);
    for (std::int64_t i = 0; i < count; ++i)
      writable_numbers<float>(bias)[c + i] = upper[static_cast<std::size_t>(i)] + lower[static_cast<std::size_t>(i)];
  }

  EXPECT_TRUE(at::equal(again, out));
  const auto exact = [](const auto& x) { return at::gelu(x[0] + x[1]); };
  const std::vector<at::Tensor> doubles = {in[0].to(at::kDouble), in[1].to(at::kDouble)};
  const auto expected = test::gradients_of(exact, doubles);
  // Roundings of 2^-24 = 6e-8: the sum, erfc and exp (a few ulp each), the products.
  EXPECT_LT(test::relative_distance(out.to(at::kDouble), exact(doubles)), 3e-7);
  EXPECT_LT(test::relative_distance(values.to(at::kDouble), expected[0]), 3e-7);
  EXPECT_LT(test::relative_distance(bias.to(at::kDouble), expected[1]), 3e-7);
}

/// One head of one sequence of a packed batch, worked on in tiles of three rows.
struct Head {
  std::vector<at::Tensor> in;  // query, key, value of the sequence and head, [N, d] views
  std::uint32_t sequence, head;
  double rate;

  static constexpr std::int64_t kTile = 3;

  [[nodiscard]] std::int64_t length() const { return in[0].size(0); }
  [[nodiscard]] Place place(std::int64_t row) const {
    return {in[0].size(1), row, sequence, head, drop_of(rate, RandomKey{77})};
  }
  static const double* row(const at::Tensor& rows, std::int64_t r) {
    return numbers<double>(rows) + r * rows.stride(0);
  }
  static double* writable_row(const at::Tensor& rows, std::int64_t r) {
    return writable_numbers<double>(rows) + r * rows.stride(0);
  }
  template <class Use>
  void for_tiles(const at::Tensor& left, const at::Tensor& right, const Use& use) const {
    for (std::int64_t first = 0; first < length(); first += kTile)
      use(Tile<double>{{row(left, first), left.stride(0)},
                       {row(right, first), right.stride(0)},
                       first,
                       std::min(kTile, length() - first)});
  }

  void attend(const at::Tensor& out, std::vector<double>& log_sum) const {
    for (std::int64_t q = 0; q < length(); ++q) {
      Softmax<Alone, double> softmax;
      for_tiles(in[1], in[2], [&](const auto& tile) { attend_tile(Alone{}, place(q), row(in[0], q), tile, softmax); });
      write_held(Alone{}, softmax.out, 1.0 / softmax.sum, in[0].size(1), writable_row(out, q));
      log_sum.push_back(softmax.max + std::log(softmax.sum));
    }
  }

  void backward(const at::Tensor& out, const at::Tensor& gradient, const std::vector<double>& log_sum,
                const std::vector<at::Tensor>& gradients) const {
    const std::int64_t width = in[0].size(1);
    std::vector<double> delta;
    for (std::int64_t q = 0; q < length(); ++q) {
      delta.push_back(delta_of(Alone{}, row(out, q), row(gradient, q), width));
      const QueryBackward<double, double> query{row(in[0], q), row(gradient, q), log_sum[static_cast<std::size_t>(q)],
                                                delta.back()};
      double held[kColumns<Alone>] = {};
      for_tiles(in[1], in[2], [&](const auto& tile) { query_gradient_tile(Alone{}, place(q), query, tile, held); });
      write_held(Alone{}, held, place(q).scale<double>(), width, writable_row(gradients[0], q));
    }
    for (std::int64_t k = 0; k < length(); ++k) {
      double key[kColumns<Alone>] = {};
      double value[kColumns<Alone>] = {};
      for_tiles(in[0], gradient, [&](const auto& tile) {
        key_gradient_tile(Alone{}, place(k), row(in[1], k), row(in[2], k), tile, log_sum.data() + tile.first,
                          static_cast<const double*>(delta.data()) + tile.first, key, value);
      });
      write_held(Alone{}, key, place(k).scale<double>(), width, writable_row(gradients[1], k));
      write_held(Alone{}, value, 1.0, width, writable_row(gradients[2], k));
    }
  }
};

TEST(GpuMath, attends_as_the_cpu_does_with_its_gradients) {
  constexpr std::int64_t kHeads = 2, kWidth = 5;
  const Packing packing({7, 1, 0, 12});
  const std::int64_t columns = kHeads * kWidth;
  for (const double rate : {0.0, 0.4}) {
    std::vector<at::Tensor> in, gradients;
    for (const std::uint64_t stream : {1, 2, 3}) {
      in.push_back(random({packing.tokens(), columns}, stream, at::kDouble) * 2);
      gradients.push_back(at::zeros_like(in.back()));
    }
    const at::Tensor out_gradient = test::random_tensor({packing.tokens(), columns}, 99);
    const at::Tensor out = at::zeros_like(in[0]);
    const auto on_cpu = [&](const auto& x) {
      return attention(at::cat({x[0], x[1], x[2]}, 1), kHeads, packing.offsets, packing.index, {rate, {77}});
    };

    for (std::size_t b = 0; b < packing.index.size(); ++b)
      for (std::int64_t h = 0; h < kHeads; ++h) {
        const auto part = [&](const at::Tensor& all) {
          return all.narrow(0, packing.offsets[b], packing.offsets[b + 1] - packing.offsets[b])
              .narrow(1, h * kWidth, kWidth);
        };
        const Head head{{part(in[0]), part(in[1]), part(in[2])},
                        static_cast<std::uint32_t>(packing.index[b]),
                        static_cast<std::uint32_t>(h),
                        rate};
        std::vector<double> log_sum;
        head.attend(part(out), log_sum);
        head.backward(part(out), part(out_gradient), log_sum,
                      {part(gradients[0]), part(gradients[1]), part(gradients[2])});
      }

    const auto expected = test::gradients_of(on_cpu, in);
    EXPECT_LT(test::relative_distance(out, on_cpu(in)), 1e-12) << rate;
    for (std::size_t n = 0; n < 3; ++n) EXPECT_LT(test::relative_distance(gradients[n], expected[n]), 1e-12) << n;
  }
}

}  // namespace
}  // namespace coterie::kernels::gpu
