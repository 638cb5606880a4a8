// What a config makes of a checkpoint, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tensors.h"
#include "tests/harness/tiny_run.h"
#include "train/model_setup.h"

namespace coterie::train {
namespace {

using experts::RouterKind;
using testing::HasSubstr;

class TrainedSpec : public testing::Test {
 protected:
  TrainedSpec() {
    test::write_tiny_inputs(folder_.path());
    options_ = test::tiny_run_options(folder_.path(), "run", 4);
  }
  [[nodiscard]] model::ModelSpec spec() const {
    return trained_spec(options_, data::Corpus(options_.data.corpus), test::tiny_spec());
  }
  [[nodiscard]] std::string refusal() const {
    return test::error_of<ConfigError>([&] { (void)spec(); });
  }

  test::TemporaryFolder folder_;
  RunOptions options_;
};

TEST_F(TrainedSpec, has_as_many_experts_as_the_router_needs_unless_told) {
  for (const auto& [router, experts] :
       {std::pair{RouterKind::domain, 2}, std::pair{RouterKind::dense, 1}, std::pair{RouterKind::token_type, 2},
        std::pair{RouterKind::switch_sentence, 2}, std::pair{RouterKind::random, 2}}) {
    options_.experts.router = router;
    options_.experts.count = 0;
    EXPECT_EQ(spec().expert_count, experts);
  }
  options_.experts.count = 7;
  EXPECT_EQ(spec().expert_count, 7) << "random";
}

TEST_F(TrainedSpec, takes_top_k_for_the_routers_that_have_one_and_refuses_it_for_the_others) {
  options_.experts.top_k = 3;
  for (const RouterKind router : {RouterKind::top_k_token, RouterKind::top_k_sentence, RouterKind::multi_head}) {
    options_.experts.router = router;
    options_.experts.count = 4;
    EXPECT_EQ(spec().top_k, 3);
  }
  for (const RouterKind router : {RouterKind::none, RouterKind::domain, RouterKind::switch_sentence, RouterKind::random,
                                  RouterKind::dense, RouterKind::token_type}) {
    options_.experts.router = router;
    options_.experts.count = 0;
    EXPECT_THAT(refusal(),
                HasSubstr(str("experts.top_k must be 1 where the router does not choose several experts, got "
                              "3 with experts.router '",
                              experts::name_of(router), "'")));
  }
}

TEST_F(TrainedSpec, refuses_to_say_what_experts_are_where_there_are_none) {
  options_.experts.router = RouterKind::none;
  options_.experts.count = 8;
  EXPECT_THAT(refusal(), HasSubstr("experts.count must be 0 with experts.router 'none', got 8"));
  options_.experts.count = 0;
  options_.experts.shared = true;
  EXPECT_THAT(refusal(), HasSubstr("experts.shared must be false with experts.router 'none', got true"));
  options_.experts.mlp = experts::MlpKind::glu;
  EXPECT_THAT(refusal(), HasSubstr("experts.mlp must be 'plain' with experts.router 'none', got 'glu'; experts.router "
                                   "'dense' makes one such expert of each MLP"));
}

TEST_F(TrainedSpec, refuses_more_choices_than_experts) {
  options_.experts.count = 4;
  options_.experts.top_k = 5;
  for (const RouterKind router : {RouterKind::top_k_token, RouterKind::top_k_sentence, RouterKind::multi_head}) {
    options_.experts.router = router;
    EXPECT_THAT(refusal(), HasSubstr("experts.top_k must be in 1..4 (the number of experts), got 5"));
  }
}

TEST_F(TrainedSpec, refuses_another_number_of_experts_than_the_router_decides) {
  options_.experts.count = 3;
  EXPECT_THAT(refusal(),
              HasSubstr("experts.count must be 0 or the number of domains (2) when routed by domain, got 3"));
  options_.experts.router = RouterKind::dense;
  EXPECT_THAT(refusal(), HasSubstr("experts.count must be 0 or 1 with the router dense, got 3"));
}

TEST_F(TrainedSpec, normalises_as_the_checkpoint_unless_told) {
  const auto normalizes = [&](model::Normalize wanted, bool checkpoint) {
    options_.model.normalize = wanted;
    model::ModelSpec base = test::tiny_spec();
    base.normalize = checkpoint;
    return trained_spec(options_, data::Corpus(options_.data.corpus), base).normalize;
  };
  for (const bool checkpoint : {true, false}) {
    EXPECT_EQ(normalizes(model::Normalize::checkpoint, checkpoint), checkpoint);
    EXPECT_TRUE(normalizes(model::Normalize::yes, checkpoint));
    EXPECT_FALSE(normalizes(model::Normalize::no, checkpoint));
  }
}

TEST_F(TrainedSpec, refuses_heads_that_do_not_divide_the_width) {
  options_.experts.router = RouterKind::multi_head;
  options_.experts.heads = 3;
  EXPECT_THAT(refusal(), HasSubstr("experts.heads must divide the model's width (8), got 3"));
}

TEST_F(TrainedSpec, refuses_to_disturb_or_balance_a_route_without_a_gate) {
  options_.experts.noise = 0.5;
  EXPECT_THAT(refusal(), HasSubstr("experts.noise must be 0 where the router does not learn, got 0.5 with "
                                   "experts.router 'domain'"));
  options_.experts.noise = 0.0;
  options_.optim.router_balance_rate = 0.01;
  EXPECT_THAT(refusal(), HasSubstr("optim.router_balance_rate must be 0 where the router does not learn"));
  options_.optim.router_balance_rate = 0.0;
  options_.optim.gate_lr_factor = 100.0;
  EXPECT_THAT(refusal(), HasSubstr("optim.gate_lr_factor must be 1 where the router does not learn, got 100 with "
                                   "experts.router 'domain'"));
}

TEST_F(TrainedSpec, refuses_to_disturb_copies_where_there_are_none) {
  options_.experts.copy_noise = 0.1;
  options_.experts.router = experts::RouterKind::domain;
  EXPECT_FALSE(spec().expert_layers.empty());

  options_.experts.layers = {"none"};
  EXPECT_THAT(refusal(), HasSubstr("experts.copy_noise must be 0 where no MLP is copied, got 0.1"));
  options_.experts.layers = {"middle"};
  for (const RouterKind router : {RouterKind::none, RouterKind::multi_head}) {
    options_.experts.router = router;
    EXPECT_THAT(refusal(), HasSubstr("experts.copy_noise must be 0 where no MLP is copied, got 0.1"));
  }
}

TEST_F(TrainedSpec, refuses_losses_on_routers_where_a_layer_has_none_that_learns) {
  options_.loss.auxiliary.load_balance = 0.1;
  EXPECT_THAT(refusal(), HasSubstr("loss.auxiliary weights must be 0")) << "by domain";
  options_.experts.router = RouterKind::none;
  EXPECT_THAT(refusal(), HasSubstr("loss.auxiliary weights must be 0"));
  options_.experts.router = RouterKind::top_k_token;
  EXPECT_NO_THROW((void)spec());
  options_.experts.layers = {"none"};
  options_.loss.auxiliary = {.router_z = 0.1};
  EXPECT_THAT(refusal(), HasSubstr("loss.auxiliary weights must be 0"));
}

TEST_F(TrainedSpec, refuses_to_specify_experts_unless_there_is_one_for_each_domain) {
  options_.experts.router = RouterKind::top_k_token;
  options_.experts.count = 1;
  options_.loss.auxiliary.specified_expert = 0.1;
  EXPECT_THAT(refusal(), HasSubstr("an expert for each domain (2), got 1 experts"));
  options_.experts.count = 2;
  EXPECT_NO_THROW((void)spec());
}

TEST_F(TrainedSpec, refuses_a_route_by_index_where_no_document_names_an_expert) {
  options_.experts.router = RouterKind::index;
  EXPECT_THAT(refusal(), HasSubstr("experts.router 'index' needs a corpus whose documents name an 'expert'"));
}

TEST_F(TrainedSpec, of_a_head_stands_beside_any_router) {
  options_.head = {.kind = experts::HeadKind::sb_moe, .experts = 3, .inference = experts::HeadInference::all};

  const model::ModelSpec made = spec();

  EXPECT_EQ(made.head, experts::HeadKind::sb_moe);
  EXPECT_EQ(made.head_experts, 3);
  EXPECT_EQ(made.head_inference, experts::HeadInference::all);
  EXPECT_EQ(made.router, RouterKind::domain);
}

// Groups must fit each other: a key that one of them sets may be refused under another.
TEST_F(TrainedSpec, is_made_by_every_choice_of_experts_and_by_every_loss_beside_learned_routes) {
  const char* source = std::getenv("COTERIE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const fs::path configs = fs::path(source) / "configs";
  const data::Corpus corpus(options_.data.corpus);
  const auto make = [&](const std::vector<std::string>& choices) {
    const auto options = config::read<RunOptions>(config::compose(configs / "train.toml", choices));
    return trained_spec(options, corpus, test::tiny_spec());
  };
  for (const auto& entry : fs::directory_iterator(configs / "experts")) {
    const std::string name = entry.path().stem().string();
    if (name == "index") continue;  // needs a corpus that names experts
    EXPECT_NO_THROW((void)make({"experts=" + name})) << name;
  }
  for (const auto& entry : fs::directory_iterator(configs / "loss")) {
    const std::string name = entry.path().stem().string();
    EXPECT_NO_THROW((void)make({"experts=top_k_token", "loss=" + name})) << name;
  }
  // P2's rates: a group of experts may say the learning rate, which no group of the optimizer says after it.
  const auto of_head = config::read<RunOptions>(config::compose(configs / "train.toml", {"experts=sb_moe"})).optim;
  EXPECT_EQ(of_head.lr, 1e-6);
  EXPECT_EQ(of_head.head_lr, 1e-4);
  EXPECT_EQ(make({"experts=domain_glu"}).expert_mlp, experts::MlpKind::glu);
  EXPECT_TRUE(make({"experts=domain_shared"}).shared_expert);
  EXPECT_TRUE(make({"experts=top_k_token_balanced"}).router_balance);
}

TEST(TrainingNoise, is_what_the_options_and_the_checkpoint_say) {
  const model::BertConfig checkpoint = {.hidden_dropout = 0.2, .attention_dropout = 0.3};
  RunOptions options;
  options.experts.jitter = 0.4;
  options.experts.noise = 0.5;

  const model::Noise noise = training_noise(options, checkpoint);

  EXPECT_EQ(noise.hidden, 0.2);
  EXPECT_EQ(noise.attention, 0.3);
  EXPECT_EQ(noise.jitter, 0.4);
  EXPECT_EQ(noise.logits, 0.5);
  EXPECT_EQ(noise.mode, model::Mode::training);
  EXPECT_EQ(noise.activations, model::Activations::kept);
  options.train.recompute = true;
  EXPECT_EQ(training_noise(options, checkpoint).activations, model::Activations::recomputed);
  options.model.hidden_dropout = options.model.attention_dropout = model::Dropout::none;
  EXPECT_EQ(training_noise(options, checkpoint).hidden, 0.0);
  EXPECT_EQ(training_noise(options, checkpoint).attention, 0.0);
}

}  // namespace
}  // namespace coterie::train
