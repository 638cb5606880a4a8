// What a run may change when it continues: not its model, not its settings, its length with a warning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "model/checkpoint.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_run.h"
#include "tests/harness/unsynced_file_ops.h"
#include "train/trainer.h"

namespace coterie::train {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kSteps = 2;

class Continuing : public testing::Test {
 protected:
  Continuing() { test::write_tiny_inputs(folder()); }

  [[nodiscard]] const fs::path& folder() const { return temporary_.path(); }
  [[nodiscard]] fs::path base() const { return folder() / "model"; }
  [[nodiscard]] fs::path checkpoint() const {
    return folder() / "runs" / "run" / "checkpoints" / model::checkpoint_name(kSteps);
  }
  [[nodiscard]] RunOptions options() const { return test::tiny_run_options(folder(), "run", kSteps); }

  std::unique_ptr<Trainer> start(const RunOptions& options) {
    return std::make_unique<Trainer>(options, "# config\n", mesh_, test::unsynced_file_ops());
  }
  void write(const fs::path& below, const std::string& text) const {
    fs::create_directories((base() / below).parent_path());
    std::ofstream(base() / below, std::ios::binary) << text;
  }
  // What the run says when it is to continue; it must be a config error.
  std::string refusal(const RunOptions& options) {
    try {
      (void)start(options);
      ADD_FAILURE() << "it continued";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::config) << error.what();
      return error.what();
    }
    return "";
  }

  dist::Mesh mesh_ = dist::Mesh::solo();

 private:
  test::TemporaryFolder temporary_;
};

TEST_F(Continuing, with_other_base_weights_is_refused) {
  (void)start(options())->run();
  fs::remove_all(base());
  test::write_tiny_checkpoint(base(), 2);

  EXPECT_THAT(refusal(options()), AllOf(HasSubstr("model.checkpoint (sha256) was "), HasSubstr(checkpoint().string())));
}

// Shapes stay the same.
TEST_F(Continuing, with_another_config_of_the_base_is_refused_by_key) {
  (void)start(options())->run();
  model::BertConfig other = test::tiny_bert();
  other.heads = 4;
  other.layer_norm_eps = 1e-5;
  write("config.json", model::bert_config_json(other));

  EXPECT_THAT(refusal(options()),
              AllOf(HasSubstr("the model's num_attention_heads was 2, got 4"),
                    HasSubstr("the model's layer_norm_eps was 1e-12, got 1e-05"), Not(HasSubstr("sha256"))));
}

TEST_F(Continuing, with_another_pooling_is_refused_by_key) {
  (void)start(options())->run();
  write("modules.json", R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}])");
  write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");

  EXPECT_THAT(refusal(options()), AllOf(HasSubstr("the model's pooling was \"mean\", got \"cls\""),
                                        HasSubstr("the model's normalize was true, got false")));
}

TEST_F(Continuing, with_other_settings_is_refused_by_key) {
  (void)start(options())->run();
  RunOptions other = options();
  other.loss.mask_known = false;
  other.seed = 5;

  EXPECT_THAT(refusal(other), AllOf(HasSubstr("loss.mask_known was true, got false"), HasSubstr("seed was 0, got 5")));
}

// The nearest domain is found by means that a run keeps from its first step on; a named one needs nothing.
TEST_F(Continuing, to_or_from_the_nearest_unknown_domain_is_refused_and_to_a_named_one_is_not) {
  RunOptions nearest = options();
  nearest.experts.unknown_domain = "nearest";
  RunOptions named = options();
  named.experts.unknown_domain = data::Corpus(named.data.corpus).domains().front();

  (void)start(options())->run();
  EXPECT_THAT(refusal(nearest), HasSubstr("experts.unknown_domain was \"error\", got \"nearest\""));
  EXPECT_NO_THROW((void)start(named));

  fs::remove_all(folder() / "runs");
  (void)start(nearest)->run();
  EXPECT_THAT(refusal(options()), HasSubstr("experts.unknown_domain was \"nearest\", got nothing"));
  EXPECT_NO_THROW((void)start(nearest));
}

TEST_F(Continuing, to_fewer_steps_than_were_made_is_refused) {
  (void)start(options())->run();
  RunOptions shorter = options();
  shorter.train.steps = 1;

  EXPECT_THAT(refusal(shorter), HasSubstr("train.steps must be at least the checkpoint's step (2), got 1"));
}

TEST_F(Continuing, to_more_steps_warns_where_the_learning_rate_follows_them) {
  for (const Decay decay : {Decay::linear, Decay::cosine, Decay::constant}) {
    fs::remove_all(folder() / "runs");
    RunOptions longer = options();
    longer.optim.decay = decay;
    (void)start(longer)->run();
    longer.train.steps = 7;

    testing::internal::CaptureStderr();
    (void)start(longer);
    const std::string said = testing::internal::GetCapturedStderr();

    const auto warning = HasSubstr("train.steps was 2 and is 7");
    if (decay == Decay::constant)
      EXPECT_THAT(said, Not(warning));
    else
      EXPECT_THAT(said, warning);
  }
}

TEST_F(Continuing, keeps_its_tokenizer_when_the_base_is_gone) {
  const std::string vocabulary = read_file(base() / "vocab.txt");
  const auto trainer = start(options());
  fs::remove_all(base());

  (void)trainer->run();

  EXPECT_EQ(read_file(checkpoint() / "vocab.txt"), vocabulary);
  EXPECT_NO_THROW((void)model::ModelSource::open(checkpoint()).tokenizer());
}

}  // namespace
}  // namespace coterie::train
