// What the mutual information loss is for: on four domains that differ in their words, experts come to stand for
// domains.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/str.h"
#include "tests/harness/packing.h"
#include "tests/harness/tiny_model.h"
#include "train/router_report.h"
#include "train/training_step.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kDomains = 4;
constexpr std::int64_t kPairs = 16;
constexpr std::int64_t kSteps = 400;
constexpr std::int32_t kFirstWord = 5;
constexpr std::int32_t kWords = 8;  // of each domain

// A text of words of one domain; the two sides of a pair share their first three.
std::vector<std::int32_t> text_of(std::int64_t domain, RandomKey pair, std::uint64_t side) {
  std::vector<std::int32_t> ids = {test::kTinyCls};
  for (std::uint64_t t = 0; t < 9; ++t) {
    const auto word = static_cast<std::int32_t>(random_below(t < 3 ? pair : pair.derive(side), t, kWords));
    ids.push_back(kFirstWord + kWords * static_cast<std::int32_t>(domain) + word);
  }
  ids.push_back(test::kTinyCls + 1);
  return ids;
}

data::Batch pairs_at(std::uint64_t step) {
  data::Batch batch;
  batch.global.a.resize(kPairs);
  batch.global.b.resize(kPairs);
  batch.global.domains = kDomains;
  for (std::int64_t i = 0; i < kPairs; ++i) batch.positions.push_back(i);
  for (const std::int64_t side : {0, 1})
    for (std::int64_t i = 0; i < kPairs; ++i) {
      const RandomKey pair = RandomKey{23}.derive(step).derive(static_cast<std::uint64_t>(i));
      test::append(batch.sequences, text_of(i % kDomains, pair, static_cast<std::uint64_t>(side)), 16,
                   static_cast<std::int32_t>(i % kDomains), side * kPairs + i);
    }
  return batch;
}

data::Batch batch_at(std::uint64_t step) {
  return test::dealt(0, 1, [&](std::int64_t) { return pairs_at(step); });
}

double mean(const std::vector<double>& values) {
  return std::reduce(values.begin(), values.end()) / static_cast<double>(values.size());
}

// The shares of the most possible information that domain and expert of a token have in common, after training with
// these losses on routers beside the contrastive one; of each layer, for five random models.
std::vector<double> information_after_training(const AuxiliaryOptions& losses) {
  model::ModelSpec spec = test::tiny_spec();
  spec.expert_layers = {0, 1};
  spec.router = experts::RouterKind::top_k_token;
  spec.expert_count = kDomains;
  spec.top_k = 1;
  const dist::Mesh mesh = dist::Mesh::solo();
  const NegativeMask mask{{std::vector<std::int64_t>(kPairs + 1, 0), {}}, {}, {}};
  const LossOptions loss = {.auxiliary = losses};
  const std::string arm = str("load balance ", losses.load_balance, ", mutual information ", losses.mutual_information);
  std::vector<double> shares;
  for (const std::uint64_t seed : {5, 6, 7, 8, 9}) {
    const auto model = model::make_sentence_encoder(spec, test::tiny_weights(spec, seed), mesh, at::kFloat);
    TrainingStep step(loss, {.lr = 1e-2, .warmup_steps = 0}, 0, model, mesh);
    for (std::int64_t s = 0; s < kSteps; ++s) (void)step.run(batch_at(static_cast<std::uint64_t>(s)), mask, {}, 1.0);
    // On texts that were not trained on.
    for (const RouterReport& report : router_reports(step.gradients(batch_at(1000000), mask, {}).routers)) {
      shares.push_back(report.mutual_information_share);
      std::printf("%s, model %d, layer %zu: %.4f of the most\n", arm.c_str(), static_cast<int>(seed),
                  (shares.size() - 1) % 2, shares.back());
    }
  }
  const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
  std::printf("%s: %.4f to %.4f of the most, %.4f on the mean\n", arm.c_str(), *least, *most, mean(shares));
  return shares;
}

TEST(MutualInformation, with_the_loss_reaches_nine_tenths_of_the_most_and_without_it_much_less) {
  const std::vector<double> with = information_after_training({.load_balance = 1.0, .mutual_information = 1.0});
  const std::vector<double> without = information_after_training({.load_balance = 1.0});

  EXPECT_GE(mean(with), 0.9);
  // Two domains that share an expert, and keep it, have three quarters.
  EXPECT_GE(*std::min_element(with.begin(), with.end()), 0.7);
  EXPECT_LE(mean(without), 0.3);
  // A half tells no more than two pairs of domains apart.
  EXPECT_LE(*std::max_element(without.begin(), without.end()), 0.5);
}

// How much it reaches without load balance depends on where it settles; that it is the loss that does it does not.
TEST(MutualInformation, with_the_loss_alone_is_well_above_that_without_any_loss_on_routers) {
  const std::vector<double> alone = information_after_training({.mutual_information = 1.0});
  const std::vector<double> neither = information_after_training({});

  EXPECT_GE(mean(alone), mean(neither) + 0.5);
}

}  // namespace
}  // namespace coterie::train
