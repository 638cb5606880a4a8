// Any layout of ranks gives the one-rank result: loss, gradient norm and every gradient, with dropout, masks, a learned
// scale, uneven shares and experts that differ. Runs at 1, 2 and 4 ranks, over every (data x expert) layout of them.
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experts/upcycling.h"
#include "tests/train/layouts.h"

namespace coterie::train {
namespace {

class Layout : public testing::Test {
 protected:
  Layout() : everyone_({}, {}) {}
  // Dot products of embeddings of one length are cosines.
  static model::ModelSpec spec_for(Similarity similarity) {
    model::ModelSpec model_spec = spec();
    model_spec.normalize = similarity == Similarity::cosine;
    return model_spec;
  }
  // |x - y| <= bound |y|, tensor by tensor; key biases have no gradient but rounding.
  static void expect_equal_gradients(const kernels::ParameterStore& got, const kernels::ParameterStore& expected,
                                     double bound) {
    for (const std::string& name : got.names()) {
      if (name.ends_with("key.bias")) continue;
      const double difference = (got.at(name).grad() - expected.at(name).grad()).norm().item().toDouble();
      const double norm = expected.at(name).grad().norm().item().toDouble();
      EXPECT_LE(difference, bound * norm) << name;
    }
  }
  // Where the tokens of each domain went, layer by layer, and the sequences in the head: whole numbers. How sure their
  // routers were: within `bound` of it.
  static void expect_equal_choices(const std::vector<RouterSums>& got, const std::vector<RouterSums>& expected,
                                   double bound) {
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].layer, expected[i].layer);
      EXPECT_TRUE(at::equal(got[i].assigned_DE, expected[i].assigned_DE)) << "layer " << got[i].layer;
      ASSERT_EQ(got[i].learned(), expected[i].learned());
      if (!got[i].learned()) continue;
      EXPECT_TRUE(at::equal(got[i].chosen_E, expected[i].chosen_E)) << "layer " << got[i].layer;
      EXPECT_TRUE(at::equal(got[i].units, expected[i].units)) << "layer " << got[i].layer;
      const double confidence = expected[i].confidence.item<double>();
      EXPECT_NEAR(got[i].confidence.item<double>(), confidence, bound * confidence) << "layer " << got[i].layer;
    }
  }
  void compare_gradients(const kernels::Dtypes& dtypes, double bound, std::int64_t micro_batch_tokens = 0,
                         Shares shares = Shares::uneven, const model::ModelSpec& model_spec = spec()) {
    const StepSettings& settings = settings_;
    const auto batch_of = [&](std::int64_t rank, std::int64_t ranks, Shares how) {
      return settings.hard_negatives ? batch_with_hard_negatives(rank, ranks, how) : batch_for(rank, ranks, how);
    };
    const std::int64_t columns = kPairs + (settings.hard_negatives ? kHardNegatives : 0);
    const NegativeMask mask = settings.same_domain ? within_domains(some_mask(columns), columns) : some_mask(columns);
    const dist::Mesh solo = dist::Mesh::solo();
    const auto reference = model::make_sentence_encoder(model_spec, test::tiny_weights(model_spec, 5, dtypes.master),
                                                        solo, dtypes, loss_parameters(settings.loss));
    ASSERT_EQ(reference.parameters->product(), dtypes.product);
    TrainingStep reference_step(settings.loss, settings.optim, 0, reference, solo);
    const StepResult expected = reference_step.gradients(batch_of(0, 1, Shares::uneven), mask, settings.noise);
    ASSERT_GT(expected.gradient_norm, 0.0);
    for (const std::int64_t axis : expert_axes(everyone_.world().size(), model_spec)) {
      SCOPED_TRACE(str("expert axis ", axis));
      const dist::Mesh mesh({.expert = axis}, {});
      const auto model = model::make_sentence_encoder(model_spec, test::tiny_weights(model_spec, 5, dtypes.master),
                                                      mesh, dtypes, loss_parameters(settings.loss));
      TrainingStep step(settings.loss, settings.optim, micro_batch_tokens, model, mesh);

      model::Noise noise = settings.noise;
      noise.activations = activations_;
      const StepResult result = step.gradients(batch_of(mesh.world().rank(), mesh.world().size(), shares), mask, noise);

      if (dtypes.product == at::kDouble) expect_equal_choices(result.routers, expected.routers, bound);
      EXPECT_NEAR(result.loss, expected.loss, bound * expected.loss);
      EXPECT_NEAR(result.auxiliary.total, expected.auxiliary.total, bound * std::abs(expected.auxiliary.total));
      EXPECT_NEAR(result.gradient_norm, expected.gradient_norm, bound * expected.gradient_norm);
      expect_equal_gradients(*model.parameters, *reference.parameters, bound);
    }
  }

  void expect_balance_of_the_global_load(const model::ModelSpec& balanced) const {
    StepSettings settings;
    settings.optim.lr = 0.0;
    settings.optim.router_balance_rate = 0.01;
    const model::Weights weights = test::tiny_weights(balanced, 5, at::kDouble);
    const dist::Mesh solo = dist::Mesh::solo();
    const auto whole = model::make_sentence_encoder(balanced, weights, solo, at::kDouble);
    experts::Plans plans;
    (void)whole.encoder->embed(batch_for(0, 1).sequences, settings.noise, plans);

    for (const std::int64_t axis : expert_axes(everyone_.world().size())) {
      SCOPED_TRACE(str("expert axis ", axis));
      const dist::Mesh mesh({.expert = axis}, {});
      const auto model =
          model::make_sentence_encoder(balanced, weights, mesh, at::kDouble, loss_parameters(settings.loss));
      TrainingStep step(settings.loss, settings.optim, 20, model, mesh);
      (void)step.run(batch_for(mesh.world().rank(), mesh.world().size()), some_mask(), settings.noise, 1.0);

      ASSERT_EQ(plans.records().size(), 2U);
      for (const experts::RouterRecord& record : plans.records()) {
        const std::string name = experts::balance_tensor(record.layer);
        const at::Tensor load_E = record.scores.expert_UK.flatten().bincount({}, kDomains).to(at::kDouble);
        EXPECT_GT(load_E.max().item<double>(), load_E.min().item<double>()) << "the load must be uneven";
        const at::Tensor expected_E = weights.at(name) + 0.01 * (load_E.mean() - load_E).sign();
        EXPECT_TRUE(at::equal(model.parameters->at(name), expected_E)) << name;
      }
    }
  }

  dist::Mesh everyone_;
  StepSettings settings_;
  model::Activations activations_ = model::Activations::kept;  // of the ranks; the reference keeps them
};

TEST_F(Layout, gradients_of_every_loss_are_those_of_one_rank) {
  for (const LossKind kind : {LossKind::mnr, LossKind::mnr_plus, LossKind::query_to_document})
    for (const Similarity similarity : {Similarity::cosine, Similarity::dot})
      for (const std::int64_t tokens : {0, 20}) {
        SCOPED_TRACE(str("loss ", static_cast<int>(kind), ", similarity ", static_cast<int>(similarity), ", ", tokens,
                         " tokens a piece"));
        settings_.loss = {.kind = kind, .similarity = similarity, .scale = 1.0 / 0.7, .learn_scale = true};
        compare_gradients(at::kDouble, 1e-10, tokens, Shares::uneven, spec_for(similarity));
        settings_.loss.matryoshka_dims = {"3", "8"};
        compare_gradients(at::kDouble, 1e-10, tokens, Shares::uneven, spec_for(similarity));
      }
}

// Otherwise the test above would never see a pair whose target is another.
TEST_F(Layout, of_embeddings_of_all_lengths_some_pairs_lie_closer_to_others_than_to_themselves) {
  const dist::Mesh solo = dist::Mesh::solo();
  const model::ModelSpec unnormalised = spec_for(Similarity::dot);
  const auto model =
      model::make_sentence_encoder(unnormalised, test::tiny_weights(unnormalised, 5, at::kDouble), solo, at::kDouble);
  std::vector<double> losses;
  for (const LossKind kind : {LossKind::symmetric, LossKind::mnr_plus})
    losses.push_back(TrainingStep({.kind = kind, .similarity = Similarity::dot, .scale = 1.0 / 0.7}, {}, 0, model, solo)
                         .gradients(batch_for(0, 1), some_mask(), settings_.noise)
                         .loss);

  EXPECT_LT(losses[1], losses[0]) << "the closest pair has the larger logit";
}

TEST_F(Layout, gradients_with_hard_negatives_at_several_widths_are_those_of_one_rank) {
  settings_.hard_negatives = true;
  settings_.loss.matryoshka_dims = {"3", "8"};
  settings_.loss.matryoshka_weights = {"0.5", "1"};
  for (const Shares shares : {Shares::uneven, Shares::on_all_ranks})
    for (const std::int64_t tokens : {0, 20}) {
      SCOPED_TRACE(str(tokens, " tokens a piece"));
      compare_gradients(at::kDouble, 1e-10, tokens, shares);
    }
}

TEST_F(Layout, gradients_of_every_loss_within_domains_and_with_hard_negatives_are_those_of_one_rank) {
  settings_.same_domain = true;
  for (const LossKind kind : {LossKind::mnr, LossKind::symmetric, LossKind::mnr_plus, LossKind::query_to_document})
    for (const bool hard_negatives : {false, true}) {
      SCOPED_TRACE(str("loss ", static_cast<int>(kind), hard_negatives ? ", hard negatives" : ""));
      settings_.hard_negatives = hard_negatives;
      settings_.loss = {.kind = kind, .similarity = Similarity::dot, .scale = 1.0 / 0.7, .learn_scale = true};
      compare_gradients(at::kDouble, 1e-10, 20, Shares::uneven, spec_for(Similarity::dot));
    }
}

// Otherwise the test above could not tell a mask by domain from none.
TEST_F(Layout, negatives_within_domains_are_fewer_and_the_loss_is_lower) {
  const dist::Mesh solo = dist::Mesh::solo();
  const auto model =
      model::make_sentence_encoder(spec(), test::tiny_weights(spec(), 5, at::kDouble), solo, at::kDouble);
  TrainingStep step({.kind = LossKind::mnr}, {}, 0, model, solo);
  const auto batch = batch_with_hard_negatives(0, 1, Shares::uneven);
  const NegativeMask all = some_mask(kPairs + kHardNegatives);

  const double within = step.gradients(batch, within_domains(all, kPairs + kHardNegatives), settings_.noise).loss;

  EXPECT_LT(within, step.gradients(batch, all, settings_.noise).loss - 0.01);
}

TEST_F(Layout, gradients_in_double_are_those_of_one_rank) { compare_gradients(at::kDouble, 1e-10); }

TEST_F(Layout, gradients_with_pairs_on_all_ranks_are_those_of_one_rank) {
  compare_gradients(at::kDouble, 1e-10, 0, Shares::on_all_ranks);
}

// What the tests of this file rely on.
TEST_F(Layout, with_four_ranks_only_the_last_has_no_pairs_or_none_has_none) {
  const auto pairs_of = [](std::int64_t ranks, Shares shares) {
    std::vector<std::size_t> pairs;
    for (std::int64_t rank = 0; rank < ranks; ++rank) pairs.push_back(batch_for(rank, ranks, shares).positions.size());
    return pairs;
  };

  EXPECT_EQ(pairs_of(4, Shares::uneven), (std::vector<std::size_t>{4, 3, 2, 0}));
  EXPECT_EQ(pairs_of(4, Shares::on_all_ranks), (std::vector<std::size_t>{3, 2, 2, 2}));
  EXPECT_EQ(pairs_of(2, Shares::uneven), (std::vector<std::size_t>{5, 4}));
  EXPECT_EQ(pairs_of(1, Shares::uneven), (std::vector<std::size_t>{9}));
}

TEST_F(Layout, gradients_in_single_precision_are_those_of_one_rank) { compare_gradients(at::kFloat, 1e-5); }

TEST_F(Layout, gradients_under_learned_routes_are_those_of_one_rank) {
  for (const std::int64_t top_k : {1, 2})
    for (const std::int64_t tokens : {0, 20}) {
      SCOPED_TRACE(str("top ", top_k, ", ", tokens, " tokens a piece"));
      compare_gradients(at::kDouble, 1e-10, tokens, Shares::uneven, learned_spec(top_k));
    }
}

TEST_F(Layout, gradients_with_losses_on_the_routers_are_those_of_one_rank) {
  settings_.loss.auxiliary = {0.3, 0.2, 0.5, 0.7};
  for (const std::int64_t top_k : {1, 2})
    for (const std::int64_t tokens : {0, 20}) {
      SCOPED_TRACE(str("top ", top_k, ", ", tokens, " tokens a piece"));
      compare_gradients(at::kDouble, 1e-10, tokens, Shares::uneven, learned_spec(top_k));
    }
}

TEST_F(Layout, losses_on_the_routers_of_sentences_heads_and_beside_a_head_keep_it) {
  settings_.loss.auxiliary = {0.3, 0.2, 0.5, 0.7};
  for (const Variant& each : variants()) {
    if (!experts::learns(each.spec.router)) continue;
    SCOPED_TRACE(each.name);
    compare_gradients(at::kDouble, 1e-10, 20, Shares::uneven, with_head(each.spec));
  }
}

TEST_F(Layout, gradients_of_every_router_expert_and_head_are_those_of_one_rank) {
  for (const Variant& each : variants())
    for (const std::int64_t tokens : {0, 20}) {
      SCOPED_TRACE(str(each.name, ", ", tokens, " tokens a piece"));
      compare_gradients(at::kDouble, 1e-10, tokens, Shares::uneven, each.spec);
    }
}

TEST_F(Layout, gradients_of_every_router_expert_and_head_in_single_precision_are_those_of_one_rank) {
  for (const Variant& each : variants())
    for (const std::int64_t tokens : {0, 20}) {
      SCOPED_TRACE(str(each.name, ", ", tokens, " tokens a piece"));
      compare_gradients(at::kFloat, 1e-5, tokens, Shares::uneven, each.spec);
    }
}

TEST_F(Layout, activations_computed_again_give_the_gradients_of_kept_ones) {
  activations_ = model::Activations::recomputed;
  for (const std::int64_t tokens : {0, 20}) {
    SCOPED_TRACE(str(tokens, " tokens a piece"));
    settings_.loss.auxiliary = {};
    compare_gradients(at::kDouble, 1e-10, tokens);
    for (const Variant& each : variants()) {
      SCOPED_TRACE(each.name);
      settings_.loss.auxiliary = {};
      if (experts::learns(each.spec.router)) settings_.loss.auxiliary = {0.3, 0.2, 0.5, 0.7};
      compare_gradients(at::kDouble, 1e-10, tokens, Shares::uneven, each.spec);
    }
  }
}

// A product over other rows may add in another order, and its result then rounds to the neighbouring bf16 number, at
// most 2^-7 of itself away. Gradients are sums of such; the bound is twice that, where a wrong factor would be a half
// or more.
TEST_F(Layout, gradients_in_bf16_are_those_of_one_rank_but_for_roundings) {
  const kernels::Dtypes bf16{at::kFloat, at::kBFloat16};
  const double roundings = 2 * std::ldexp(1.0, -7);
  compare_gradients(bf16, roundings);
  for (const Variant& each : variants())
    for (const std::int64_t tokens : {0, 20}) {
      SCOPED_TRACE(str(each.name, ", ", tokens, " tokens a piece"));
      compare_gradients(bf16, roundings, tokens, Shares::uneven, each.spec);
    }
}

TEST_F(Layout, in_one_layout_activations_computed_again_give_the_same_bits) {
  const auto gradients = [&](const model::ModelSpec& of, const kernels::Dtypes& dtypes,
                             model::Activations activations) {
    auto model = model::make_sentence_encoder(of, test::tiny_weights(of, 5, dtypes.master), everyone_, dtypes,
                                              loss_parameters(settings_.loss));
    TrainingStep step(settings_.loss, settings_.optim, 20, model, everyone_);
    model::Noise noise = settings_.noise;
    noise.activations = activations;
    (void)step.gradients(batch_for(everyone_.world().rank(), everyone_.world().size()), some_mask(), noise);
    return model;
  };
  for (const model::ModelSpec& of : {spec(), learned_spec(2)})
    for (const kernels::Dtypes& dtypes : {kernels::Dtypes(at::kFloat), kernels::Dtypes(at::kFloat, at::kBFloat16)}) {
      settings_.loss.auxiliary = {};
      if (experts::learns(of.router)) settings_.loss.auxiliary = {0.3, 0.2, 0.5, 0.7};
      const auto kept = gradients(of, dtypes, model::Activations::kept);
      const auto again = gradients(of, dtypes, model::Activations::recomputed);
      for (const std::string& name : kept.parameters->names())
        EXPECT_TRUE(at::equal(again.parameters->at(name).grad(), kept.parameters->at(name).grad()))
            << name << ", " << experts::name_of(of.router) << ", " << dtypes.product;
    }
}

// Ranks have different numbers of sequences, hence of pieces: those of an expert group must still agree.
TEST_F(Layout, gradient_caching_gives_the_gradients_of_one_piece) {
  for (const std::int64_t tokens : {1, 20, 60}) {
    SCOPED_TRACE(str(tokens, " tokens a piece"));
    compare_gradients(at::kDouble, 1e-10, tokens);
  }
}

TEST_F(Layout, several_clipped_steps_end_at_the_parameters_of_one_rank) {
  const StepSettings settings;
  const dist::Mesh solo = dist::Mesh::solo();
  const auto run = [&](const dist::Mesh& mesh, std::int64_t rank, std::int64_t ranks) {
    auto model = model::make_sentence_encoder(spec(), test::tiny_weights(spec(), 5, at::kDouble), mesh, at::kDouble,
                                              loss_parameters(settings.loss));
    TrainingStep step(settings.loss, settings.optim, 0, model, mesh);
    for (std::uint64_t s = 0; s < 4; ++s) {
      model::Noise noise = settings.noise;
      noise.key = noise.key.derive(s);
      const StepResult result = step.run(batch_for(rank, ranks), some_mask(), noise, 1.0);
      EXPECT_GT(result.gradient_norm, settings.optim.clip_norm) << "clipping must be at work";
    }
    return model;
  };
  const auto reference = run(solo, 0, 1);

  for (const std::int64_t axis : expert_axes(everyone_.world().size())) {
    SCOPED_TRACE(str("expert axis ", axis));
    const dist::Mesh mesh({.expert = axis}, {});
    const auto model = run(mesh, mesh.world().rank(), mesh.world().size());
    for (const std::string& name : model.parameters->names()) {
      // AdamW divides by the root of the second moment: gradients that are rounding only are blown up.
      if (name.ends_with("key.bias")) continue;
      // A gradient is a sum of at most some thousand products in double: relative to the clipped norm of 0.05 it is
      // off by 1e3 * 1.1e-16, hence by 6e-15. AdamW's g / (|g| + 1e-8) makes of that at most 6e-7, the learning rate of
      // 1e-3 then 6e-10, and four steps 2.4e-9. Tensors have norms of about 1; what is left up to the bound is for
      // what a step does to the gradients of the next.
      const double difference = (model.parameters->at(name) - reference.parameters->at(name)).norm().item().toDouble();
      EXPECT_LE(difference, 1e-8 * reference.parameters->at(name).norm().item().toDouble()) << name;
    }
  }
}

// With a learning rate of zero the step moves nothing but the biases.
TEST_F(Layout, the_balance_of_a_route_follows_the_load_of_the_global_batch) {
  for (model::ModelSpec balanced :
       {learned_spec(2), variant("sentences", experts::RouterKind::switch_sentence, kDomains).spec}) {
    SCOPED_TRACE(experts::name_of(balanced.router));
    balanced.router_balance = true;
    expect_balance_of_the_global_load(balanced);
  }
}

// Domain 3 has no sequence; a gate's bias keeps its expert 3 from being chosen.
TEST_F(Layout, an_expert_without_tokens_has_a_zero_gradient_everywhere_under_every_router) {
  const StepSettings settings;
  std::vector<Variant> all = variants();
  all.push_back({"domain", spec()});
  all.push_back(variant("top_2_token", experts::RouterKind::top_k_token, kDomains, 2));
  for (Variant& each : all) {
    model::ModelSpec& of = each.spec;
    if (of.router == experts::RouterKind::random || of.router == experts::RouterKind::dense) continue;
    of.router_balance = experts::learns(of.router);
    model::Weights weights = test::tiny_weights(of, 5, at::kDouble);
    for (auto& [name, value] : weights)
      if (name.ends_with("router.balance.bias") || name == "head.gate.output.bias") value[3] = -1e3;
    for (const std::int64_t axis : expert_axes(everyone_.world().size(), of)) {
      SCOPED_TRACE(str(each.name, ", expert axis ", axis));
      const dist::Mesh mesh({.expert = axis}, {});
      const auto model = model::make_sentence_encoder(of, weights, mesh, at::kDouble, loss_parameters(settings.loss));
      TrainingStep step(settings.loss, settings.optim, 20, model, mesh);

      const auto result =
          step.gradients(batch_for(mesh.world().rank(), mesh.world().size()), some_mask(), settings.noise);

      for (const RouterSums& sums : result.routers) EXPECT_EQ(sums.assigned_DE.sum({0})[3].item<double>(), 0.0);
      for (const std::string& name : model.parameters->names()) {
        if (name.find("experts.3.") == std::string::npos) continue;
        ASSERT_TRUE(model.parameters->at(name).grad().defined()) << name;
        EXPECT_EQ(model.parameters->at(name).grad().abs().max().item().toDouble(), 0.0) << name;
      }
    }
  }
}

}  // namespace
}  // namespace coterie::train
