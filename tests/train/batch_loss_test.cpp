// Matryoshka and hard negatives against the formulas of sentence-transformers, written out with autograd.
#include "train/batch_loss.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "base/error.h"
#include "kernels/pooling.h"

namespace coterie::train {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kPairs = 7;
constexpr std::int64_t kNegatives = 4;
constexpr std::int64_t kWidth = 12;
constexpr double kScale = 20.0;
// A few hundred operations in double on numbers below 100.
constexpr double kBound = 1e-11;

Embeddings random_batch() {
  at::manual_seed(3);
  const auto rows = [](std::int64_t count) { return at::randn({count, kWidth}, at::kDouble); };
  return {rows(kPairs), rows(kPairs), rows(kNegatives)};
}

NegativeMask no_mask() { return {{std::vector<std::int64_t>(kPairs + 1, 0), {}}, {}, {}}; }

std::vector<std::int64_t> every(std::int64_t first, std::int64_t step) {
  std::vector<std::int64_t> positions;
  for (std::int64_t i = first; i < kPairs; i += step) positions.push_back(i);
  return positions;
}

// sentence-transformers' MultipleNegativesRankingLoss: cosine scores of each anchor with all positives, then all
// negatives, times the scale; cross entropy with its own positive.
at::Tensor ranking_loss(const Embeddings& x) {
  const at::Tensor documents = at::cat({x.b, x.negatives});
  const at::Tensor scores = at::cosine_similarity(x.a.unsqueeze(1), documents.unsqueeze(0), -1) * kScale;
  return at::cross_entropy_loss(scores, at::arange(kPairs, at::kLong));
}

// Loss and gradients with respect to the embeddings before their normalisation.
LossShare through_autograd(const std::function<at::Tensor(const Embeddings&)>& loss_of) {
  Embeddings x = random_batch();
  for (at::Tensor* part : {&x.a, &x.b, &x.negatives}) part->requires_grad_();
  const at::Tensor loss = loss_of(x);
  torch::autograd::backward({loss}, {});
  return {loss.item<double>(), {x.a.grad(), x.b.grad(), x.negatives.grad()}, 0.0};
}

// The sum of the shares of two ranks, led back through the normalisation of whole embeddings.
LossShare of_shares(const LossOptions& options) {
  const BatchLoss loss(options, kWidth);
  LossShare sum = through_autograd([&](const Embeddings& x) {
    const Embeddings unit{kernels::normalize_rows(x.a), kernels::normalize_rows(x.b),
                          kernels::normalize_rows(x.negatives)};
    at::Tensor surrogate = at::zeros({}, at::kDouble);
    for (const std::int64_t rank : {0, 1}) {
      const LossShare share = loss.share(unit, every(rank, 2), kScale, no_mask());
      surrogate = surrogate + share.loss;
      const auto lead = [&](const at::Tensor& part, const at::Tensor& gradient) {
        const at::Tensor product = (part * gradient).sum();
        surrogate = surrogate + product - product.detach();
      };
      lead(unit.a, share.gradient.a);
      lead(unit.b, share.gradient.b);
      lead(unit.negatives, share.gradient.negatives);
    }
    return surrogate;
  });
  return sum;
}

void expect_equal(const LossShare& got, const LossShare& expected) {
  EXPECT_NEAR(got.loss, expected.loss, kBound);
  EXPECT_LE((got.gradient.a - expected.gradient.a).abs().max().item<double>(), kBound);
  EXPECT_LE((got.gradient.b - expected.gradient.b).abs().max().item<double>(), kBound);
  EXPECT_LE((got.gradient.negatives - expected.gradient.negatives).abs().max().item<double>(), kBound);
}

TEST(BatchLoss, with_hard_negatives_is_the_ranking_loss_of_triplets) {
  expect_equal(of_shares({.kind = LossKind::mnr}), through_autograd(ranking_loss));
}

TEST(BatchLoss, of_several_widths_is_the_weighted_sum_of_the_losses_of_the_cut_embeddings) {
  const LossOptions options{
      .kind = LossKind::mnr, .matryoshka_dims = {"3", "8", "12"}, .matryoshka_weights = {"0.25", "0.5", "2"}};

  const LossShare expected = through_autograd([](const Embeddings& x) {
    const auto at_width = [&](std::int64_t dims) {
      return ranking_loss({x.a.narrow(1, 0, dims), x.b.narrow(1, 0, dims), x.negatives.narrow(1, 0, dims)});
    };
    return 0.25 * at_width(3) + 0.5 * at_width(8) + 2.0 * at_width(12);
  });

  expect_equal(of_shares(options), expected);
}

TEST(BatchLoss, without_weights_every_width_counts_once) {
  LossOptions options{.kind = LossKind::symmetric, .matryoshka_dims = {"3", "8"}};
  const LossShare unweighted = of_shares(options);
  options.matryoshka_weights = {"1", "1.0"};

  EXPECT_EQ(unweighted.loss, of_shares(options).loss);
}

TEST(BatchLoss, of_dot_products_cuts_without_normalising) {
  const LossOptions options{
      .kind = LossKind::query_to_document, .similarity = Similarity::dot, .matryoshka_dims = {"5"}};
  const Embeddings x = random_batch();

  const LossShare share = BatchLoss(options, kWidth).share(x, every(0, 1), kScale, no_mask());

  const at::Tensor logits = at::mm(x.a.narrow(1, 0, 5), at::cat({x.b, x.negatives}).narrow(1, 0, 5).t()) * kScale;
  EXPECT_NEAR(share.loss, at::cross_entropy_loss(logits, at::arange(kPairs, at::kLong)).item<double>(), kBound);
  EXPECT_EQ(share.gradient.a.narrow(1, 5, kWidth - 5).abs().max().item<double>(), 0.0);
}

TEST(BatchLoss, names_widths_and_weights_that_do_not_fit) {
  const auto message = [](std::vector<std::string> dims, std::vector<std::string> weights) {
    try {
      (void)BatchLoss({.matryoshka_dims = std::move(dims), .matryoshka_weights = std::move(weights)}, kWidth);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };

  EXPECT_THAT(message({"4", "13"}, {}), HasSubstr("loss.matryoshka_dims must ascend within 1..12"));
  EXPECT_THAT(message({"4", "4"}, {}), HasSubstr("got 4"));
  EXPECT_THAT(message({"0"}, {}), HasSubstr("got 0"));
  EXPECT_THAT(message({"4x"}, {}), HasSubstr("must be a list of numbers, got '4x'"));
  EXPECT_THAT(message({"4", "8"}, {"1"}), HasSubstr("one for each of loss.matryoshka_dims (2), got 1"));
  EXPECT_THAT(message({"4"}, {"0"}), HasSubstr("loss.matryoshka_weights must be above 0, got 0"));
}

}  // namespace
}  // namespace coterie::train
