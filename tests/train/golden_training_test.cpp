// A training trajectory of sentence-transformers, step by step (golden/training). Runs at 1, 2 and 4 ranks, on the CPU
// and as another program on GPUs.
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "base/npy.h"
#include "tests/harness/packing.h"
#include "tests/harness/shared_files.h"
#include "tests/train/golden_device.h"
#include "train/schedule.h"
#include "train/training_step.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kSteps = 20;
constexpr std::int64_t kMaxLength = 128;

/// A trajectory and how closely it must be followed: relative differences, and 1 - cosine of the final embeddings.
struct Trajectory {
  const char* name;
  const char* file;
  LossKind kind;
  model::Precision precision;
  double first_loss, first_norm, loss, norm, final_angle;
};

// fp32: the reference with one thread instead of two differs from itself by 3e-7; these are its published bounds, and
// an element that is off by 5e-5 turns a unit vector by less than 384 * 5e-5^2 / 2. bf16: the bounds of a useful run, 1
// % of the loss and a cosine of 0.9995; a gradient passes some 36 roundings of 2^-9, in quadrature 6 * 2^-9 = 1.2 %.
constexpr Trajectory kTrajectories[] = {
    {"mnr", "mnr", LossKind::mnr, model::Precision::fp32, 1e-5, 1e-5, 5e-5, 5e-5, 5e-7},
    {"symmetric", "symmetric", LossKind::symmetric, model::Precision::fp32, 1e-5, 1e-5, 5e-5, 5e-5, 5e-7},
    {"symmetric_in_bf16", "symmetric", LossKind::symmetric, model::Precision::bf16, 1e-2, 2e-2, 1e-2, 2e-2, 5e-4}};

class GoldenTraining : public testing::TestWithParam<Trajectory> {
 protected:
  void SetUp() override {
    if (golden_device() == dist::DeviceKind::cuda && !at::hasCUDA()) GTEST_SKIP() << "there is no GPU";
    COTERIE_REQUIRE_PATH(test::shared_path("golden/training/mnr_curve.jsonl"));
    COTERIE_REQUIRE_PATH(test::minilm_path());
    mesh_.emplace(dist::ParallelOptions{}, dist::DistOptions{.share_gpu = true}, golden_device());
  }

  data::Batch batch_of(const nlohmann::json& line, const data::Tokenizer& tokenizer) const {
    return test::dealt(mesh_->world().rank(), mesh_->world().size(),
                       [&](std::int64_t rank) { return share_of(rank, line, tokenizer); });
  }
  // A rank's share of a batch: every world-size-th pair.
  data::Batch share_of(std::int64_t rank, const nlohmann::json& line, const data::Tokenizer& tokenizer) const {
    data::Batch batch;
    const auto pairs = static_cast<std::int64_t>(line.at("a").size());
    batch.global.a.resize(static_cast<std::size_t>(pairs));
    batch.global.b.resize(static_cast<std::size_t>(pairs));
    for (std::int64_t i = rank; i < pairs; i += mesh_->world().size()) batch.positions.push_back(i);
    for (const char* side : {"a", "b"})
      for (const std::int64_t i : batch.positions)
        test::append(batch.sequences,
                     tokenizer.encode(line.at(side).at(static_cast<std::size_t>(i)).get<std::string>()), kMaxLength, -1,
                     *side == 'a' ? i : pairs + i);
    return batch;
  }

  std::optional<dist::Mesh> mesh_;
};

TEST_P(GoldenTraining, loss_and_gradient_norm_follow_the_reference_at_every_step) {
  const std::string name = GetParam().file;
  const auto batches = test::read_json_lines(test::shared_path("golden/training/" + name + "_batches.jsonl"));
  const auto curve = test::read_json_lines(test::shared_path("golden/training/" + name + "_curve.jsonl"));
  ASSERT_EQ(curve.size(), static_cast<std::size_t>(kSteps));
  const auto source = model::ModelSource::open(test::minilm_path());
  const data::Tokenizer tokenizer = source.tokenizer();
  const auto model =
      model::make_sentence_encoder(source.spec, source.read({}), *mesh_, model::dtypes_of(GetParam().precision));
  const LossOptions loss{.kind = GetParam().kind, .mask_known = false};
  const OptimOptions optim{.warmup_steps = 5};
  TrainingStep step(loss, optim, 0, model, *mesh_);
  NegativeMask no_mask;
  no_mask.known.row_offsets.assign(batches[0].at("a").size() + 1, 0);

  for (std::size_t s = 0; s < curve.size(); ++s) {
    const double factor = schedule(optim, static_cast<std::int64_t>(s), kSteps);
    const StepResult result = step.run(batch_of(batches[s], tokenizer), no_mask, {}, factor);

    const double loss_bound = s == 0 ? GetParam().first_loss : GetParam().loss;
    const double norm_bound = s == 0 ? GetParam().first_norm : GetParam().norm;
    const auto expected_loss = curve[s].at("loss").get<double>();
    const auto expected_norm = curve[s].at("grad_norm").get<double>();
    EXPECT_NEAR(factor * optim.lr, curve[s].at("lr").get<double>(), 1e-12) << "step " << s;
    EXPECT_NEAR(result.loss, expected_loss, loss_bound * expected_loss) << "step " << s;
    EXPECT_NEAR(result.gradient_norm, expected_norm, norm_bound * expected_norm) << "step " << s;
  }

  const c10::InferenceMode inference;
  data::PackedSequences first;
  for (const char* side : {"a", "b"})
    for (const auto& text : batches[0].at(side))
      test::append(first, tokenizer.encode(text.get<std::string>()), kMaxLength, -1, first.sequences());
  NpyArray golden = read_npy(test::shared_path("golden/training/" + name + "_final_embeddings.npy"));
  const at::Tensor expected = at::from_blob(golden.values.data(), golden.shape, at::kFloat);
  const at::Tensor embeddings = model.encoder->embed(first, {}).cpu();
  if (GetParam().precision == model::Precision::fp32) {
    EXPECT_LE((embeddings - expected).abs().max().item<double>(), GetParam().loss);
  }
  EXPECT_GE((embeddings * expected).sum(1).min().item<double>(), 1 - GetParam().final_angle);
}

INSTANTIATE_TEST_SUITE_P(Losses, GoldenTraining, testing::ValuesIn(kTrajectories),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace coterie::train
