#include "kernels/fused_norm.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "kernels/gpu/kernels.h"
#include "kernels/stored.h"

namespace coterie::kernels {
namespace {

/// Rows whose parameter gradients are summed by one thread: fixed, so that the sums do not depend on the threads.
constexpr std::int64_t kSumRows = 256;

/// What the backward pass needs besides tensors.
struct Noise : torch::CustomClassHolder {
  simd::Drop drop;
  TokenPlaces places;

  [[nodiscard]] simd::RowPlaces from(std::int64_t row) const {
    if (drop.limit == 0) return {};
    return {places.sequence.data() + row, places.token.data() + row};
  }
};

class DropoutResidualNorm : public torch::autograd::Function<DropoutResidualNorm> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& tokens,
                            const at::Tensor& residual, const at::Tensor& weight_D, const at::Tensor& bias_D,
                            double epsilon, const c10::intrusive_ptr<Noise>& noise) {
    const at::Tensor tokens_TD = tokens.contiguous();
    const at::Tensor residual_TD = residual.contiguous();
    const at::Tensor out_TD = at::empty(tokens_TD.sizes(), tokens_TD.options());
    const at::Tensor normal_TD = at::empty(tokens_TD.sizes(), tokens_TD.options());
    const at::Tensor inverse_T = at::empty({tokens_TD.size(0)}, weight_D.options().requires_grad(false));
    const std::int64_t width = tokens_TD.size(1);
    with_stored(tokens_TD.scalar_type(), "norm", [&](auto stored) {
      using Stored = decltype(stored);
      using Scalar = simd::Compute<Stored>;
      at::parallel_for(0, tokens_TD.size(0), 32, [&](std::int64_t first, std::int64_t last) {
        std::vector<Scalar> row(static_cast<std::size_t>(width) + simd::kWidestVector);
        loops<Stored>().norm({.tokens = numbers<Stored>(tokens_TD) + first * width,
                              .residual = numbers<Stored>(residual_TD) + first * width,
                              .weight = numbers<Scalar>(weight_D),
                              .bias = numbers<Scalar>(bias_D),
                              .rows = last - first,
                              .width = width,
                              .epsilon = epsilon,
                              .places = noise->from(first),
                              .drop = noise->drop,
                              .out = writable_numbers<Stored>(out_TD) + first * width,
                              .normal = writable_numbers<Stored>(normal_TD) + first * width,
                              .inverse = writable_numbers<Scalar>(inverse_T) + first,
                              .row = row.data()});
      });
    });
    context->save_for_backward({normal_TD, inverse_T, weight_D});
    context->saved_data["noise"] = c10::IValue::make_capsule(noise);
    return out_TD;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto holder = context->saved_data["noise"].toCapsule();
    const auto& noise = static_cast<const Noise&>(*holder);
    const at::Tensor gradient_TD = gradients[0].contiguous();
    const std::int64_t rows = gradient_TD.size(0);
    const std::int64_t width = gradient_TD.size(1);
    const bool drops = noise.drop.limit != 0;
    const at::Tensor residual_TD = at::empty(gradient_TD.sizes(), gradient_TD.options());
    const at::Tensor tokens_TD = drops ? at::empty(gradient_TD.sizes(), gradient_TD.options()) : residual_TD;
    const std::int64_t parts = (rows + kSumRows - 1) / kSumRows;
    const at::Tensor sums_P2D = at::zeros({parts, 2, width}, saved[1].options());
    with_stored(gradient_TD.scalar_type(), "norm", [&](auto stored) {
      using Stored = decltype(stored);
      using Scalar = simd::Compute<Stored>;
      at::parallel_for(0, parts, 1, [&](std::int64_t first_part, std::int64_t last_part) {
        for (std::int64_t p = first_part; p < last_part; ++p) {
          const std::int64_t first = p * kSumRows;
          Scalar* const sums = writable_numbers<Scalar>(sums_P2D) + p * 2 * width;
          loops<Stored>().norm_backward(
              {.gradient = numbers<Stored>(gradient_TD) + first * width,
               .normal = numbers<Stored>(saved[0]) + first * width,
               .inverse = numbers<Scalar>(saved[1]) + first,
               .weight = numbers<Scalar>(saved[2]),
               .rows = std::min(kSumRows, rows - first),
               .width = width,
               .places = noise.from(first),
               .drop = noise.drop,
               .tokens = drops ? writable_numbers<Stored>(tokens_TD) + first * width : nullptr,
               .residual = writable_numbers<Stored>(residual_TD) + first * width,
               .weight_gradient = sums,
               .bias_gradient = sums + width});
        }
      });
    });
    const at::Tensor sums_2D = sums_P2D.sum(0);
    return {tokens_TD, residual_TD, sums_2D[0], sums_2D[1], at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor dropout_residual_norm(const at::Tensor& tokens_TD, const at::Tensor& residual_TD, const NormParameters& norm,
                                 double rate, RandomKey key, const TokenPlaces& places) {
  COTERIE_CHECK(ShapeError, tokens_TD.dim() == 2 && tokens_TD.sizes() == residual_TD.sizes(),
                "norm: tokens and residual must be [T, D], got ", tokens_TD.sizes(), " and ", residual_TD.sizes());
  COTERIE_CHECK(ShapeError, norm.weight_D.numel() == tokens_TD.size(1) && norm.bias_D.numel() == tokens_TD.size(1),
                "norm: weight and bias must have ", tokens_TD.size(1), " elements, got ", norm.weight_D.numel(),
                " and ", norm.bias_D.numel());
  COTERIE_CHECK(ShapeError, norm.weight_D.scalar_type() == compute_dtype(tokens_TD.scalar_type()),
                "norm: parameters for ", tokens_TD.scalar_type(), " must be ", compute_dtype(tokens_TD.scalar_type()),
                ", got ", norm.weight_D.scalar_type());
  if (tokens_TD.is_cuda()) return gpu::dropout_residual_norm(tokens_TD, residual_TD, norm, rate, key, places);
  auto noise = c10::make_intrusive<Noise>();
  noise->drop = drop_of(rate, key);
  if (noise->drop.limit != 0) {
    check_places(places, tokens_TD.size(0));
    noise->places = places;
  }
  return DropoutResidualNorm::apply(tokens_TD, residual_TD, norm.weight_D, norm.bias_D, norm.epsilon, noise);
}

}  // namespace coterie::kernels
