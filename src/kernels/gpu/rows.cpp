// Dropout, LayerNorm and GELU on a GPU, as parts of a graph.
#include <ATen/Functions.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/launch.h"
#include "kernels/stored.h"

namespace coterie::kernels::gpu {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows whose parameter gradients one thread sums: fixed, as on the CPU.
constexpr std::int64_t kNormRows = 256;
constexpr std::int64_t kGeluRows = 128;

Stream stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

std::int64_t parts(std::int64_t rows, std::int64_t part_rows) { return (rows + part_rows - 1) / part_rows; }

/// What backward needs to draw the bits again.
struct Noise : torch::CustomClassHolder {
  simd::Drop drop;
  at::Tensor places_2T;

  Noise(double rate, RandomKey key, const TokenPlaces& places, const at::Tensor& tokens_TD) : drop(drop_of(rate, key)) {
    if (drop.limit == 0) return;
    places_2T = places.on_gpu_2T;
    COTERIE_CHECK(ShapeError, places_2T.defined() && places_2T.device() == tokens_TD.device(),
                  "dropout: the places must be on ", tokens_TD.device(), " like the tokens");
    COTERIE_CHECK(ShapeError, places_2T.size(1) == tokens_TD.size(0), "dropout: ", places_2T.size(1), " places for ",
                  tokens_TD.size(0), " tokens");
  }
  [[nodiscard]] simd::RowPlaces places() const {
    if (drop.limit == 0) return {};
    const auto* sequence = places_2T.const_data_ptr<std::int64_t>();
    return {sequence, sequence + places_2T.size(1)};
  }
};

at::Tensor dropped(const at::Tensor& tokens, const Noise& noise) {
  const at::Tensor tokens_TD = tokens.contiguous();
  const at::Tensor out_TD = at::empty_like(tokens_TD);
  with_stored(tokens_TD.scalar_type(), "dropout", [&](auto stored) {
    using Stored = decltype(stored);
    drop_rows(numbers<Stored>(tokens_TD), writable_numbers<Stored>(out_TD), tokens_TD.size(0), tokens_TD.size(1),
              noise.places(), noise.drop, stream());
  });
  return out_TD;
}

class Dropout : public torch::autograd::Function<Dropout> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& tokens_TD,
                            const c10::intrusive_ptr<Noise>& noise) {
    context->saved_data["noise"] = c10::IValue::make_capsule(noise);
    return dropped(tokens_TD, *noise);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto holder = context->saved_data["noise"].toCapsule();
    return {dropped(gradients[0], static_cast<const Noise&>(*holder)), at::Tensor()};
  }
};

class Norm : public torch::autograd::Function<Norm> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& tokens, const at::Tensor& residual,
                            const at::Tensor& weight_D, const at::Tensor& bias_D, double epsilon,
                            const c10::intrusive_ptr<Noise>& noise) {
    const at::Tensor tokens_TD = tokens.contiguous();
    const at::Tensor residual_TD = residual.contiguous();
    const at::Tensor out_TD = at::empty_like(tokens_TD);
    const at::Tensor normal_TD = at::empty_like(tokens_TD);
    const at::Tensor inverse_T = at::empty({tokens_TD.size(0)}, weight_D.options().requires_grad(false));
    with_stored(tokens_TD.scalar_type(), "norm", [&](auto stored) {
      using Stored = decltype(stored);
      using Scalar = Compute<Stored>;
      norm(simd::NormRows<Stored>{.tokens = numbers<Stored>(tokens_TD),
                                  .residual = numbers<Stored>(residual_TD),
                                  .weight = numbers<Scalar>(weight_D),
                                  .bias = numbers<Scalar>(bias_D),
                                  .rows = tokens_TD.size(0),
                                  .width = tokens_TD.size(1),
                                  .epsilon = epsilon,
                                  .places = noise->places(),
                                  .drop = noise->drop,
                                  .out = writable_numbers<Stored>(out_TD),
                                  .normal = writable_numbers<Stored>(normal_TD),
                                  .inverse = writable_numbers<Scalar>(inverse_T)},
           stream());
    });
    context->save_for_backward({normal_TD, inverse_T, weight_D});
    context->saved_data["noise"] = c10::IValue::make_capsule(noise);
    return out_TD;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto holder = context->saved_data["noise"].toCapsule();
    const auto& noise = static_cast<const Noise&>(*holder);
    const at::Tensor gradient_TD = gradients[0].contiguous();
    const std::int64_t rows = gradient_TD.size(0);
    const std::int64_t width = gradient_TD.size(1);
    const bool drops = noise.drop.limit != 0;
    const at::Tensor residual_TD = at::empty_like(gradient_TD);
    const at::Tensor tokens_TD = drops ? at::empty_like(gradient_TD) : residual_TD;
    const at::Tensor sums_P2D = at::empty({parts(rows, kNormRows), 2, width}, saved[1].options());
    with_stored(gradient_TD.scalar_type(), "norm", [&](auto stored) {
      using Stored = decltype(stored);
      using Scalar = Compute<Stored>;
      Scalar* const sums = writable_numbers<Scalar>(sums_P2D);
      norm_backward(simd::NormGradientRows<Stored>{.gradient = numbers<Stored>(gradient_TD),
                                                   .normal = numbers<Stored>(saved[0]),
                                                   .inverse = numbers<Scalar>(saved[1]),
                                                   .weight = numbers<Scalar>(saved[2]),
                                                   .rows = rows,
                                                   .width = width,
                                                   .places = noise.places(),
                                                   .drop = noise.drop,
                                                   .tokens = drops ? writable_numbers<Stored>(tokens_TD) : nullptr,
                                                   .residual = writable_numbers<Stored>(residual_TD),
                                                   .weight_gradient = sums,
                                                   .bias_gradient = sums + width},
                    kNormRows, stream());
    });
    const at::Tensor sums_2D = sums_P2D.sum(0);
    return {tokens_TD, residual_TD, sums_2D[0], sums_2D[1], at::Tensor(), at::Tensor()};
  }
};

// Calls use(Stored{}, rows) for float or bf16.
template <class Use>
void with_rows(const at::Tensor& values_RF, const at::Tensor& bias_F, const Use& use) {
  const auto call = [&](auto stored) {
    using Stored = decltype(stored);
    use(stored,
        GeluRows<Stored>{numbers<Stored>(values_RF), numbers<float>(bias_F), values_RF.size(0), values_RF.size(1)});
  };
  if (values_RF.scalar_type() == at::kFloat)
    call(float{});
  else
    call(BFloat{});
}

}  // namespace

at::Tensor dropout(const at::Tensor& tokens_TD, double rate, RandomKey key, const TokenPlaces& places) {
  return Dropout::apply(tokens_TD, c10::make_intrusive<Noise>(rate, key, places, tokens_TD));
}

at::Tensor dropout_residual_norm(const at::Tensor& tokens_TD, const at::Tensor& residual_TD, const NormParameters& norm,
                                 double rate, RandomKey key, const TokenPlaces& places) {
  return Norm::apply(tokens_TD, residual_TD, norm.weight_D, norm.bias_D, norm.epsilon,
                     c10::make_intrusive<Noise>(rate, key, places, tokens_TD));
}

at::Tensor gelu(const at::Tensor& values, const at::Tensor& bias_F) {
  const at::Tensor values_RF = values.contiguous();
  at::Tensor out_RF = at::empty_like(values_RF);
  with_rows(values_RF, bias_F,
            [&](auto stored, const auto& all) { gelu(all, writable_numbers<decltype(stored)>(out_RF), stream()); });
  return out_RF;
}

ActivationGradient gelu_backward(const at::Tensor& gradient, const at::Tensor& values, const at::Tensor& bias_F) {
  const at::Tensor gradient_RF = gradient.contiguous();
  const at::Tensor values_RF = values.contiguous();
  ActivationGradient result{at::empty_like(values_RF), {}, at::empty_like(values_RF)};
  const at::Tensor sums_PF =
      at::empty({parts(values_RF.size(0), kGeluRows), values_RF.size(1)}, bias_F.options().requires_grad(false));
  with_rows(values_RF, bias_F, [&](auto stored, const auto& all) {
    using Stored = decltype(stored);
    const GeluGradient<Stored> to{numbers<Stored>(gradient_RF), writable_numbers<Stored>(result.values_RF),
                                  writable_numbers<Stored>(result.out_RF)};
    gelu_backward(all, to, kGeluRows, writable_numbers<float>(sums_PF), stream());
  });
  result.bias_F = sums_PF.sum(0);
  return result;
}

}  // namespace coterie::kernels::gpu
