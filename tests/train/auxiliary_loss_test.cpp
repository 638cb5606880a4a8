// Losses on learned routers and how sure these are, through whole steps: against formulas unit by unit, a unit being a
// token, a sentence or a part of a token, against autograd and finite differences.
#include "train/auxiliary_loss.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <map>

#include "base/error.h"
#include "experts/upcycling.h"
#include "tests/train/layouts.h"
#include "train/router_report.h"

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

// The four losses of one layer's logits, written as they are said, unit by unit. Where there is not an expert for each
// domain, none can be specified.
std::array<at::Tensor, 4> plain_losses(const experts::Scores& scores, const data::PackedSequences& sequences,
                                       std::int64_t top_k) {
  const auto units = units_of(scores, sequences);
  const std::int64_t experts = scores.logits_UE.size(1);
  const auto all = static_cast<double>(scores.logits_UE.size(0));
  const auto [known_units, known_sequences] = of_known_domains(units, sequences);
  std::vector<std::int64_t> assigned(static_cast<std::size_t>(experts), 0);
  std::vector<at::Tensor> mean(static_cast<std::size_t>(experts), at::zeros({}, at::kDouble));
  std::map<std::pair<std::int64_t, std::int64_t>, at::Tensor> mass;  // (domain, expert), of known domains
  at::Tensor z = at::zeros({}, at::kDouble);
  at::Tensor specified = at::zeros({}, at::kDouble);
  for (std::size_t b = 0; b < units.size(); ++b) {
    const std::int64_t domain = sequences.domain[b];
    at::Tensor sum_E = at::zeros({experts}, at::kDouble);
    for (const std::int64_t u : units[b]) {
      const at::Tensor logits_E = scores.logits_UE[u];
      const at::Tensor exp_E = logits_E.exp();
      z = z + exp_E.sum().log() * exp_E.sum().log() / all;
      sum_E = sum_E + logits_E;
      const at::Tensor best = std::get<1>(logits_E.detach().topk(top_k));
      for (std::int64_t k = 0; k < top_k; ++k) ++assigned[static_cast<std::size_t>(best[k].item<std::int64_t>())];
      for (std::int64_t e = 0; e < experts; ++e) {
        const at::Tensor p = exp_E[e] / exp_E.sum();
        auto& expert_mean = mean[static_cast<std::size_t>(e)];
        expert_mean = expert_mean + p / all;
        if (domain < 0) continue;
        auto& cell = mass.try_emplace({domain, e}, at::zeros({}, at::kDouble)).first->second;
        cell = cell + p / static_cast<double>(known_units);
      }
    }
    const at::Tensor average_E = sum_E / static_cast<double>(units[b].size());
    if (domain >= 0 && experts >= kDomains)
      specified = specified - average_E.log_softmax(0)[domain] / static_cast<double>(known_sequences);
  }
  at::Tensor balance = at::zeros({}, at::kDouble);
  for (std::size_t e = 0; e < assigned.size(); ++e)
    balance = balance + static_cast<double>(experts * assigned[e]) / (all * static_cast<double>(top_k)) * mean[e];
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
  [[nodiscard]] std::map<std::string, at::Tensor> auxiliary_gradients(const AuxiliaryOptions& options,
                                                                      std::int64_t micro_batch_tokens = 0) const {
    (void)gradients({});
    const auto contrastive = copy_of_gradients();
    (void)gradients(options, micro_batch_tokens);
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
  const AuxiliaryOptions weights_{0.3, 0.2, spec_.expert_count < kDomains ? 0.0 : 0.5, 0.7};
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
  const auto got = auxiliary_gradients(weights_);
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
  const auto expected = auxiliary_gradients(weights_);
  for (const std::int64_t tokens : {1, 20}) {
    const auto got = auxiliary_gradients(weights_, tokens);
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

TEST_P(Auxiliary, confidence_is_the_mean_over_units_of_the_largest_probability) {
  experts::Plans plans;
  (void)model_.encoder->embed(batch_.sequences, noise_, plans);

  for (const std::int64_t tokens : {0, 20}) {
    const std::vector<RouterReport> reports = router_reports(gradients({}, tokens).routers);
    ASSERT_EQ(reports.size(), plans.records().size());
    for (std::size_t i = 0; i < reports.size(); ++i) {
      const at::Tensor largest_U = plans.records()[i].scores.probability_UE.amax({1});
      // Some hundred additions of numbers below one, in double.
      EXPECT_NEAR(reports[i].confidence, largest_U.mean().item<double>(), 1e-12) << tokens << " a piece";
    }
  }
}

std::string name_of_variant(const testing::TestParamInfo<Variant>& info) { return info.param.name; }

std::vector<Variant> learned_variants() {
  using experts::RouterKind;
  return {variant("top_1_token", RouterKind::top_k_token, kExperts),
          variant("top_2_token", RouterKind::top_k_token, kExperts, 2),
          variant("switch_sentence", RouterKind::switch_sentence, kExperts),
          variant("top_2_sentence", RouterKind::top_k_sentence, kExperts, 2),
          variant("multi_head_1", RouterKind::multi_head, kExperts),
          variant("multi_head_2", RouterKind::multi_head, kExperts, 2),
          variant("fewer_experts_than_domains", RouterKind::top_k_token, 2)};
}

INSTANTIATE_TEST_SUITE_P(Routers, Auxiliary, testing::ValuesIn(learned_variants()), name_of_variant);

// A loss, its weights, its value and its gradients.
struct Term {
  const char* name;
  AuxiliaryOptions weights;
  double AuxiliaryValues::*value;
  std::map<std::string, at::Tensor> gradients = {};
};

class AuxiliaryDifferences : public Auxiliary {
 protected:
  // Each loss alone, and the weighted sum of all.
  [[nodiscard]] std::vector<Term> terms() const {
    std::vector<Term> all = {{"total", weights_, &AuxiliaryValues::total},
                             {"load_balance", {.load_balance = 1.0}, &AuxiliaryValues::load_balance},
                             {"router_z", {.router_z = 1.0}, &AuxiliaryValues::router_z},
                             {"mutual_information", {.mutual_information = 1.0}, &AuxiliaryValues::mutual_information}};
    if (weights_.specified_expert > 0.0)
      all.push_back({"specified_expert", {.specified_expert = 1.0}, &AuxiliaryValues::specified_expert});
    for (Term& term : all) term.gradients = auxiliary_gradients(term.weights);
    return all;
  }
  // Of gates whose differences are exact. With one expert a unit, its weight is p / p, the denominator held constant
  // for the gradient: a difference sees a constant one. No loss on routers depends on the weights of the last gate.
  [[nodiscard]] std::vector<std::int64_t> layers() const {
    return top_k() == 1 ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{0, 1};
  }
  // With one value of a gate moved.
  [[nodiscard]] StepResult moved(double& value, double by) const {
    const double before = value;
    value = before + by;
    StepResult result = gradients(weights_);
    value = before;
    return result;
  }
};

TEST_P(AuxiliaryDifferences, of_the_gates_are_the_gradients_of_each_loss_and_of_their_sum) {
  constexpr double kStep = 1e-5;
  const std::vector<Term> all = terms();
  for (const std::int64_t layer : layers()) {
    const std::string name = experts::gate_tensor(layer);
    const at::Tensor gate = model_.parameters->at(name).detach();
    for (std::int64_t k = 0; k < gate.numel(); ++k) {
      double& value = gate.mutable_data_ptr<double>()[k];
      const StepResult above = moved(value, kStep);
      const StepResult below = moved(value, -kStep);
      ASSERT_EQ(above.routers.size(), 2U);
      for (std::size_t i = 0; i < 2; ++i)
        ASSERT_TRUE(at::equal(above.routers[i].chosen_E, below.routers[i].chosen_E))
            << name << k << ": load balance holds counts constant, a choice must not change within a step";
      for (const Term& term : all) {
        // h^2 of third derivatives of order a hundred, and the rounding 1e-15 / h of the two losses.
        const double difference = (above.auxiliary.*term.value - below.auxiliary.*term.value) / (2 * kStep);
        EXPECT_NEAR(term.gradients.at(name).const_data_ptr<double>()[k], difference, 1e-8)
            << name << k << ", " << term.name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Routers, AuxiliaryDifferences, testing::ValuesIn(learned_variants()), name_of_variant);

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
