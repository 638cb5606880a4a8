// Losses on learned routers, through whole steps: against formulas unit by unit, a unit being a token, a sentence or a
// part of a token, against autograd and finite differences.
#include "train/auxiliary_loss.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <map>

#include "base/error.h"
#include "experts/upcycling.h"
#include "tests/train/layouts.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kExperts = kDomains + 2;

// One of its sequences has no domain.
data::Batch some_batch() {
  data::Batch batch = batch_for(0, 1);
  batch.sequences.domain[4] = -1;
  batch.shares[0].domain[4] = -1;
  return batch;
}

// Units and sequences with a domain.
std::pair<std::int64_t, std::int64_t> of_known_domains(const std::vector<std::vector<std::int64_t>>& units,
                                                       const data::PackedSequences& sequences) {
  std::pair<std::int64_t, std::int64_t> known = {0, 0};
  for (std::size_t b = 0; b < units.size(); ++b) {
    if (sequences.domain[b] < 0) continue;
    known.first += static_cast<std::int64_t>(units[b].size());
    ++known.second;
  }
  return known;
}

// The units of each sequence, told by the router: where a sequence is one, where each of its tokens or parts is.
std::vector<std::vector<std::int64_t>> units_of(const experts::Scores& scores, const data::PackedSequences& sequences) {
  std::vector<std::vector<std::int64_t>> units(static_cast<std::size_t>(sequences.sequences()));
  for (std::int64_t u = 0; u < scores.logits_UE.size(0); ++u)
    units.at(static_cast<std::size_t>(scores.sequence_U[u].item<std::int64_t>())).push_back(u);
  return units;
}

// The four losses of one layer's logits, written as they are said, unit by unit.
std::array<at::Tensor, 4> plain_losses(const experts::Scores& scores, const data::PackedSequences& sequences,
                                       std::int64_t top_k) {
  const auto units = units_of(scores, sequences);
  const auto all = static_cast<double>(scores.logits_UE.size(0));
  const auto [known_units, known_sequences] = of_known_domains(units, sequences);
  std::vector<std::int64_t> assigned(kExperts, 0);
  std::vector<at::Tensor> mean(kExperts, at::zeros({}, at::kDouble));
  std::map<std::pair<std::int64_t, std::int64_t>, at::Tensor> mass;  // (domain, expert), of known domains
  at::Tensor z = at::zeros({}, at::kDouble);
  at::Tensor specified = at::zeros({}, at::kDouble);
  for (std::size_t b = 0; b < units.size(); ++b) {
    const std::int64_t domain = sequences.domain[b];
    at::Tensor sum_E = at::zeros({kExperts}, at::kDouble);
    for (const std::int64_t u : units[b]) {
      const at::Tensor logits_E = scores.logits_UE[u];
      const at::Tensor exp_E = logits_E.exp();
      z = z + exp_E.sum().log() * exp_E.sum().log() / all;
      sum_E = sum_E + logits_E;
      const at::Tensor best = std::get<1>(logits_E.detach().topk(top_k));
      for (std::int64_t k = 0; k < top_k; ++k) ++assigned[static_cast<std::size_t>(best[k].item<std::int64_t>())];
      for (std::int64_t e = 0; e < kExperts; ++e) {
        const at::Tensor p = exp_E[e] / exp_E.sum();
        auto& expert_mean = mean[static_cast<std::size_t>(e)];
        expert_mean = expert_mean + p / all;
        if (domain < 0) continue;
        auto& cell = mass.try_emplace({domain, e}, at::zeros({}, at::kDouble)).first->second;
        cell = cell + p / static_cast<double>(known_units);
      }
    }
    const at::Tensor average_E = sum_E / static_cast<double>(units[b].size());
    if (domain >= 0) specified = specified - average_E.log_softmax(0)[domain] / static_cast<double>(known_sequences);
  }
  at::Tensor balance = at::zeros({}, at::kDouble);
  for (std::size_t e = 0; e < kExperts; ++e)
    balance = balance + kExperts * static_cast<double>(assigned[e]) / (all * static_cast<double>(top_k)) * mean[e];
  at::Tensor information = at::zeros({}, at::kDouble);
  for (const auto& [place, p] : mass) {
    at::Tensor of_domain = at::zeros({}, at::kDouble);
    at::Tensor of_expert = at::zeros({}, at::kDouble);
    for (const auto& [other, q] : mass) {
      if (other.first == place.first) of_domain = of_domain + q;
      if (other.second == place.second) of_expert = of_expert + q;
    }
    information = information + p * (p / (of_domain * of_expert)).log();
  }
  return {balance, z, specified, -information};
}

class Auxiliary : public testing::TestWithParam<Variant> {
 protected:
  [[nodiscard]] std::int64_t top_k() const { return spec_.top_k; }

  [[nodiscard]] StepResult gradients(const AuxiliaryOptions& options, std::int64_t micro_batch_tokens = 0) const {
    TrainingStep step({.auxiliary = options}, {.warmup_steps = 0}, micro_batch_tokens, model_, mesh_);
    return step.gradients(batch_, mask_, noise_);
  }
  [[nodiscard]] std::map<std::string, at::Tensor> copy_of_gradients() const {
    std::map<std::string, at::Tensor> copies;
    for (const std::string& name : model_.parameters->names())
      copies[name] = model_.parameters->at(name).grad().clone();
    return copies;
  }
  // Gradients of the auxiliary losses alone: those of all losses without those of the contrastive one.
  [[nodiscard]] std::map<std::string, at::Tensor> auxiliary_gradients(std::int64_t micro_batch_tokens = 0) const {
    (void)gradients({});
    const auto contrastive = copy_of_gradients();
    (void)gradients(weights_, micro_batch_tokens);
    auto all = copy_of_gradients();
    for (auto& [name, gradient] : all) gradient -= contrastive.at(name);
    return all;
  }

  const dist::Mesh mesh_ = dist::Mesh::solo();
  const model::ModelSpec spec_ = GetParam().spec;
  const model::SentenceEncoder model_ =
      model::make_sentence_encoder(spec_, test::tiny_weights(spec_, 5, at::kDouble), mesh_, at::kDouble);
  const data::Batch batch_ = some_batch();
  const NegativeMask mask_{{std::vector<std::int64_t>(kPairs + 1, 0), {}}, {}, {}};
  const model::Noise noise_{0.1, 0.1, RandomKey{3}};
  const AuxiliaryOptions weights_{0.3, 0.2, 0.5, 0.7};
};

TEST_P(Auxiliary, losses_are_those_of_their_formulas) {
  experts::Plans plans;
  (void)model_.encoder->embed(batch_.sequences, noise_, plans);
  std::array<double, 4> expected{};
  for (const experts::RouterRecord& record : plans.records()) {
    const auto losses = plain_losses(record.scores, batch_.sequences, top_k());
    for (std::size_t i = 0; i < 4; ++i) expected[i] += losses[i].item<double>() / 2.0;
  }

  const AuxiliaryValues values = gradients(weights_).auxiliary;

  // Some thousand additions of numbers around one, in double.
  EXPECT_NEAR(values.load_balance, expected[0], 1e-12);
  EXPECT_NEAR(values.router_z, expected[1], 1e-11);
  EXPECT_NEAR(values.specified_expert, expected[2], 1e-12);
  EXPECT_NEAR(values.mutual_information, expected[3], 1e-12);
  EXPECT_NEAR(values.total, 0.3 * expected[0] + 0.2 * expected[1] + 0.5 * expected[2] + 0.7 * expected[3], 1e-11);
}

TEST_P(Auxiliary, gradients_are_those_of_autograd_through_the_whole_batch) {
  const auto got = auxiliary_gradients();
  model_.parameters->zero_gradients();
  experts::Plans plans;
  (void)model_.encoder->embed(batch_.sequences, noise_, plans);
  at::Tensor total = at::zeros({}, at::kDouble);
  for (const experts::RouterRecord& record : plans.records()) {
    const auto [balance, z, specified, information] = plain_losses(record.scores, batch_.sequences, top_k());
    total = total + (0.3 * balance + 0.2 * z + 0.5 * specified + 0.7 * information) / 2.0;
  }
  torch::autograd::backward({total}, {});

  for (const std::string& name : model_.parameters->names()) {
    const at::Tensor expected = model_.parameters->at(name).grad();
    // What is left of two gradients of the contrastive loss, each a sum of some thousand products in double.
    EXPECT_LE((got.at(name) - expected).abs().max().item<double>(), 1e-11) << name;
    const bool gate = name.find("router") != std::string::npos;
    EXPECT_GE(expected.abs().max().item<double>(), gate ? 1e-4 : 0.0) << name;
  }
}

TEST_P(Auxiliary, gradients_in_pieces_are_those_of_one_piece) {
  const auto expected = auxiliary_gradients();
  for (const std::int64_t tokens : {1, 20}) {
    const auto got = auxiliary_gradients(tokens);
    for (const auto& [name, gradient] : expected)
      EXPECT_LE((got.at(name) - gradient).abs().max().item<double>(), 1e-11) << name << ", " << tokens << " a piece";
  }
}

TEST_P(Auxiliary, units_are_what_the_router_decides_for) {
  experts::Plans plans;
  (void)model_.encoder->embed(batch_.sequences, noise_, plans);
  const std::int64_t tokens = batch_.sequences.offsets.back();
  const bool sentences =
      spec_.router == experts::RouterKind::switch_sentence || spec_.router == experts::RouterKind::top_k_sentence;

  for (const experts::RouterRecord& record : plans.records())
    EXPECT_EQ(record.scores.logits_UE.size(0), sentences ? batch_.sequences.sequences() : tokens * spec_.heads);
}

std::string name_of_variant(const testing::TestParamInfo<Variant>& info) { return info.param.name; }

using experts::RouterKind;

INSTANTIATE_TEST_SUITE_P(Routers, Auxiliary,
                         testing::Values(variant("top_1_token", RouterKind::top_k_token, kExperts),
                                         variant("top_2_token", RouterKind::top_k_token, kExperts, 2),
                                         variant("switch_sentence", RouterKind::switch_sentence, kExperts),
                                         variant("top_2_sentence", RouterKind::top_k_sentence, kExperts, 2),
                                         variant("multi_head_1", RouterKind::multi_head, kExperts),
                                         variant("multi_head_2", RouterKind::multi_head, kExperts, 2)),
                         name_of_variant);

// With two experts a unit: with one, the model itself holds a denominator constant.
class AuxiliaryDifferences : public Auxiliary {};

TEST_P(AuxiliaryDifferences, of_the_gates_are_their_gradients) {
  constexpr double kStep = 1e-5;
  const auto gradient = auxiliary_gradients();
  for (const std::int64_t layer : {0, 1}) {
    const std::string name = experts::gate_tensor(layer);
    const at::Tensor gate = model_.parameters->at(name).detach();
    for (std::int64_t k = 0; k < gate.numel(); ++k) {
      auto* value = gate.mutable_data_ptr<double>() + k;
      const double before = *value;
      *value = before + kStep;
      const double above = gradients(weights_).auxiliary.total;
      *value = before - kStep;
      const double below = gradients(weights_).auxiliary.total;
      *value = before;
      // h^2 of third derivatives of order ten, and the rounding 1e-15 / h of the two losses.
      EXPECT_NEAR(gradient.at(name).const_data_ptr<double>()[k], (above - below) / (2 * kStep), 1e-8) << name << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Routers, AuxiliaryDifferences,
                         testing::Values(variant("top_2_token", RouterKind::top_k_token, kExperts, 2),
                                         variant("top_2_sentence", RouterKind::top_k_sentence, kExperts, 2),
                                         variant("multi_head_2", RouterKind::multi_head, kExperts, 2)),
                         name_of_variant);

// Two sentences of 1 and 9 tokens, an expert each: the choices are even, whatever the tokens are.
TEST(AuxiliaryLoss, of_load_balance_counts_what_the_router_decides_for) {
  RouterSums sums;
  sums.probability_DE = at::tensor({1.5, 0.5, 0.0, 0.0}, at::kDouble).view({2, 2});
  sums.squared_log_sum = sums.cross_entropy = sums.labelled = at::zeros({}, at::kDouble);
  sums.assigned_DE = at::tensor({1.0, 9.0, 0.0, 0.0}, at::kDouble).view({2, 2});
  sums.chosen_E = at::ones({2}, at::kDouble);
  sums.units = at::full({}, 2.0, at::kDouble);

  const AuxiliaryLoss loss = auxiliary_loss({.load_balance = 1.0}, std::vector{sums});

  // 2 (1/2 3/4 + 1/2 1/4)
  EXPECT_DOUBLE_EQ(loss.values.load_balance, 1.0);
}

TEST(AuxiliaryLoss, of_layers_without_scores_is_a_bug) {
  EXPECT_THROW((void)auxiliary_loss({.load_balance = 0.1}, {}), ShapeError);
  EXPECT_NO_THROW((void)auxiliary_loss({}, {}));
}

}  // namespace
}  // namespace coterie::train
