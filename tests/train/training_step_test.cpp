// A learned scale stays within its limits, and a step that is not finite changes nothing. Runs at 1, 2 and 4 ranks.
#include "train/training_step.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "dist/together.h"
#include "experts/upcycling.h"
#include "tests/harness/packing.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tensors.h"
#include "tests/harness/tiny_run.h"
#include "tests/harness/unsynced_file_ops.h"
#include "train/trainer.h"

namespace coterie::train {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kPairs = 6;

class Step : public testing::Test {
 protected:
  [[nodiscard]] bool last() const { return mesh_.world().rank() == mesh_.world().size() - 1; }

  // The b side of pair i has the text of the a side of pair i + shift.
  [[nodiscard]] data::Batch batch(std::int64_t shift) const {
    return test::dealt(mesh_.world().rank(), mesh_.world().size(),
                       [&](std::int64_t rank) { return share_of(rank, shift); });
  }
  [[nodiscard]] data::Batch share_of(std::int64_t rank, std::int64_t shift) const {
    data::Batch batch;
    batch.global.a.resize(kPairs);
    batch.global.b.resize(kPairs);
    for (std::int64_t i = rank; i < kPairs; i += mesh_.world().size()) batch.positions.push_back(i);
    for (const std::int64_t side : {0, 1})
      for (const std::int64_t i : batch.positions) {
        const auto word = static_cast<std::int32_t>(5 + 5 * ((i + side * shift) % kPairs));
        test::append(batch.sequences, {2, word, word + 1, 3}, 16, -1, side * kPairs + i);
      }
    return batch;
  }

  [[nodiscard]] model::SentenceEncoder model(at::ScalarType dtype) const {
    return model::make_sentence_encoder(test::tiny_spec(), test::tiny_weights(test::tiny_spec(), 5, dtype), mesh_,
                                        dtype, loss_parameters(loss_));
  }

  // The step must fail on every rank and leave parameters and moments as they are.
  void expect_refused(const model::SentenceEncoder& model, const std::string& what) const {
    TrainingStep step(loss_, {.warmup_steps = 0}, 0, model, mesh_);
    std::vector<at::Tensor> before;
    for (const auto& segment : model.parameters->segments()) before.push_back(segment.values.clone());

    try {
      (void)step.run(batch(0), no_mask_, {}, 1.0);
      ADD_FAILURE() << "nothing was noticed on rank " << mesh_.world().rank();
    } catch (const NonFiniteError& error) {
      EXPECT_THAT(error.what(), HasSubstr(what));
      EXPECT_EQ(error.code(), Exit::non_finite);
    }

    for (std::size_t i = 0; i < before.size(); ++i) {
      const at::Tensor& now = model.parameters->segments()[i].values;
      // By bytes: a NaN equals nothing.
      EXPECT_EQ(std::memcmp(now.const_data_ptr(), before[i].const_data_ptr(), now.nbytes()), 0);
      EXPECT_EQ(step.optimizer().first_moments()[i].abs().max().item().toDouble(), 0.0);
    }
    EXPECT_EQ(step.optimizer().steps(), 0);
  }

  dist::Mesh mesh_{{}, {}};
  LossOptions loss_{.learn_scale = true, .scale_max = 50.0, .scale_lr = 1e3};
  NegativeMask no_mask_{{std::vector<std::int64_t>(kPairs + 1, 0), {}}, {}, {}};
};

// Where every b is its a, a larger scale lowers the loss; where b is the next pair's a, a smaller one does.
TEST_F(Step, a_learned_scale_ends_exactly_at_its_limits) {
  for (const auto& [shift, log_limit] : {std::pair{0, std::log(50.0)}, std::pair{1, -std::log(50.0)}}) {
    const auto model = this->model(at::kDouble);
    TrainingStep step(loss_, {.warmup_steps = 0}, 0, model, mesh_);

    (void)step.run(batch(shift), no_mask_, {}, 1.0);

    EXPECT_EQ(model.parameters->at(kLogScale).item().toDouble(), log_limit);
    EXPECT_DOUBLE_EQ(step.gradients(batch(shift), no_mask_, {}).scale, shift == 0 ? 50.0 : 1.0 / 50.0);
  }
}

TEST_F(Step, the_gradient_of_the_learned_scales_logarithm_is_its_finite_difference) {
  const auto model = this->model(at::kDouble);
  TrainingStep step(loss_, {}, 0, model, mesh_);
  const at::Tensor log_scale = model.parameters->at(kLogScale);
  const auto loss_at = [&](double shift) {
    const c10::NoGradGuard no_grad;
    log_scale.add_(shift);
    const double loss = step.gradients(batch(1), no_mask_, {}).loss;
    log_scale.add_(-shift);
    return loss;
  };
  constexpr double kStep = 1e-5;

  const double difference = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
  (void)step.gradients(batch(1), no_mask_, {});

  const double gradient = log_scale.grad().item().toDouble();
  EXPECT_GT(std::abs(gradient), 0.1);
  EXPECT_NEAR(gradient, difference, 1e-7 * std::abs(gradient));
}

TEST_F(Step, by_cosine_does_not_care_whether_the_model_normalises) {
  std::vector<StepResult> results;
  std::vector<at::Tensor> gradients;
  for (const bool normalize : {true, false}) {
    model::ModelSpec spec = test::tiny_spec();
    spec.normalize = normalize;
    const auto model = model::make_sentence_encoder(spec, test::tiny_weights(spec, 5, at::kDouble), mesh_, at::kDouble);
    results.push_back(TrainingStep({}, {}, 0, model, mesh_).gradients(batch(1), no_mask_, {}));
    gradients.push_back(model.parameters->at("encoder.layer.0.output.dense.weight").grad().clone());
  }

  EXPECT_NEAR(results[0].loss, results[1].loss, 1e-12);
  EXPECT_GT(results[0].gradient_norm, 1e-3);
  EXPECT_LE(test::relative_distance(gradients[0], gradients[1]), 1e-10);
}

TEST_F(Step, refuses_a_batch_in_which_a_sequence_is_held_twice) {
  const auto model = this->model(at::kDouble);
  TrainingStep step(loss_, {}, 0, model, mesh_);
  data::Batch twice = batch(0);
  twice.shares[0].sequence_index[1] = 0;
  if (mesh_.world().rank() == 0) twice.sequences.sequence_index[1] = 0;

  EXPECT_THAT(test::error_of<ShapeError>([&] { (void)step.gradients(twice, no_mask_, {}); }),
              HasSubstr("loss: sequence 0 of 12 is held twice or out of range"));
}

TEST_F(Step, moves_the_head_by_its_own_rate_and_all_else_by_the_other) {
  model::ModelSpec spec = test::tiny_spec();
  spec.head = experts::HeadKind::sb_moe;
  spec.head_experts = 4;
  const model::Weights weights = test::tiny_weights(spec, 5, at::kDouble);
  for (const bool of_head : {true, false}) {
    const auto model = model::make_sentence_encoder(spec, weights, mesh_, at::kDouble);
    const OptimOptions optim{.lr = of_head ? 0.0 : 1e-3, .head_lr = of_head ? 1e-3 : 0.0, .warmup_steps = 0};
    TrainingStep step({}, optim, 0, model, mesh_);

    (void)step.run(batch(0), no_mask_, {}, 1.0);

    for (const std::string& name : model.parameters->names()) {
      const bool moved = !at::equal(model.parameters->at(name), weights.at(name));
      if (name.starts_with("head.") != of_head) {
        EXPECT_FALSE(moved) << name;
      } else if (name.ends_with("weight")) {
        EXPECT_TRUE(moved) << name;
      }
    }
  }
}

TEST_F(Step, moves_gates_by_a_multiple_of_the_rate) {
  model::ModelSpec spec = test::tiny_spec();
  spec.expert_layers = {0, 1};
  spec.router = experts::RouterKind::top_k_token;
  spec.expert_count = 4;
  const model::Weights weights = test::tiny_weights(spec, 5, at::kDouble);
  std::map<std::string, at::Tensor> moves;
  for (const double factor : {1.0, 8.0}) {
    const auto model = model::make_sentence_encoder(spec, weights, mesh_, at::kDouble);
    TrainingStep step({}, {.lr = 1e-3, .gate_lr_factor = factor, .warmup_steps = 0, .weight_decay = 0.0}, 0, model,
                      mesh_);

    (void)step.run(batch(0), no_mask_, {}, 1.0);

    for (const std::string& name : model.parameters->names()) {
      const at::Tensor move = model.parameters->at(name).detach() - weights.at(name);
      const double expected = name.ends_with(".router.weight") ? 8.0 : 1.0;
      if (factor == 1.0)
        moves[name] = move;
      else
        EXPECT_TRUE(at::allclose(move, expected * moves.at(name), 1e-9, 1e-15)) << name;
    }
  }
  EXPECT_GT(moves.at(experts::gate_tensor(0)).abs().max().item<double>(), 0.0);
}

TEST_F(Step, a_loss_that_is_not_finite_on_one_rank_is_an_error_on_all_and_changes_nothing) {
  const auto model = this->model(at::kFloat);
  if (last()) {
    const c10::NoGradGuard no_grad;
    at::Tensor bias = model.parameters->at("encoder.layer.1.output.LayerNorm.bias");
    bias.fill_(std::numeric_limits<double>::quiet_NaN());
  }

  expect_refused(model, "train: loss must be finite, got ");
}

TEST_F(Step, a_gradient_that_is_not_finite_on_one_rank_is_an_error_on_all_and_changes_nothing) {
  const auto model = this->model(at::kFloat);
  if (last())
    model.parameters->at("encoder.layer.0.output.dense.bias").register_hook([](const at::Tensor& gradient) {
      return gradient / 0.0;
    });

  expect_refused(model, "train: gradient norm must be finite, got ");
}

TEST_F(Step, of_a_run_that_is_not_finite_is_named_with_exit_code_78) {
  std::unique_ptr<test::TemporaryFolder> temporary;
  const fs::path folder = dist::on_leader(mesh_.world(), [&] {
    temporary = std::make_unique<test::TemporaryFolder>();
    test::write_tiny_inputs(temporary->path());
    return temporary->path().string();
  });
  // Nothing is learned in the first step of warm-up; the second spoils the model, the third notices.
  RunOptions options = test::tiny_run_options(folder, "spoilt", 6);
  options.optim.lr = 1e37;
  Trainer trainer(options, "# config\n", mesh_, test::unsynced_file_ops());

  try {
    (void)trainer.run();
    ADD_FAILURE() << "nothing was noticed on rank " << mesh_.world().rank();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::non_finite);
    EXPECT_EQ(static_cast<int>(error.code()), 78);
    EXPECT_THAT(error.what(), HasSubstr("must be finite, got "));
    EXPECT_THAT(error.what(), HasSubstr("(step 2)"));
  }
  mesh_.world().barrier();
}

}  // namespace
}  // namespace coterie::train
