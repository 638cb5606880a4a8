// A training step on GPUs against the same step of one rank on the CPU: loss, norm and every gradient, in every layout
// of the ranks, over NCCL where each has a GPU of its own and through pinned memory where they share one.
#include <ATen/Functions.h>
#include <c10/cuda/CUDAFunctions.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/harness/gpu.h"
#include "tests/train/layouts.h"

namespace coterie::train {
namespace {

class GpuStep : public test::OnGpu {
 protected:
  void compare(const model::ModelSpec& spec, at::ScalarType dtype, double bound, std::int64_t micro_batch_tokens = 0) {
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

      const StepResult result =
          step.gradients(batch_for(mesh.world().rank(), ranks, Shares::on_all_ranks), some_mask(), noise);

      EXPECT_NEAR(result.loss, expected.loss, bound * expected.loss);
      EXPECT_NEAR(result.gradient_norm, expected.gradient_norm, bound * expected.gradient_norm);
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

TEST_F(GpuStep, under_learned_routes_is_that_of_the_cpu) { compare(learned_spec(2), at::kDouble, 1e-10); }

// With routes that the host knows, nothing between the batch and its embeddings waits for the GPU, nor does backward.
TEST_F(GpuStep, embeds_and_differentiates_without_waiting) {
  const dist::Mesh mesh({}, {.share_gpu = true}, dist::DeviceKind::cuda);
  if (mesh.device().shared()) GTEST_SKIP() << "ranks that share a GPU communicate through the host";
  const auto model = model::make_sentence_encoder(spec(), test::tiny_weights(spec(), 5), mesh, at::kFloat);
  const data::Batch batch = batch_for(mesh.world().rank(), mesh.world().size(), Shares::on_all_ranks);
  auto& warnings = c10::cuda::warning_state();
  const auto before = warnings.get_sync_debug_mode();
  warnings.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);

  EXPECT_NO_THROW({
    const at::Tensor rows_BD = model.encoder->embed(batch.sequences, {0.1, 0.1, RandomKey{3}});
    torch::autograd::backward({rows_BD}, {at::ones_like(rows_BD)});
  });
  warnings.set_sync_debug_mode(before);
}

}  // namespace
}  // namespace coterie::train
