// Ranks that start from different files or parameters are named on every rank. Runs at 1, 2 and 4 ranks.
#include "train/agreement.h"

#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "dist/mpi.h"
#include "dist/together.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_run.h"
#include "tests/harness/unsynced_file_ops.h"
#include "train/trainer.h"

namespace coterie::train {
namespace {

using testing::HasSubstr;

class Agreement : public testing::Test {
 protected:
  [[nodiscard]] int last_rank() const { return mesh_.world().size() - 1; }
  [[nodiscard]] bool last() const { return mesh_.world().rank() == last_rank(); }

  // Where the last rank differs from others, all must say so; where it is alone, it has nobody to differ from.
  template <class Act>
  void expect_last_rank_named(bool alone, const std::vector<std::string>& parts, Act&& act) const {
    std::string said;
    try {
      act();
    } catch (const Error& error) {
      said = error.what();
      EXPECT_EQ(error.code(), Exit::data) << said;
    }
    if (alone) {
      EXPECT_EQ(said, "");
      return;
    }
    for (const std::string& part : parts) EXPECT_THAT(said, HasSubstr(part));
    EXPECT_THAT(said, HasSubstr(str(" on rank ", last_rank(), " (")));
  }

  // Two copies of each expert with four ranks, one set on all with two.
  dist::Mesh mesh_{{.expert = dist::Communicator::world().size() == 4 ? 2 : 1}, {}};
};

TEST_F(Agreement, a_file_that_differs_on_one_rank_is_named_on_all) {
  expect_last_rank_named(mesh_.world().size() == 1,
                         {"run: the corpus must be the same on all ranks, sha256 aaaa, got bbbb",
                          str("(/disk", last_rank(), "/corpus.h5)")},
                         [&] {
                           expect_same_file(mesh_.world(), "the corpus", last() && last_rank() > 0 ? "bbbb" : "aaaa",
                                            str("/disk", mesh_.world().rank(), "/corpus.h5"));
                         });
}

class AgreementOfParameters : public Agreement {
 protected:
  model::SentenceEncoder make() const {
    const auto spec = test::tiny_spec({"w", "x", "y", "z"}, {0, 1});
    return model::make_sentence_encoder(spec, test::tiny_weights(spec, 5), mesh_, at::kFloat);
  }

  const model::SentenceEncoder model_ = make();
  kernels::AdamW optimizer_{{}, *model_.parameters};
};

TEST_F(AgreementOfParameters, equal_ones_agree) {
  EXPECT_NO_THROW(expect_same_parameters(mesh_, *model_.parameters, optimizer_, "source"));
}

TEST_F(AgreementOfParameters, a_dense_one_that_differs_is_noticed) {
  if (last()) {
    const c10::NoGradGuard no_grad;
    at::Tensor bias = model_.parameters->at("encoder.layer.1.output.LayerNorm.bias");
    bias.add_(1e-3);
  }

  expect_last_rank_named(mesh_.world().size() == 1, {"dense parameters must be the same on all ranks", "(source)"},
                         [&] { expect_same_parameters(mesh_, *model_.parameters, optimizer_, "source"); });
}

TEST_F(AgreementOfParameters, an_expert_that_differs_from_its_copy_is_noticed) {
  if (last()) {
    const c10::NoGradGuard no_grad;
    at::Tensor bias = model_.parameters->at("encoder.layer.1.experts.3.output.dense.bias");
    bias.add_(1e-3);
  }

  expect_last_rank_named(mesh_.world().size() == 1, {"copies of experts must be the same", "(source)"},
                         [&] { expect_same_parameters(mesh_, *model_.parameters, optimizer_, "source"); });
}

TEST_F(AgreementOfParameters, a_moment_that_differs_is_noticed) {
  if (last()) {
    at::Tensor moment = optimizer_.second_moments()[0];
    moment.add_(1e-3);
  }

  expect_last_rank_named(mesh_.world().size() == 1, {"must be the same on all ranks"},
                         [&] { expect_same_parameters(mesh_, *model_.parameters, optimizer_, "source"); });
}

class AgreementOfRuns : public Agreement {
 protected:
  void SetUp() override {
    folder_ = dist::on_leader(mesh_.world(), [&] {
      temporary_ = std::make_unique<test::TemporaryFolder>();
      test::write_tiny_inputs(temporary_->path());
      test::write_tiny_inputs(temporary_->path() / "other", 2);
      return temporary_->path().string();
    });
  }
  ~AgreementOfRuns() override { mesh_.world().barrier(); }

  [[nodiscard]] std::string other(const char* name) const { return (folder_ / "other" / name).string(); }

  std::unique_ptr<test::TemporaryFolder> temporary_;  // rank 0's
  fs::path folder_;
};

TEST_F(AgreementOfRuns, ranks_on_different_corpora_do_not_start) {
  RunOptions options = test::tiny_run_options(folder_, "run", 2);
  if (last()) options.data.corpus = other("corpus.h5");

  expect_last_rank_named(mesh_.world().size() == 1, {"the corpus must be the same", other("corpus.h5")},
                         [&] { const Trainer trainer(options, "# config\n", mesh_, test::unsynced_file_ops()); });
}

TEST_F(AgreementOfRuns, ranks_on_different_base_models_do_not_start) {
  RunOptions options = test::tiny_run_options(folder_, "run", 2);
  if (last()) options.model.checkpoint = other("model");

  expect_last_rank_named(mesh_.world().size() == 1, {"the base model's weights must be the same", other("model")},
                         [&] { const Trainer trainer(options, "# config\n", mesh_, test::unsynced_file_ops()); });
}

// The file is there for all but one: nobody waits for it in a collective.
TEST_F(AgreementOfRuns, a_file_that_only_one_rank_lacks_is_an_error_on_all) {
  RunOptions options = test::tiny_run_options(folder_, "run", 2);
  if (last()) options.data.corpus = (folder_ / "absent.h5").string();

  try {
    const Trainer trainer(options, "# config\n", mesh_, test::unsynced_file_ops());
    ADD_FAILURE() << "it started on rank " << mesh_.world().rank();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("absent.h5"));
  }
}

}  // namespace
}  // namespace coterie::train
