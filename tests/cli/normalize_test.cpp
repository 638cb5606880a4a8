// Runs whose embeddings keep the length that pooling gives them, or lose it: trained, continued, embedded, exported.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/npy.h"
#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

class NormalizedRun : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (IsSkipped()) return;
    build_corpus();
    write("in.txt", "gene a b c\nstar expert model paper x y z\n");
  }
  void train(const std::string& run, const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"train", "run.toml", "run=" + run, "train.steps=2"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const Outcome outcome = coterie(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome;
  }
  // [2, 8]
  at::Tensor embed(const std::string& model, const std::vector<std::string>& settings = {}) {
    std::vector<std::string> arguments = {"embed", model, "in.txt", "out.npy"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    fs::remove(root() / "out.npy");
    const Outcome outcome = coterie(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return outcome.code == 0 ? at::tensor(read_npy(root() / "out.npy").values).view({2, 8}) : at::zeros({2, 8});
  }
  [[nodiscard]] std::string modules(const std::string& folder) const { return read(folder + "/modules.json"); }
  static double off_unit_length(const at::Tensor& rows_ND) {
    return (rows_ND.norm(2, {1}) - 1.0).abs().min().item().toDouble();
  }
};

TEST_F(NormalizedRun, keeps_lengths_through_checkpoint_and_export_where_it_is_told_to) {
  train("free", {"model.normalize=false", "loss.similarity=dot", "loss.scale=1"});
  const Outcome exported = coterie({"export", "runs/free", "out", "domain=biology"});
  ASSERT_EQ(exported.code, 0) << exported;

  const at::Tensor routed = embed("runs/free", {"experts.unknown_domain=biology"});
  const at::Tensor dense = embed("out");

  EXPECT_GT(off_unit_length(routed), 0.1);
  // Another order of the same sums in fp32.
  EXPECT_LE((routed - dense).abs().max().item<float>(), 1e-5F);
  EXPECT_THAT(modules("out"), testing::Not(HasSubstr("Normalize")));
  const Outcome evaluated = coterie({"eval", "runs/free"});
  EXPECT_EQ(evaluated.code, 0) << evaluated;
}

TEST_F(NormalizedRun, loses_them_where_it_is_told_to_though_the_checkpoint_keeps_them) {
  train("free", {"model.normalize=false"});
  ASSERT_EQ(coterie({"export", "runs/free", "start", "domain=biology"}).code, 0);

  train("unit", {"model.checkpoint=start", "model.normalize=true"});
  train("as_start", {"model.checkpoint=start"});

  EXPECT_LE(off_unit_length(embed("runs/unit", {"experts.unknown_domain=biology"})), 1e-5);
  EXPECT_GT(off_unit_length(embed("runs/as_start", {"experts.unknown_domain=biology"})), 0.1);
  ASSERT_EQ(coterie({"export", "runs/unit", "out", "domain=biology"}).code, 0);
  EXPECT_THAT(modules("out"), HasSubstr("2_Normalize"));
}

TEST_F(NormalizedRun, does_not_continue_with_the_other) {
  train("free", {"model.normalize=false"});

  expect_refused({"train", "run.toml", "run=free", "train.steps=4"}, Exit::config,
                 {"model.normalize was \"false\", got \"checkpoint\"", "the model's normalize was false, got true"});
}

TEST_F(NormalizedRun, is_embedded_either_way_on_demand) {
  const at::Tensor rows_ND = embed("hf", {"model.normalize=false"});

  const at::Tensor unit_ND = embed("hf");

  EXPECT_GT(off_unit_length(rows_ND), 0.1);
  EXPECT_LE((unit_ND - rows_ND / rows_ND.norm(2, {1}, /*keepdim=*/true)).abs().max().item<float>(), 1e-6F);
}

}  // namespace
}  // namespace coterie::test
