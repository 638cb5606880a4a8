// config.json + coterie.json: what is written reads back, and every broken rule is named with file and value.
#include "model/model_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_model.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::tiny_spec;
using testing::HasSubstr;

class Spec : public testing::Test {
 protected:
  void write(const ModelSpec& spec) { write_model_spec(*real_file_ops(), folder(), spec); }

  /// What reading says of a coterie.json with this content.
  std::string said_of(const std::string& text) {
    write(tiny_spec({"biology", "physics"}, {0, 1}));
    fs::remove(file());
    test::write_text(file(), text);
    const std::string said = test::data_error([&] { (void)read_model_spec(folder()); });
    EXPECT_THAT(said, HasSubstr(file().string()));
    return said;
  }
  std::string with(const std::string& key, const nlohmann::json& value) {
    write(tiny_spec({"biology", "physics"}, {0, 1}));
    nlohmann::json object = nlohmann::json::parse(read_file(file()));
    if (value.is_discarded())
      object.erase(key);
    else
      object[key] = value;
    return said_of(object.dump());
  }

  [[nodiscard]] const fs::path& folder() const { return temporary_.path(); }
  [[nodiscard]] fs::path file() const { return folder() / "coterie.json"; }

 private:
  test::TemporaryFolder temporary_;
};

const nlohmann::json kAbsent = nlohmann::json::value_t::discarded;

TEST_F(Spec, with_experts_reads_back) {
  ModelSpec spec = tiny_spec({"biology", "physics"}, {1});
  spec.pooling = Pooling::max;
  spec.normalize = false;
  spec.max_length = 12;
  spec.bert.hidden_dropout = 0.25;

  write(spec);
  const ModelSpec read = read_model_spec(folder());

  EXPECT_EQ(read, spec);
}

TEST(SpecDifferences, of_equal_specs_are_none) {
  EXPECT_EQ(differences(tiny_spec({"x", "y"}, {1}), tiny_spec({"x", "y"}, {1})), "");
}

TEST(SpecDifferences, name_every_key_that_differs) {
  const ModelSpec earlier = tiny_spec({"x", "y"}, {1});
  const auto after = [&](const std::function<void(ModelSpec&)>& change) {
    ModelSpec now = earlier;
    change(now);
    return differences(earlier, now);
  };

  EXPECT_EQ(after([](auto& s) { s.pooling = Pooling::cls; }), "\n  the model's pooling was \"mean\", got \"cls\"");
  EXPECT_EQ(after([](auto& s) { s.normalize = false; }), "\n  the model's normalize was true, got false");
  EXPECT_EQ(after([](auto& s) { s.max_length = 9; }), "\n  the model's max_length was 16, got 9");
  EXPECT_EQ(after([](auto& s) {
              s.domains = {"x", "z"};
            }),
            "\n  the model's domains was [\"x\",\"y\"], got [\"x\",\"z\"]");
  EXPECT_EQ(after([](auto& s) { s.expert_layers = {0}; }), "\n  the model's expert_layers was [1], got [0]");
  EXPECT_EQ(after([](auto& s) { s.domain_tokens = false; }), "\n  the model's domain_tokens was true, got false");
  EXPECT_EQ(after([](auto& s) { s.bert.heads = 4; }), "\n  the model's num_attention_heads was 2, got 4");
  EXPECT_EQ(after([](auto& s) { s.bert.layer_norm_eps = 0.5; }), "\n  the model's layer_norm_eps was 1e-12, got 0.5");
  EXPECT_EQ(after([](auto& s) { s.bert.activation = kernels::Activation::gelu_tanh; }),
            "\n  the model's hidden_act was \"gelu\", got \"gelu_new\"");
  EXPECT_EQ(after([](auto& s) { s.bert.hidden_dropout = s.bert.attention_dropout = 0.0; }),
            "\n  the model's attention_probs_dropout_prob was 0.1, got 0.0"
            "\n  the model's hidden_dropout_prob was 0.1, got 0.0");
}

TEST_F(Spec, of_a_dense_model_reads_back) {
  write(tiny_spec());
  const ModelSpec read = read_model_spec(folder());

  EXPECT_TRUE(read.domains.empty());
  EXPECT_EQ(read.expert_count, 0);
  EXPECT_EQ(read.vocabulary(), read.bert.vocab_size);
  EXPECT_FALSE(read.domain_tokens);
}

TEST_F(Spec, each_pooling_reads_back) {
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::max}) {
    ModelSpec spec = tiny_spec();
    spec.pooling = pooling;
    write(spec);
    EXPECT_EQ(read_model_spec(folder()).pooling, pooling);
  }
}

TEST_F(Spec, counts_experts_and_rows) {
  EXPECT_EQ(tiny_spec({"a", "b", "c"}, {0}).expert_count, 3);
  EXPECT_EQ(tiny_spec({"a", "b", "c"}, {0}).vocabulary(), 43);
  EXPECT_EQ(tiny_spec({"a", "b", "c"}, {}).expert_count, 0);
}

TEST_F(Spec, finds_a_domain_and_lists_them_if_there_is_none) {
  const ModelSpec spec = tiny_spec({"biology", "physics"}, {0});

  EXPECT_EQ(spec.domain("physics"), 1);
  try {
    (void)spec.domain("poetry");
    ADD_FAILURE() << "it was found";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("one of biology, physics, got 'poetry'"));
  }
  EXPECT_THROW((void)tiny_spec().domain("poetry"), ConfigError);
}

TEST_F(Spec, must_be_json) { EXPECT_THAT(said_of("{"), HasSubstr("parse")); }

TEST_F(Spec, must_be_an_object) { EXPECT_NE(said_of("[]"), ""); }

TEST_F(Spec, must_have_every_key) {
  for (const char* key :
       {"format", "version", "pooling", "normalize", "max_length", "domains", "router", "experts", "top_k",
        "expert_layers", "domain_tokens", "heads", "router_balance", "expert_mlp", "shared_expert", "head"})
    EXPECT_THAT(with(key, kAbsent), HasSubstr(key));
}

TEST_F(Spec, must_be_of_this_format_and_version) {
  EXPECT_THAT(with("format", "other"), HasSubstr("got \"other\""));
  EXPECT_THAT(with("version", 1), HasSubstr("version 3, got \"coterie-model\", 1"));
}

TEST_F(Spec, pooling_must_be_known) {
  EXPECT_THAT(with("pooling", "median"), HasSubstr("one of mean, cls, max, got 'median'"));
  EXPECT_NE(with("pooling", 3), "");
}

TEST_F(Spec, max_length_must_fit_the_position_table) {
  EXPECT_THAT(with("max_length", 17), HasSubstr("3..16, got 17"));
  EXPECT_THAT(with("max_length", 2), HasSubstr("3..16, got 2"));
  EXPECT_THAT(with("max_length", -1), HasSubstr("3..16, got -1"));
  EXPECT_THAT(with("max_length", 12.5), HasSubstr("max_length"));
  EXPECT_THAT(with("max_length", "16"), HasSubstr("max_length"));
}

TEST_F(Spec, with_a_learned_router_reads_back) {
  ModelSpec spec = tiny_spec();
  spec.expert_layers = {1};
  spec.router = experts::RouterKind::top_k_token;
  spec.expert_count = 5;
  spec.top_k = 2;

  write(spec);
  const ModelSpec read = read_model_spec(folder());

  EXPECT_EQ(read.router, experts::RouterKind::top_k_token);
  EXPECT_EQ(read.expert_count, 5);
  EXPECT_EQ(read.top_k, 2);
}

TEST_F(Spec, the_router_must_fit_layers_experts_and_domains) {
  EXPECT_THAT(with("router", "topk"),
              HasSubstr("router must be one of none, domain, top_k_token, token_type, index, "));
  EXPECT_THAT(with("router", "topk"), HasSubstr("multi_head, got 'topk'"));
  EXPECT_THAT(with("router", "none"), HasSubstr("router must be none exactly where no layer has experts, got 'none'"));
  EXPECT_THAT(with("experts", 3), HasSubstr("experts must be as many as domains (2) when routed by them, got 3"));
  EXPECT_THAT(with("experts", 0), HasSubstr("experts must be 1..4096, got 0"));
  EXPECT_THAT(with("experts", 1 << 20), HasSubstr("experts must be 1..4096, got 1048576"));
  EXPECT_THAT(with("top_k", 3), HasSubstr("top_k must be 1..2, got 3"));
  EXPECT_THAT(with("top_k", 0), HasSubstr("top_k must be 1..2, got 0"));
}

TEST_F(Spec, with_every_kind_of_expert_and_a_head_reads_back) {
  ModelSpec spec = tiny_spec();
  spec.expert_layers = {0};
  spec.router = experts::RouterKind::multi_head;
  spec.expert_count = 6;
  spec.heads = 4;
  spec.router_balance = true;
  spec.expert_mlp = experts::MlpKind::glu;
  spec.shared_expert = true;
  spec.head = experts::HeadKind::sb_moe;
  spec.head_experts = 3;
  spec.head_inference = experts::HeadInference::all;

  write(spec);

  EXPECT_EQ(read_model_spec(folder()), spec);
}

TEST_F(Spec, heads_balance_and_the_head_must_fit) {
  EXPECT_THAT(with("heads", 2), HasSubstr("heads must be 1, got 2"));
  EXPECT_THAT(with("router_balance", true), HasSubstr("router_balance must be false where the router does not learn"));
  EXPECT_THAT(with("expert_mlp", "swiglu"), HasSubstr("expert_mlp must be one of plain, glu, got 'swiglu'"));
  EXPECT_THAT(with("head", {{"kind", "sb_moe"}, {"experts", 0}, {"inference", "top1"}}),
              HasSubstr("head.experts must be 1..4096, got 0"));
  EXPECT_THAT(with("head", {{"kind", "none"}, {"experts", 2}, {"inference", "top1"}}),
              HasSubstr("head.experts must be 0 without a head, got 2"));
  EXPECT_THAT(with("head", {{"kind", "none"}, {"experts", 0}, {"inference", "best"}}),
              HasSubstr("head.inference must be one of top1, all, random, got 'best'"));
}

TEST_F(Spec, expert_layers_must_ascend_within_the_model) {
  EXPECT_THAT(with("expert_layers", {1, 0}), HasSubstr("ascend within 0..1, got 0"));
  EXPECT_THAT(with("expert_layers", {1, 1}), HasSubstr("got 1"));
  EXPECT_THAT(with("expert_layers", {0, 2}), HasSubstr("got 2"));
  EXPECT_THAT(with("expert_layers", {-1}), HasSubstr("got -1"));
  EXPECT_THAT(with("expert_layers", {0.5}), HasSubstr("expert_layers"));
  EXPECT_THAT(with("expert_layers", 1), HasSubstr("type"));
}

TEST_F(Spec, domains_must_differ_and_be_there_where_they_are_used) {
  EXPECT_THAT(with("domains", nlohmann::json::array()), HasSubstr("domains must not be empty"));
  EXPECT_THAT(with("domains", {"a", "a"}), HasSubstr("domains must differ"));
  EXPECT_NE(with("domains", {1, 2}), "");
}

TEST_F(Spec, a_broken_config_json_is_named) {
  write(tiny_spec());
  test::write_text(folder() / "config.json", "{");

  EXPECT_THAT(test::data_error([&] { (void)read_model_spec(folder()); }),
              HasSubstr((folder() / "config.json").string()));
}

}  // namespace
}  // namespace coterie::model
