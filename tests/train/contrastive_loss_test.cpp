// The tiled, masked losses against matrices and autograd, and against finite differences.
#include "train/contrastive_loss.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "base/str.h"
#include "kernels/pooling.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kWidth = 6;
// All in double: a few hundred additions of numbers below 100 lose at most about 1e-13 each.
constexpr double kBound = 1e-10;

struct Problem {
  Embeddings batch;
  double scale;
  NegativeMask mask;
};

struct Case {
  const char* name;
  LossKind kind;
  std::int64_t pairs;
  double scale;
  bool masked = false;
  bool domains = false;
  std::int64_t hard_negatives = 0;
  bool unit = true;  ///< vectors of length one, or of many lengths
};

Problem problem(const Case& c) {
  at::manual_seed(7);
  const auto rows = [&](std::int64_t count) {
    const at::Tensor random = at::randn({count, kWidth}, at::kDouble);
    if (c.unit) return kernels::normalize_rows(random);
    // Short ones lie closer to a long one than to themselves.
    return random * at::linspace(0.2, 1.5, count, at::kDouble).unsqueeze(1);
  };
  Problem p{{rows(c.pairs), rows(c.pairs), rows(c.hard_negatives)}, c.scale, {}};
  const std::int64_t columns = c.pairs + c.hard_negatives;
  for (std::int64_t i = 0; i < c.pairs; ++i) {
    for (std::int64_t j = 0; c.masked && j < columns; ++j)
      if (j != i && (i * 7 + j * 3) % 5 == 0) p.mask.known.columns.push_back(j);
    p.mask.known.row_offsets.push_back(static_cast<std::int64_t>(p.mask.known.columns.size()));
    if (c.domains) p.mask.domain_a.push_back(static_cast<std::int32_t>(i % 3));
  }
  for (std::int64_t j = 0; c.domains && j < columns; ++j) p.mask.domain_b.push_back(static_cast<std::int32_t>(j % 2));
  return p;
}

std::vector<std::int64_t> every(std::int64_t pairs, std::int64_t first, std::int64_t step) {
  std::vector<std::int64_t> positions;
  for (std::int64_t i = first; i < pairs; i += step) positions.push_back(i);
  return positions;
}

// The target of each row, by the paper's formula.
at::Tensor targets(const Case& c, const Problem& p) {
  if (c.kind != LossKind::mnr_plus) return at::arange(c.pairs, at::kLong);
  const auto& [a, b, negatives] = p.batch;
  return ((at::mm(a, a.t()) + at::mm(b, b.t())) / 2).softmax(-1).argmax(-1);
}

// True where (i, j) stays in the denominators of the rows, targets aside.
at::Tensor allowed(const Problem& p) {
  const std::int64_t n = p.batch.a.size(0);
  const std::int64_t columns = n + p.batch.negatives.size(0);
  at::Tensor keep = at::ones({n, columns}, at::kBool);
  auto cell = keep.accessor<bool, 2>();
  for (std::int64_t i = 0; i < n; ++i) {
    const auto row = static_cast<std::size_t>(i);
    for (std::int64_t k = p.mask.known.row_offsets[row]; k < p.mask.known.row_offsets[row + 1]; ++k)
      cell[i][p.mask.known.columns[static_cast<std::size_t>(k)]] = false;
    for (std::int64_t j = 0; !p.mask.domain_a.empty() && j < columns; ++j)
      if (j != i && p.mask.domain_a[row] != p.mask.domain_b[static_cast<std::size_t>(j)]) cell[i][j] = false;
  }
  return keep;
}

// Cross entropy of the logits [rows, columns] with the masked cells out, those of the targets in.
at::Tensor masked_cross_entropy(const at::Tensor& logits, const at::Tensor& keep, const at::Tensor& target) {
  const at::Tensor stays = keep.scatter(1, target.unsqueeze(1), 1);
  return at::cross_entropy_loss(logits.masked_fill(~stays, -std::numeric_limits<double>::infinity()), target);
}

// The whole loss, differentiable, with matrices.
at::Tensor plain_loss(const Case& c, const Problem& p, const Embeddings& x, const at::Tensor& scale) {
  const at::Tensor target = targets(c, p);
  const at::Tensor keep = allowed(p);
  const at::Tensor forth = masked_cross_entropy(scale * at::mm(x.a, at::cat({x.b, x.negatives}).t()), keep, target);
  if (c.kind == LossKind::mnr || c.kind == LossKind::query_to_document) return forth;
  const at::Tensor keep_back = keep.narrow(1, 0, c.pairs).t().contiguous();
  return (forth + masked_cross_entropy(scale * at::mm(x.b, x.a.t()), keep_back, target)) / 2;
}

struct Reference {
  double loss;
  Embeddings gradient;
  double gradient_scale;
};

Reference reference(const Case& c, const Problem& p) {
  const Embeddings x{p.batch.a.clone().requires_grad_(), p.batch.b.clone().requires_grad_(),
                     p.batch.negatives.clone().requires_grad_()};
  const at::Tensor scale = at::full({}, p.scale, at::kDouble).requires_grad_();
  const at::Tensor loss = plain_loss(c, p, x, scale);
  torch::autograd::backward({loss}, {});
  const at::Tensor negatives = x.negatives.grad().defined() ? x.negatives.grad() : at::zeros_like(x.negatives);
  return {loss.item<double>(), {x.a.grad(), x.b.grad(), negatives}, scale.grad().item<double>()};
}

double most(const at::Tensor& x) { return x.numel() == 0 ? 0.0 : x.abs().max().item<double>(); }

class ContrastiveLoss : public testing::TestWithParam<Case> {};

TEST_P(ContrastiveLoss, shares_add_up_to_loss_and_gradients_of_the_whole) {
  const Case& c = GetParam();
  const Problem p = problem(c);
  const Reference expected = reference(c, p);

  for (const std::int64_t ranks : {1, 3}) {
    SCOPED_TRACE(str(ranks, " ranks"));
    LossShare sum{at::zeros({}, at::kDouble),
                  {at::zeros_like(p.batch.a), at::zeros_like(p.batch.b), at::zeros_like(p.batch.negatives)},
                  at::zeros({}, at::kDouble)};
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      const LossShare share = contrastive_loss(c.kind, p.batch, every(c.pairs, rank, ranks), p.scale, p.mask);
      sum.loss += share.loss;
      sum.gradient_scale += share.gradient_scale;
      sum.gradient.a += share.gradient.a;
      sum.gradient.b += share.gradient.b;
      sum.gradient.negatives += share.gradient.negatives;
    }

    EXPECT_NEAR(sum.loss.item<double>(), expected.loss, kBound);
    EXPECT_NEAR(sum.gradient_scale.item<double>(), expected.gradient_scale, kBound);
    EXPECT_LE(most(sum.gradient.a - expected.gradient.a), kBound);
    EXPECT_LE(most(sum.gradient.b - expected.gradient.b), kBound);
    EXPECT_LE(most(sum.gradient.negatives - expected.gradient.negatives), kBound);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ContrastiveLoss,
    testing::Values(Case{"mnr", LossKind::mnr, 12, 20.0}, Case{"symmetric", LossKind::symmetric, 12, 20.0},
                    Case{"mnr_masked", LossKind::mnr, 12, 20.0, true},
                    Case{"symmetric_masked", LossKind::symmetric, 12, 20.0, true},
                    Case{"symmetric_same_domain", LossKind::symmetric, 12, 20.0, false, true},
                    Case{"symmetric_masked_same_domain", LossKind::symmetric, 12, 20.0, true, true},
                    Case{"scale_100", LossKind::symmetric, 12, 100.0, true},
                    Case{"several_tiles", LossKind::symmetric, 700, 20.0, true, true},
                    Case{"one_pair", LossKind::symmetric, 1, 20.0},
                    Case{"mnr_hard_negatives", LossKind::mnr, 12, 20.0, false, false, 5},
                    Case{"symmetric_hard_negatives_masked_same_domain", LossKind::symmetric, 12, 20.0, true, true, 17},
                    Case{"hard_negatives_of_several_tiles", LossKind::mnr, 300, 20.0, true, true, 450},
                    Case{"query_to_document", LossKind::query_to_document, 12, 1.0, true, false, 3, false},
                    Case{"mnr_plus", LossKind::mnr_plus, 12, 1.0 / 0.7},
                    Case{"mnr_plus_dot", LossKind::mnr_plus, 12, 1.0 / 0.7, false, false, 0, false},
                    Case{"mnr_plus_dot_masked_same_domain", LossKind::mnr_plus, 12, 1.0 / 0.7, true, true, 4, false},
                    Case{"mnr_plus_dot_of_several_tiles", LossKind::mnr_plus, 400, 1.0, true, true, 9, false}),
    [](const auto& test) { return std::string(test.param.name); });

// Central differences with step h are off by at most h^2 |L'''| / 6, and by the rounding 1e-15 L / h of the two losses.
// A third derivative is at most (scale |x|)^3 with |x| < 5 for these vectors.
class FiniteDifferences : public testing::TestWithParam<Case> {};

TEST_P(FiniteDifferences, of_the_loss_are_its_gradients) {
  constexpr double kStep = 1e-5;
  const Case& c = GetParam();
  Problem p = problem(c);
  const std::vector<std::int64_t> all = every(c.pairs, 0, 1);
  const auto loss = [&](double scale) {
    return contrastive_loss(c.kind, p.batch, all, scale, p.mask).loss.item<double>();
  };
  const LossShare share = contrastive_loss(c.kind, p.batch, all, p.scale, p.mask);
  const double bound = kStep * kStep * std::pow(5.0 * c.scale, 3) / 6.0 + 1e-9;

  EXPECT_NEAR(share.gradient_scale.item<double>(), (loss(p.scale + kStep) - loss(p.scale - kStep)) / (2 * kStep),
              bound);
  for (const auto& [x, gradient] : {std::pair{p.batch.a, share.gradient.a}, std::pair{p.batch.b, share.gradient.b},
                                    std::pair{p.batch.negatives, share.gradient.negatives}})
    for (std::int64_t k = 0; k < x.numel(); ++k) {
      auto* value = x.mutable_data_ptr<double>() + k;
      const double before = *value;
      *value = before + kStep;
      const double above = loss(p.scale);
      *value = before - kStep;
      const double below = loss(p.scale);
      *value = before;
      const double slope = gradient.contiguous().const_data_ptr<double>()[k];
      EXPECT_NEAR(slope, (above - below) / (2 * kStep), bound) << "coordinate " << k;
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, FiniteDifferences,
                         testing::Values(Case{"mnr_hard_negatives", LossKind::mnr, 6, 2.0, false, false, 3},
                                         Case{"symmetric_masked", LossKind::symmetric, 6, 2.0, true, true, 3},
                                         Case{"query_to_document", LossKind::query_to_document, 6, 1.0, true, false, 3,
                                              false},
                                         Case{"mnr_plus_dot", LossKind::mnr_plus, 6, 1.0 / 0.7, true, false, 3, false}),
                         [](const auto& test) { return std::string(test.param.name); });

// What the cases above rely on.
TEST(MnrPlus, takes_another_pair_as_target_only_where_vectors_differ_in_length) {
  const Case unit{"", LossKind::mnr_plus, 12, 1.0};
  const Case dot{"", LossKind::mnr_plus, 12, 1.0, false, false, 0, false};

  const at::Tensor self = at::arange(12, at::kLong);
  EXPECT_TRUE(targets(unit, problem(unit)).equal(self));
  EXPECT_FALSE(targets(dot, problem(dot)).equal(self));
}

TEST(MnrPlus, of_vectors_of_length_one_is_the_symmetric_loss) {
  const Problem p = problem({"", LossKind::mnr_plus, 12, 1.0 / 0.7, true});
  const std::vector<std::int64_t> all = every(12, 0, 1);

  EXPECT_TRUE(at::equal(contrastive_loss(LossKind::mnr_plus, p.batch, all, p.scale, p.mask).loss,
                        contrastive_loss(LossKind::symmetric, p.batch, all, p.scale, p.mask).loss));
}

TEST(ContrastiveLossMask, a_row_whose_negatives_are_all_masked_has_no_loss_and_no_gradient) {
  Problem p = problem({"", LossKind::symmetric, 3, 20.0});
  p.mask.known = {{0, 2, 4, 6}, {1, 2, 0, 2, 0, 1}};

  const LossShare share = contrastive_loss(LossKind::symmetric, p.batch, {0, 1, 2}, p.scale, p.mask);

  EXPECT_EQ(share.loss.item<double>(), 0.0);
  EXPECT_EQ(share.gradient.a.abs().max().item<double>(), 0.0);
  EXPECT_EQ(share.gradient_scale.item<double>(), 0.0);
}

TEST(ContrastiveLossMask, a_rank_without_pairs_has_an_empty_share) {
  const Problem p = problem({"", LossKind::symmetric, 4, 20.0, true});

  const LossShare share = contrastive_loss(LossKind::symmetric, p.batch, {}, p.scale, p.mask);

  EXPECT_EQ(share.loss.item<double>(), 0.0);
  EXPECT_EQ(share.gradient.b.abs().max().item<double>(), 0.0);
}

}  // namespace
}  // namespace coterie::train
