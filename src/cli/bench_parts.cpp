// coterie bench attention, layer and dispatch: the parts of a step, on inputs made from nothing.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "cli/bench.h"
#include "cli/ranks.h"
#include "dist/solo_group.h"
#include "experts/enforced_router.h"
#include "experts/moe_layer.h"
#include "kernels/attention.h"
#include "model/sentence_encoder.h"

namespace coterie::cli {
namespace {

constexpr std::int64_t kTokens = 8192;
constexpr int kRepetitions = 9;

/// Sequences of one length, in turn of every domain.
struct Sequences {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int64_t> index;
  std::vector<std::int32_t> domain;

  Sequences(std::int64_t length, std::int64_t domains) {
    while (offsets.back() + length <= kTokens) {
      domain.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(index.size()) % domains));
      index.push_back(static_cast<std::int64_t>(index.size()));
      offsets.push_back(offsets.back() + length);
    }
  }
  [[nodiscard]] std::int64_t tokens() const { return offsets.back(); }
};

std::int64_t length_of(const train::RunOptions& options, const model::ModelSpec& spec) {
  return options.model.max_length > 0 ? options.model.max_length : spec.max_length;
}

kernels::Operand operand(std::vector<std::int64_t> shape, at::ScalarType product, const dist::Device& device) {
  const at::Tensor leaf = (at::randn(shape) * 0.02).to(device.place()).requires_grad_();
  return {leaf, product == at::kFloat ? leaf : leaf.detach().to(product)};
}

experts::Mlp random_mlp(const model::BertConfig& bert, at::ScalarType product, const dist::Device& device) {
  const auto make = [&](std::vector<std::int64_t> shape) { return operand(std::move(shape), product, device); };
  return {make({bert.intermediate_size, bert.hidden_size}), make({bert.intermediate_size}),
          make({bert.hidden_size, bert.intermediate_size}), make({bert.hidden_size})};
}

// Forward and backward, as training runs it.
template <class Forward>
Timing measure_both(const at::Tensor& input, const Forward& forward) {
  at::Tensor gradient;
  return measure(kRepetitions, [&] {
    const at::Tensor leaf = input.detach().requires_grad_();
    const at::Tensor out = forward(leaf);
    if (!gradient.defined()) gradient = at::ones_like(out);
    torch::autograd::backward({out}, {gradient});
  });
}

/// A layer's parts on the ranks of the expert group.
struct LayerParts {
  model::ModelSpec spec;
  at::ScalarType product;
  std::int64_t experts;
  Sequences sequences;
  std::int64_t local;
  int expert_ranks;
  dist::Device device;

  LayerParts(const train::RunOptions& options, const dist::Mesh& mesh)
      : spec(model::ModelSource::open(options.model).spec),
        product(model::dtypes_of(options.model.precision).product),
        experts(options.experts.count > 0 ? options.experts.count : 4),
        sequences(length_of(options, spec), experts),
        local(mesh.shape().local_experts(experts)),
        expert_ranks(mesh.shape().expert_size()),
        device(mesh.device()) {}

  [[nodiscard]] at::Tensor tokens() const {
    return at::randn({sequences.tokens(), spec.bert.hidden_size}).to(device.place(), product);
  }
  /// All ranks have the same sequences, and know it.
  [[nodiscard]] experts::BatchLayout layout() const {
    experts::BatchLayout layout{sequences.offsets, sequences.domain, sequences.index};
    layout.peers.assign(static_cast<std::size_t>(expert_ranks), layout);
    return layout;
  }
};

}  // namespace

Exit bench_attention(const std::string& file, const CommandLine& line) {
  const train::RunOptions options = configure(file, line).options;
  expect_measurable(options);
  expect_json_writable(options.json);
  const model::ModelSpec spec = model::ModelSource::open(options.model).spec;
  const at::ScalarType product = model::dtypes_of(options.model.precision).product;
  const Sequences sequences(length_of(options, spec), 1);
  const std::int64_t width = spec.bert.hidden_size;
  const auto alone = dist::make_solo_group();
  const dist::Device device = dist::choose_device(options.device, options.dist, *alone, *alone);
  const at::Tensor projections_T3D = at::randn({sequences.tokens(), 3 * width}).to(device.place(), product);
  // Two products forward, five backward, of 2 T N D each.
  const double gflop = 2e-9 * static_cast<double>(sequences.tokens() * length_of(options, spec) * width);
  nlohmann::ordered_json json = {{"tokens", sequences.tokens()},
                                 {"length", length_of(options, spec)},
                                 {"heads", spec.bert.heads},
                                 {"gemm_gflop_per_s", gemm_gflop_per_s(spec.bert, product, device)},
                                 {"device", device.name()}};
  for (const double rate : {0.0, 0.1}) {
    const kernels::AttentionDropout dropout{rate, RandomKey{1}};
    const auto attend = [&](const at::Tensor& projections) {
      return kernels::attention(projections, spec.bert.heads, sequences.offsets, sequences.index, dropout);
    };
    const std::string suffix = rate > 0 ? "_with_dropout" : "";
    const Timing forward = measure(kRepetitions, [&] {
      const c10::InferenceMode inference;
      (void)attend(projections_T3D);
    });
    const Timing both = measure_both(projections_T3D, attend);
    add(json, "forward" + suffix, forward);
    add(json, "forward_and_backward" + suffix, both);
    json["gflop_per_s" + suffix] = 7.0 * gflop / (both.median_ms * 1e-3);
  }
  show(options, json);
  return Exit::ok;
}

Exit bench_layer(const std::string& file, const CommandLine& line, int& argc, char**& argv) {
  const RanksOfBench ranks(file, line, argc, argv);
  const train::RunOptions& options = ranks.options;
  const dist::Mesh& mesh = ranks.mesh;
  const LayerParts parts(options, mesh);
  std::vector<experts::Mlp> mlps;
  for (std::int64_t e = 0; e < parts.local; ++e)
    mlps.push_back(random_mlp(parts.spec.bert, parts.product, parts.device));
  const experts::Mlp dense = mlps.front();
  const experts::ExpertFfn ffn(mlps, parts.spec.bert.activation);
  const experts::Dispatcher dispatcher(mesh.expert_group(), parts.experts);
  const auto router = std::make_shared<experts::EnforcedRouter>(experts::Enforced::domain, parts.experts);
  const experts::MoeLayer layer({router, dispatcher, ffn});
  const at::Tensor tokens_TD = parts.tokens();
  const experts::Plan plan =
      dispatcher.plan(router->route(tokens_TD, parts.layout(), {}, nullptr).choice, tokens_TD.size(0))
          .on(tokens_TD.device());
  const at::Tensor rows_RD = dispatcher.dispatch(tokens_TD, plan);

  const Timing bare =
      measure_both(rows_RD, [&](const at::Tensor& rows) { return ffn.forward(rows, plan.rows_per_expert); });
  const Timing whole = measure_both(tokens_TD, [&](const at::Tensor& tokens) {
    experts::Plans plans;
    return layer.forward(tokens, parts.layout(), {}, plans);
  });
  const Timing mlp = measure_both(
      tokens_TD, [&](const at::Tensor& tokens) { return dense.forward(tokens, parts.spec.bert.activation); });
  if (mesh.world().rank() != 0) return Exit::ok;
  nlohmann::ordered_json json = {{"ranks", mesh.world().size()},
                                 {"device", mesh.device().name()},
                                 {"experts", parts.experts},
                                 {"tokens_per_rank", tokens_TD.size(0)},
                                 {"rows_here", rows_RD.size(0)}};
  add(json, "bare_experts", bare);
  add(json, "layer", whole);
  add(json, "dense_mlp", mlp);
  json["bare_experts_over_layer"] = bare.median_ms / whole.median_ms;
  json["layer_over_dense_mlp"] = whole.median_ms / mlp.median_ms;
  show(options, json);
  return Exit::ok;
}

Exit bench_dispatch(const std::string& file, const CommandLine& line, int& argc, char**& argv) {
  const RanksOfBench ranks(file, line, argc, argv);
  const train::RunOptions& options = ranks.options;
  const dist::Mesh& mesh = ranks.mesh;
  const LayerParts parts(options, mesh);
  const experts::Dispatcher dispatcher(mesh.expert_group(), parts.experts);
  const experts::EnforcedRouter router(experts::Enforced::domain, parts.experts);
  const at::Tensor tokens_TD = parts.tokens();
  const c10::InferenceMode inference;
  const auto make_plan = [&] {
    return dispatcher.plan(router.route(tokens_TD, parts.layout(), {}, nullptr).choice, tokens_TD.size(0))
        .on(tokens_TD.device());
  };
  const experts::Plan plan = make_plan();

  const Timing planned = measure(kRepetitions, [&] { (void)make_plan(); });
  const Timing moved =
      measure(kRepetitions, [&] { (void)dispatcher.combine(dispatcher.dispatch(tokens_TD, plan), plan, {}); });
  std::int64_t leaving = 0;
  for (int r = 0; r < mesh.expert_group().size(); ++r)
    if (r != mesh.expert_group().rank())
      leaving += plan.send[static_cast<std::size_t>(r)] + plan.receive[static_cast<std::size_t>(r)];
  const double bytes = static_cast<double>(leaving) * static_cast<double>(tokens_TD.size(1) * tokens_TD.element_size());
  if (mesh.world().rank() != 0) return Exit::ok;
  nlohmann::ordered_json json = {{"ranks", mesh.world().size()},
                                 {"device", mesh.device().name()},
                                 {"experts", parts.experts},
                                 {"tokens_per_rank", tokens_TD.size(0)}};
  add(json, "plan", planned);
  add(json, "there_and_back", moved);
  json["sent_mb"] = bytes * 1e-6;
  json["sent_gb_per_s"] = bytes * 1e-6 / moved.median_ms;
  show(options, json);
  return Exit::ok;
}

}  // namespace coterie::cli
