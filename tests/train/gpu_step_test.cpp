// A training step on GPUs against the same step of one rank on the CPU: loss, norm and every gradient, in every layout
// of the ranks, over NCCL where each has a GPU of its own and through pinned memory where they share one.
#include <ATen/Functions.h>
#include <c10/cuda/CUDAFunctions.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/harness/gpu.h"
#include "tests/train/layouts.h"
#include "train/micro_batches.h"
#include "train/router_stage.h"

namespace coterie::train {
namespace {

class GpuStep : public test::OnGpu {
 protected:
  void compare(const model::ModelSpec& spec, at::ScalarType dtype, double bound, std::int64_t micro_batch_tokens = 0,
               Shares shares = Shares::on_all_ranks) {
    const LossOptions loss{.kind = LossKind::symmetric, .learn_scale = true};
    const model::Noise noise{0.1, 0.1, RandomKey{3}};
    const dist::Mesh solo = dist::Mesh::solo();
    const auto reference =
        model::make_sentence_encoder(spec, test::tiny_weights(spec, 5, dtype), solo, dtype, loss_parameters(loss));
    TrainingStep reference_step(loss, {}, 0, reference, solo);
    const StepResult expected = reference_step.gradients(batch_for(0, 1), some_mask(), noise);
    const int ranks = dist::Mesh({}, {}).world().size();
    for (std::int64_t axis = 1; axis <= ranks; axis *= 2) {
      SCOPED_TRACE(str("expert axis ", axis));
      const dist::Mesh mesh({.expert = axis}, {.share_gpu = true}, dist::DeviceKind::cuda);
      const auto model =
          model::make_sentence_encoder(spec, test::tiny_weights(spec, 5, dtype), mesh, dtype, loss_parameters(loss));
      TrainingStep step(loss, {}, micro_batch_tokens, model, mesh);

      const StepResult result = step.gradients(batch_for(mesh.world().rank(), ranks, shares), some_mask(), noise);

      EXPECT_NEAR(result.loss, expected.loss, bound * expected.loss);
      EXPECT_NEAR(result.gradient_norm, expected.gradient_norm, bound * expected.gradient_norm);
      ASSERT_EQ(result.routers.size(), expected.routers.size());
      for (std::size_t i = 0; i < result.routers.size(); ++i)
        EXPECT_TRUE(at::equal(result.routers[i].assigned_DE, expected.routers[i].assigned_DE)) << i;
      for (const std::string& name : model.parameters->names()) {
        if (name.ends_with("key.bias")) continue;  // no gradient but rounding
        const at::Tensor wanted = reference.parameters->at(name).grad();
        const at::Tensor got = model.parameters->at(name).grad().cpu();
        EXPECT_LE((got - wanted).norm().item().toDouble(), bound * wanted.norm().item().toDouble()) << name;
      }
    }
  }
};

TEST_F(GpuStep, in_double_is_that_of_the_cpu) { compare(spec(), at::kDouble, 1e-10); }

TEST_F(GpuStep, in_float_is_that_of_the_cpu) { compare(spec(), at::kFloat, 1e-4); }

TEST_F(GpuStep, in_micro_batches_is_that_of_the_cpu) { compare(spec(), at::kDouble, 1e-10, 20); }

TEST_F(GpuStep, where_a_rank_has_nothing_is_that_of_the_cpu) { compare(spec(), at::kDouble, 1e-10, 0, Shares::uneven); }

TEST_F(GpuStep, under_learned_routes_is_that_of_the_cpu) { compare(learned_spec(2), at::kDouble, 1e-10); }

// Routes by domain are counted on the host, the head's choices where the model is.
TEST_F(GpuStep, with_a_head_behind_layers_of_domains_is_that_of_the_cpu) {
  compare(with_head(spec()), at::kDouble, 1e-10);
}

/// Counts the waits for a GPU that torch warns of while it lives, of this thread and of the backward passes it starts.
class Waits final : public c10::WarningHandler {
 public:
  Waits() { c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_WARN); }
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;
  ~Waits() override { c10::cuda::warning_state().set_sync_debug_mode(before_); }
  void process(const c10::Warning& warning) override {
    if (warning.msg().find("synchronizing") != std::string::npos) ++count_;
  }
  /// Since the latest call.
  [[nodiscard]] int take() { return std::exchange(count_, 0); }

 private:
  const c10::cuda::SyncDebugMode before_ = c10::cuda::warning_state().get_sync_debug_mode();
  int count_ = 0;
  const c10::WarningUtils::WarningHandlerGuard guard_{this};
};

/// The waits of a forward pass with the sums of its routers, and of the backward pass.
std::pair<int, int> waits_of(const model::ModelSpec& model_spec, const dist::Mesh& mesh) {
  const auto model = model::make_sentence_encoder(model_spec, test::tiny_weights(model_spec, 5), mesh, at::kFloat);
  const data::Batch batch = batch_for(mesh.world().rank(), mesh.world().size(), Shares::on_all_ranks);
  const std::vector<data::PackedSequences> pieces = micro_batches(batch, 0, mesh.shape());
  RouterStage routers({}, kDomains, model_spec);
  experts::Plans plans;
  Waits waits;
  const at::Tensor rows_BD = model.encoder->embed(pieces[0], {0.1, 0.1, RandomKey{3}, 0.2, 0.3}, plans);
  routers.add(pieces[0], plans);
  const int forward = waits.take();
  torch::autograd::backward({rows_BD}, {at::ones_like(rows_BD)});
  return {forward, waits.take()};
}

// Where the host knows the routes nothing between the batch and its embeddings waits for the GPU, nor does backward. A
// learned route is waited for once in each layer, here two: how many rows travel is up to it.
TEST_F(GpuStep, waits_for_learned_routes_alone) {
  const dist::Mesh mesh({}, {.share_gpu = true}, dist::DeviceKind::cuda);
  if (mesh.device().shared()) GTEST_SKIP() << "ranks that share a GPU communicate through the host";

  EXPECT_EQ(waits_of(spec(), mesh), std::pair(0, 0));
  EXPECT_EQ(waits_of(variant("random", experts::RouterKind::random, 4).spec, mesh), std::pair(0, 0));
  EXPECT_EQ(waits_of(variant("sentence", experts::RouterKind::switch_sentence, 4).spec, mesh), std::pair(2, 0));
  EXPECT_EQ(waits_of(learned_spec(1), mesh), std::pair(2, 0));
  EXPECT_EQ(waits_of(learned_spec(2), mesh), std::pair(2, 0));
}

// Loss and gradient norm come to the host together, when all else of the step has been issued.
TEST_F(GpuStep, waits_once_for_its_numbers) {
  const dist::Mesh mesh({}, {.share_gpu = true}, dist::DeviceKind::cuda);
  if (mesh.device().shared()) GTEST_SKIP() << "ranks that share a GPU communicate through the host";
  const auto model = model::make_sentence_encoder(spec(), test::tiny_weights(spec(), 5), mesh, at::kFloat);
  const data::Batch batch = batch_for(mesh.world().rank(), mesh.world().size(), Shares::on_all_ranks);
  for (const std::int64_t micro_batch_tokens : {0, 20}) {
    TrainingStep step({}, {}, micro_batch_tokens, model, mesh);
    Waits waits;

    static_cast<void>(step.run(batch, some_mask(), {0.1, 0.1, RandomKey{3}}, 1.0));

    EXPECT_EQ(waits.take(), 1) << micro_batch_tokens;
  }
}

// Backward runs each layer again from its input.
TEST_F(GpuStep, with_recomputed_activations_is_that_with_kept_ones) {
  const dist::Mesh mesh({}, {.share_gpu = true}, dist::DeviceKind::cuda);
  const data::Batch batch = batch_for(mesh.world().rank(), mesh.world().size(), Shares::on_all_ranks);
  for (const model::ModelSpec& model_spec : {spec(), learned_spec(2)}) {
    std::vector<model::SentenceEncoder> models;
    std::vector<double> losses;
    for (const auto activations : {model::Activations::kept, model::Activations::recomputed}) {
      models.push_back(
          model::make_sentence_encoder(model_spec, test::tiny_weights(model_spec, 5, at::kDouble), mesh, at::kDouble));
      TrainingStep step({}, {}, 0, models.back(), mesh);
      model::Noise noise{0.1, 0.1, RandomKey{3}};
      noise.activations = activations;
      losses.push_back(step.gradients(batch, some_mask(), noise).loss);
    }
    EXPECT_EQ(losses[0], losses[1]);
    for (const std::string& name : models[0].parameters->names()) {
      if (name.ends_with("key.bias")) continue;  // no gradient but rounding
      const at::Tensor kept = models[0].parameters->at(name).grad();
      const at::Tensor recomputed = models[1].parameters->at(name).grad();
      EXPECT_LE((kept - recomputed).norm().item().toDouble(), 1e-10 * kept.norm().item().toDouble()) << name;
    }
  }
}

}  // namespace
}  // namespace coterie::train
