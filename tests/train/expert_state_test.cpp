// Experts and their moments over many steps, on 1, 2 and 4 ranks and every (data x expert) layout of them.
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/layouts.h"
#include "train/agreement.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kSteps = 200;

class ExpertState : public testing::Test {
 protected:
  ExpertState() : everyone_({}, {}) {}
  dist::Mesh everyone_;
};

void run(TrainingStep& step, const StepSettings& settings, const dist::Mesh& mesh) {
  for (std::int64_t s = 0; s < kSteps; ++s) {
    model::Noise noise = settings.noise;
    noise.key = noise.key.derive(static_cast<std::uint64_t>(s));
    (void)step.run(batch_for(mesh.world().rank(), mesh.world().size()), some_mask(), noise, 1.0);
  }
}

TEST_F(ExpertState, copies_of_an_expert_and_their_moments_stay_the_same_bits) {
  const StepSettings settings;
  std::vector<Variant> models = {{"domain", spec()}};
  for (const Variant& each : variants())
    if (each.name == "balanced" || each.name == "switch_sentence" || each.name == "head_and_domains")
      models.push_back(each);
  for (const Variant& each : models) {
    for (const std::int64_t axis : expert_axes(everyone_.world().size(), each.spec)) {
      SCOPED_TRACE(str(each.name, ", expert axis ", axis));
      const dist::Mesh mesh({.expert = axis}, {});
      const auto model = model::make_sentence_encoder(each.spec, test::tiny_weights(each.spec, 5), mesh, at::kFloat,
                                                      loss_parameters(settings.loss));
      TrainingStep step(settings.loss, settings.optim, 40, model, mesh);

      run(step, settings, mesh);

      EXPECT_NO_THROW(expect_same_parameters(mesh, *model.parameters, step.optimizer(), each.name));
    }
  }
}

// Domain 3 has no texts: its expert's gradient is zero, its moments stay zero, and its matrices decay alone.
TEST_F(ExpertState, an_expert_without_tokens_decays_and_has_no_moments_on_every_rank_that_holds_it) {
  const StepSettings settings;
  const model::Weights weights = test::tiny_weights(spec(), 5, at::kDouble);
  const double kept = std::pow(1.0 - settings.optim.lr * settings.optim.weight_decay, static_cast<double>(kSteps));
  for (const std::int64_t axis : expert_axes(everyone_.world().size())) {
    SCOPED_TRACE(str("expert axis ", axis));
    const dist::Mesh mesh({.expert = axis}, {});
    const auto model = model::make_sentence_encoder(spec(), weights, mesh, at::kDouble, loss_parameters(settings.loss));
    TrainingStep step(settings.loss, settings.optim, 0, model, mesh);

    run(step, settings, mesh);

    const kernels::ParameterStore& store = *model.parameters;
    for (const std::string& name : store.names()) {
      if (name.find(".experts.3.") == std::string::npos) continue;
      EXPECT_EQ(store.at(name).grad().abs().max().item<double>(), 0.0) << name;
      EXPECT_EQ(store.slice(name, step.optimizer().first_moments()).abs().max().item<double>(), 0.0) << name;
      EXPECT_EQ(store.slice(name, step.optimizer().second_moments()).abs().max().item<double>(), 0.0) << name;
      const at::Tensor expected = weights.at(name) * (name.ends_with(".bias") ? 1.0 : kept);
      // 200 products in double, relative to values below 3.
      EXPECT_LT((store.at(name) - expected).abs().max().item<double>(), 1e-12) << name;
    }
  }
}

}  // namespace
}  // namespace coterie::train
