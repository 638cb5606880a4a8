#include "train/training_step.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/stopwatch.h"
#include "kernels/pooling.h"
#include "kernels/square_sum.h"
#include "train/loss_stage.h"
#include "train/micro_batches.h"
#include "train/router_balance.h"

namespace coterie::train {
namespace {

dist::Reducer make_reducer(const kernels::ParameterStore& store, const dist::Mesh& mesh) {
  std::vector<dist::SharedGradient> gradients;
  for (const kernels::Segment& segment : store.segments())
    gradients.push_back(
        {segment.gradients, segment.kind.sharing == kernels::Sharing::expert ? &mesh.data_group() : &mesh.world()});
  return dist::Reducer(std::move(gradients));
}

}  // namespace

std::vector<kernels::Declaration> loss_parameters(const LossOptions& options) {
  if (!options.learn_scale) return {};
  return {{kLogScale,
           at::full({1}, std::log(options.scale), at::kDouble),
           {kernels::Sharing::replicated, kernels::Decay::no, kernels::Rate::temperature}}};
}

TrainingStep::TrainingStep(const LossOptions& loss, const OptimOptions& optim, std::int64_t micro_batch_tokens,
                           const model::SentenceEncoder& model, const dist::Mesh& mesh)
    : loss_(loss),
      batch_loss_(loss, model.spec.bert.hidden_size),
      optim_(optim),
      micro_batch_tokens_(micro_batch_tokens),
      model_(model),
      mesh_(mesh),
      reducer_(make_reducer(*model.parameters, mesh)),
      optimizer_({optim.beta1, optim.beta2, optim.epsilon, optim.weight_decay}, *model.parameters) {}

double TrainingStep::scale() const {
  if (!loss_.learn_scale) return loss_.scale;
  return std::exp(model_.parameters->at(kLogScale).item().toDouble());
}

void TrainingStep::read(const at::Tensor& loss, StepResult& result) const {
  const std::vector<kernels::Segment>& segments = model_.parameters->segments();
  std::vector<at::Tensor> numbers{loss};
  for (const kernels::Segment& segment : segments) numbers.push_back(kernels::square_sum(segment.gradients));
  const at::Tensor read = at::stack(numbers).cpu();
  const auto* number = read.const_data_ptr<double>();
  result.loss = *number++;
  double replicated = 0.0;
  double experts = 0.0;
  for (const kernels::Segment& segment : segments)
    (segment.kind.sharing == kernels::Sharing::expert ? experts : replicated) += *number++;
  // Every rank of the expert axis holds other experts: their sum counts each once.
  at::Tensor sum = at::full({1}, experts, at::kDouble);
  mesh_.expert_group().all_reduce(sum);
  result.gradient_norm = std::sqrt(replicated + sum.item<double>());
  if (const double total = result.loss + result.auxiliary.total; !std::isfinite(total))
    throw NonFiniteError(str("train: loss must be finite, got ", total));
  if (!std::isfinite(result.gradient_norm))
    throw NonFiniteError(str("train: gradient norm must be finite, got ", result.gradient_norm));
}

void TrainingStep::clamp_scale() const {
  if (!loss_.learn_scale) return;
  const c10::NoGradGuard no_grad;
  const double limit = std::log(loss_.scale_max);
  at::Tensor log_scale = model_.parameters->at(kLogScale);
  log_scale.clamp_(-limit, limit);
}

at::Tensor TrainingStep::embed(const data::PackedSequences& sequences, const model::Noise& noise,
                               experts::Plans& plans) const {
  const at::Tensor embeddings_BD = model_.encoder->embed(sequences, noise, plans);
  return loss_.similarity == Similarity::cosine ? kernels::normalize_rows(embeddings_BD) : embeddings_BD;
}

StepResult TrainingStep::gradients(const data::Batch& batch, const NegativeMask& mask, const model::Noise& noise) {
  Stopwatch watch;
  model_.parameters->zero_gradients();
  const auto pieces = micro_batches(batch, micro_batch_tokens_, mesh_.shape());
  // The last piece keeps its graph: the first to go backwards, it is embedded only once.
  const std::size_t last = pieces.size() - 1;
  std::vector<experts::Plans> plans(pieces.size());
  RouterStage routers(loss_.auxiliary, batch.global.domains, model_.spec);
  std::vector<at::Tensor> rows;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const at::AutoGradMode graph(i == last);
    rows.push_back(embed(pieces[i], noise, plans[i]));
    routers.add(pieces[i], plans[i]);
  }
  routers.reduce(mesh_.world());
  const at::Tensor embeddings_BD = at::cat(rows).detach();
  StepResult result;
  result.scale = scale();
  result.times.forward_ms = watch.lap_ms();
  const LossResult loss = loss_stage(mesh_.world(), batch_loss_, embeddings_BD, batch, result.scale, mask);
  result.auxiliary = routers.values();
  result.routers = routers.sums();
  result.times.loss_ms = watch.lap_ms();
  std::int64_t first = embeddings_BD.size(0);
  for (std::size_t i = pieces.size(); i-- > 0;) {
    const std::int64_t count = pieces[i].sequences();
    first -= count;
    Roots roots{{i == last ? std::exchange(rows[last], {}) : embed(pieces[i], noise, plans[i])},
                {loss.gradient.narrow(0, first, count)}};
    routers.append(pieces[i], plans[i], roots);
    torch::autograd::backward(roots.tensors, roots.gradients);
    plans.pop_back();  // records of its routers go with their graph
  }
  // d loss / d log s = s d loss / d s
  if (loss_.learn_scale) model_.parameters->at(kLogScale).mutable_grad().add_(loss.gradient_scale * result.scale);
  result.times.backward_ms = watch.lap_ms();
  reducer_.reduce();
  read(loss.loss, result);
  result.times.reduce_ms = watch.lap_ms();
  return result;
}

StepResult TrainingStep::run(const data::Batch& batch, const NegativeMask& mask, const model::Noise& noise,
                             double factor) {
  StepResult result = gradients(batch, mask, noise);
  Stopwatch watch;
  const double divisor = std::max(1.0, result.gradient_norm / optim_.clip_norm);
  optimizer_.step(*model_.parameters,
                  {.encoder = factor * optim_.lr,
                   .temperature = factor * loss_.scale_lr,
                   .head = factor * optim_.head_lr,
                   .gate = factor * optim_.lr * optim_.gate_lr_factor},
                  divisor);
  update_balance(model_, result.routers, optim_.router_balance_rate);
  clamp_scale();
  result.times.update_ms = watch.lap_ms();
  return result;
}

}  // namespace coterie::train
