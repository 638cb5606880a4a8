#include "train/batch_loss.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <charconv>

#include "base/error.h"
#include "kernels/pooling.h"

namespace coterie::train {
namespace {

// The number that an entry of the list `key` spells.
template <class Number>
Number number_of(const std::string& text, const char* key) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || stop != end)
    throw ConfigError(str("config: ", key, " must be a list of numbers, got '", text, "'"));
  return value;
}

std::vector<Truncation> truncations_of(const LossOptions& options, std::int64_t width) {
  const std::size_t weights = options.matryoshka_weights.size();
  if (weights != 0 && weights != options.matryoshka_dims.size())
    throw ConfigError(str("config: loss.matryoshka_weights must be none or one for each of loss.matryoshka_dims (",
                          options.matryoshka_dims.size(), "), got ", weights));
  if (options.matryoshka_dims.empty()) return {{width, 1.0}};
  std::vector<Truncation> truncations;
  for (std::size_t i = 0; i < options.matryoshka_dims.size(); ++i) {
    const auto dims = number_of<std::int64_t>(options.matryoshka_dims[i], "loss.matryoshka_dims");
    const std::int64_t before = truncations.empty() ? 0 : truncations.back().dims;
    if (dims <= before || dims > width)
      throw ConfigError(
          str("config: loss.matryoshka_dims must ascend within 1..", width, " (the embedding width), got ", dims));
    const double weight =
        weights == 0 ? 1.0 : number_of<double>(options.matryoshka_weights[i], "loss.matryoshka_weights");
    if (!(weight > 0.0))
      throw ConfigError(str("config: loss.matryoshka_weights must be above 0, got ", options.matryoshka_weights[i]));
    truncations.push_back({dims, weight});
  }
  return truncations;
}

// The gradient with respect to x of what has the gradient g with respect to x / |x|.
at::Tensor through_normalization(const at::Tensor& x_BD, const at::Tensor& g_BD) {
  const at::Tensor norm_B1 = x_BD.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
  const at::Tensor unit_BD = x_BD / norm_B1;
  return (g_BD - unit_BD * (unit_BD * g_BD).sum({1}, /*keepdim=*/true)) / norm_B1;
}

}  // namespace

BatchLoss::BatchLoss(const LossOptions& options, std::int64_t width)
    : kind_(options.kind),
      similarity_(options.similarity),
      width_(width),
      truncations_(truncations_of(options, width)) {}

LossShare BatchLoss::share(const Embeddings& batch, const std::vector<std::int64_t>& positions, double scale,
                           const NegativeMask& mask) const {
  const c10::NoGradGuard no_grad;
  const auto number = batch.a.options().dtype(at::kDouble);
  const LossShare sum{at::zeros({}, number),
                      {at::zeros_like(batch.a), at::zeros_like(batch.b), at::zeros_like(batch.negatives)},
                      at::zeros({}, number)};
  for (const Truncation& truncation : truncations_) {
    // Whole embeddings are normalised already.
    const bool renormalize = similarity_ == Similarity::cosine && truncation.dims < width_;
    const auto cut = [&](const at::Tensor& x) { return x.narrow(1, 0, truncation.dims); };
    const auto ready = [&](const at::Tensor& x) { return renormalize ? kernels::normalize_rows(cut(x)) : cut(x); };
    const LossShare part =
        contrastive_loss(kind_, {ready(batch.a), ready(batch.b), ready(batch.negatives)}, positions, scale, mask);
    const auto add = [&](const at::Tensor& into, const at::Tensor& gradient, const at::Tensor& x) {
      cut(into).add_(renormalize ? through_normalization(cut(x), gradient) : gradient, truncation.weight);
    };
    sum.loss.add_(part.loss, truncation.weight);
    sum.gradient_scale.add_(part.gradient_scale, truncation.weight);
    add(sum.gradient.a, part.gradient.a, batch.a);
    add(sum.gradient.b, part.gradient.b, batch.b);
    add(sum.gradient.negatives, part.gradient.negatives, batch.negatives);
  }
  return sum;
}

}  // namespace coterie::train
