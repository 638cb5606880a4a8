// Every loss at several widths, and hard negatives, against the formulas of the papers and of sentence-transformers,
// written out with autograd.
#include "train/batch_loss.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

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
  return {loss.detach(), {x.a.grad(), x.b.grad(), x.negatives.grad()}, {}};
}

// Pairs from half to two and a half times as long: a short one lies closest to a longer one, which one depends on the
// width.
Embeddings uneven_batch() {
  const Embeddings x = random_batch();
  const at::Tensor length = at::linspace(0.5, 2.5, kPairs, at::kDouble).unsqueeze(1);
  return {x.a * length, x.b * length, x.negatives};
}

// A loss of whole rows, as the options name it, at one width.
at::Tensor plain_loss(LossKind kind, const Embeddings& x, const at::Tensor& scale) {
  at::Tensor target = at::arange(kPairs, at::kLong);
  if (kind == LossKind::mnr_plus) target = (at::mm(x.a, x.a.t()) + at::mm(x.b, x.b.t())).detach().argmax(1);
  const at::Tensor forth = at::cross_entropy_loss(scale * at::mm(x.a, at::cat({x.b, x.negatives}).t()), target);
  if (kind == LossKind::mnr || kind == LossKind::query_to_document) return forth;
  return 0.5 * (forth + at::cross_entropy_loss(scale * at::mm(x.b, x.a.t()), target));
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
  EXPECT_NEAR(got.loss.item<double>(), expected.loss.item<double>(), kBound);
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

struct Case {
  std::string name;
  LossKind kind;
  Similarity similarity;
};

class BatchLossKinds : public testing::TestWithParam<Case> {
 protected:
  // The embeddings as the loss gets them: cosines are dot products of unit vectors.
  [[nodiscard]] static Embeddings given() {
    const Embeddings x = uneven_batch();
    if (GetParam().similarity == Similarity::dot) return x;
    return {kernels::normalize_rows(x.a), kernels::normalize_rows(x.b), kernels::normalize_rows(x.negatives)};
  }
  [[nodiscard]] static Embeddings cut(const Embeddings& x, std::int64_t dims) {
    const auto part = [&](const at::Tensor& rows) {
      const at::Tensor first = rows.narrow(1, 0, dims);
      return GetParam().similarity == Similarity::dot ? first : first / first.norm(2, {1}, /*keepdim=*/true);
    };
    return {part(x.a), part(x.b), part(x.negatives)};
  }
};

TEST_P(BatchLossKinds, of_several_widths_has_the_loss_and_all_gradients_of_autograd) {
  const LossOptions options{.kind = GetParam().kind,
                            .similarity = GetParam().similarity,
                            .matryoshka_dims = {"3", "8", "11"},
                            .matryoshka_weights = {"0.25", "0.5", "2"}};
  Embeddings x = given();
  at::Tensor scale = at::full({}, 1.5, at::kDouble);
  for (at::Tensor* leaf : {&x.a, &x.b, &x.negatives, &scale}) leaf->requires_grad_();
  const at::Tensor expected = 0.25 * plain_loss(options.kind, cut(x, 3), scale) +
                              0.5 * plain_loss(options.kind, cut(x, 8), scale) +
                              2.0 * plain_loss(options.kind, cut(x, 11), scale);
  torch::autograd::backward({expected}, {});

  LossShare sum{at::zeros({}, at::kDouble),
                {at::zeros_like(x.a), at::zeros_like(x.b), at::zeros_like(x.negatives)},
                at::zeros({}, at::kDouble)};
  for (const std::int64_t rank : {0, 1}) {
    const LossShare share = BatchLoss(options, kWidth).share(given(), every(rank, 2), 1.5, no_mask());
    sum.loss += share.loss;
    sum.gradient_scale += share.gradient_scale;
    sum.gradient.a += share.gradient.a;
    sum.gradient.b += share.gradient.b;
    sum.gradient.negatives += share.gradient.negatives;
  }

  expect_equal(sum, {expected.detach(), {x.a.grad(), x.b.grad(), x.negatives.grad()}, {}});
  const double gradient_scale = sum.gradient_scale.item<double>();
  EXPECT_NEAR(gradient_scale, scale.grad().item<double>(), kBound);
  EXPECT_GT(std::abs(gradient_scale), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Kinds, BatchLossKinds,
                         testing::Values(Case{"mnr_cosine", LossKind::mnr, Similarity::cosine},
                                         Case{"mnr_dot", LossKind::mnr, Similarity::dot},
                                         Case{"symmetric_cosine", LossKind::symmetric, Similarity::cosine},
                                         Case{"symmetric_dot", LossKind::symmetric, Similarity::dot},
                                         Case{"mnr_plus_cosine", LossKind::mnr_plus, Similarity::cosine},
                                         Case{"mnr_plus_dot", LossKind::mnr_plus, Similarity::dot},
                                         Case{"query_to_document_cosine", LossKind::query_to_document,
                                              Similarity::cosine},
                                         Case{"query_to_document_dot", LossKind::query_to_document, Similarity::dot}),
                         [](const auto& each) { return each.param.name; });

// Otherwise the case above would never see a target that differs from width to width.
TEST(BatchLoss, of_cut_dot_products_has_pairs_that_lie_closest_to_different_ones) {
  const Embeddings x = uneven_batch();
  const auto targets = [&](std::int64_t dims) {
    const at::Tensor a = x.a.narrow(1, 0, dims);
    const at::Tensor b = x.b.narrow(1, 0, dims);
    return (at::mm(a, a.t()) + at::mm(b, b.t())).argmax(1);
  };

  EXPECT_FALSE(at::equal(targets(3), at::arange(kPairs, at::kLong)));
  EXPECT_FALSE(at::equal(targets(3), targets(11)));
}

TEST(BatchLoss, without_weights_every_width_counts_once) {
  LossOptions options{.kind = LossKind::symmetric, .matryoshka_dims = {"3", "8"}};
  const LossShare unweighted = of_shares(options);
  options.matryoshka_weights = {"1", "1.0"};

  EXPECT_TRUE(at::equal(unweighted.loss, of_shares(options).loss));
}

TEST(BatchLoss, of_dot_products_cuts_without_normalising) {
  const LossOptions options{
      .kind = LossKind::query_to_document, .similarity = Similarity::dot, .matryoshka_dims = {"5"}};
  const Embeddings x = random_batch();

  const LossShare share = BatchLoss(options, kWidth).share(x, every(0, 1), kScale, no_mask());

  const at::Tensor logits = at::mm(x.a.narrow(1, 0, 5), at::cat({x.b, x.negatives}).narrow(1, 0, 5).t()) * kScale;
  const at::Tensor expected = at::cross_entropy_loss(logits, at::arange(kPairs, at::kLong));
  EXPECT_NEAR(share.loss.item<double>(), expected.item<double>(), kBound);
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
  EXPECT_THAT(message({}, {"1"}), HasSubstr("one for each of loss.matryoshka_dims (0), got 1"));
  EXPECT_THAT(message({"4"}, {"0"}), HasSubstr("loss.matryoshka_weights must be above 0, got 0"));
}

}  // namespace
}  // namespace coterie::train
