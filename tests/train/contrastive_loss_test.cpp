// The tiled, masked loss against one line of autograd for each row and column.
#include "train/contrastive_loss.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <numeric>

#include "kernels/pooling.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kWidth = 6;
// All in double: a few hundred additions of numbers below 100 lose at most about 1e-13 each.
constexpr double kBound = 1e-10;

struct Problem {
  at::Tensor a;
  at::Tensor b;
  double scale;
  NegativeMask mask;
};

Problem problem(std::int64_t pairs, double scale, bool masked, bool domains) {
  at::manual_seed(7);
  const auto options = at::TensorOptions(at::kDouble);
  Problem p{kernels::normalize_rows(at::randn({pairs, kWidth}, options)),
            kernels::normalize_rows(at::randn({pairs, kWidth}, options)),
            scale,
            {}};
  for (std::int64_t i = 0; i < pairs; ++i) {
    for (std::int64_t j = 0; masked && j < pairs; ++j)
      if (j != i && (i * 7 + j * 3) % 5 == 0) p.mask.known.columns.push_back(j);
    p.mask.known.row_offsets.push_back(static_cast<std::int64_t>(p.mask.known.columns.size()));
    if (!domains) continue;
    p.mask.domain_a.push_back(static_cast<std::int32_t>(i % 3));
    p.mask.domain_b.push_back(static_cast<std::int32_t>(i % 2));
  }
  return p;
}

// True where (i, j) stays in the denominators.
at::Tensor allowed(const Problem& p) {
  const std::int64_t n = p.a.size(0);
  at::Tensor keep = at::ones({n, n}, at::kBool);
  auto cell = keep.accessor<bool, 2>();
  for (std::int64_t i = 0; i < n; ++i) {
    const auto row = static_cast<std::size_t>(i);
    for (std::int64_t k = p.mask.known.row_offsets[row]; k < p.mask.known.row_offsets[row + 1]; ++k)
      cell[i][p.mask.known.columns[static_cast<std::size_t>(k)]] = false;
    for (std::int64_t j = 0; !p.mask.domain_a.empty() && j < n; ++j)
      if (j != i && p.mask.domain_a[row] != p.mask.domain_b[static_cast<std::size_t>(j)]) cell[i][j] = false;
  }
  return keep;
}

struct Reference {
  double loss;
  at::Tensor gradient_a, gradient_b, gradient_scale;
};

Reference reference(LossKind kind, const Problem& p) {
  const at::Tensor a = p.a.clone().requires_grad_();
  const at::Tensor b = p.b.clone().requires_grad_();
  const at::Tensor scale = at::full({}, p.scale, at::kDouble).requires_grad_();
  const at::Tensor logits =
      (scale * at::mm(a, b.t())).masked_fill(~allowed(p), -std::numeric_limits<double>::infinity());
  const at::Tensor target = at::arange(p.a.size(0), at::kLong);
  at::Tensor loss = at::cross_entropy_loss(logits, target);
  if (kind == LossKind::symmetric) loss = (loss + at::cross_entropy_loss(logits.t(), target)) / 2;
  torch::autograd::backward({loss}, {});
  return {loss.item<double>(), a.grad(), b.grad(), scale.grad()};
}

struct Case {
  const char* name;
  LossKind kind;
  std::int64_t pairs;
  double scale;
  bool masked;
  bool domains;
};

class ContrastiveLoss : public testing::TestWithParam<Case> {};

TEST_P(ContrastiveLoss, shares_add_up_to_loss_and_gradients_of_the_whole) {
  const Case& c = GetParam();
  const Problem p = problem(c.pairs, c.scale, c.masked, c.domains);
  const Reference expected = reference(c.kind, p);

  for (const std::int64_t ranks : {1, 3}) {
    double loss = 0.0;
    double scale = 0.0;
    at::Tensor gradient_a = at::zeros_like(p.a);
    at::Tensor gradient_b = at::zeros_like(p.b);
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      std::vector<std::int64_t> positions;
      for (std::int64_t i = rank; i < c.pairs; i += ranks) positions.push_back(i);
      const LossShare share = contrastive_loss(c.kind, p.a, p.b, positions, p.scale, p.mask);
      loss += share.loss;
      scale += share.gradient_scale;
      gradient_a += share.gradient_a;
      gradient_b += share.gradient_b;
    }

    EXPECT_NEAR(loss, expected.loss, kBound) << ranks << " ranks";
    EXPECT_NEAR(scale, expected.gradient_scale.item<double>(), kBound) << ranks << " ranks";
    EXPECT_LE((gradient_a - expected.gradient_a).abs().max().item<double>(), kBound) << ranks << " ranks";
    EXPECT_LE((gradient_b - expected.gradient_b).abs().max().item<double>(), kBound) << ranks << " ranks";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ContrastiveLoss,
                         testing::Values(Case{"mnr", LossKind::mnr, 12, 20.0, false, false},
                                         Case{"symmetric", LossKind::symmetric, 12, 20.0, false, false},
                                         Case{"mnr_masked", LossKind::mnr, 12, 20.0, true, false},
                                         Case{"symmetric_masked", LossKind::symmetric, 12, 20.0, true, false},
                                         Case{"symmetric_same_domain", LossKind::symmetric, 12, 20.0, false, true},
                                         Case{"symmetric_masked_same_domain", LossKind::symmetric, 12, 20.0, true,
                                              true},
                                         Case{"scale_100", LossKind::symmetric, 12, 100.0, true, false},
                                         Case{"several_tiles", LossKind::symmetric, 700, 20.0, true, true},
                                         Case{"one_pair", LossKind::symmetric, 1, 20.0, false, false}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ContrastiveLossMask, a_row_whose_negatives_are_all_masked_has_no_loss_and_no_gradient) {
  Problem p = problem(3, 20.0, false, false);
  p.mask.known = {{0, 2, 4, 6}, {1, 2, 0, 2, 0, 1}};

  const LossShare share = contrastive_loss(LossKind::symmetric, p.a, p.b, {0, 1, 2}, p.scale, p.mask);

  EXPECT_EQ(share.loss, 0.0);
  EXPECT_EQ(share.gradient_a.abs().max().item<double>(), 0.0);
  EXPECT_EQ(share.gradient_scale, 0.0);
}

TEST(ContrastiveLossMask, a_rank_without_pairs_has_an_empty_share) {
  const Problem p = problem(4, 20.0, true, false);

  const LossShare share = contrastive_loss(LossKind::symmetric, p.a, p.b, {}, p.scale, p.mask);

  EXPECT_EQ(share.loss, 0.0);
  EXPECT_EQ(share.gradient_b.abs().max().item<double>(), 0.0);
}

}  // namespace
}  // namespace coterie::train
