// Principal components: a covariance made by hand, and what must not change them.
#include "eval/projection.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace coterie::eval {
namespace {

// Sums of some ten products of numbers up to 6.
constexpr double kRounding = 1e-13;

at::Tensor rows_of(const std::vector<double>& values, std::int64_t width) {
  return at::tensor(values, at::kDouble).view({-1, width});
}

// Repeatable rows in a skew cloud; no two of its variances are alike.
at::Tensor cloud(std::int64_t rows, std::int64_t width) {
  const at::Tensor grid_ND = at::arange(rows * width, at::kDouble).view({rows, width});
  return (grid_ND * grid_ND * 0.37).sin() * (at::arange(width, at::kDouble) + 1.0) + 5.0;
}

double largest_difference(const std::vector<PlanePoint>& x, const std::vector<PlanePoint>& y) {
  double most = x.size() == y.size() ? 0.0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
    for (const std::size_t axis : {0U, 1U}) most = std::max(most, std::abs(x[i][axis] - y[i][axis]));
  return most;
}

// Around (7, 1, -2): +-3 (e0 + e1) / sqrt 2, +-2 e2 and +-1 (e0 - e1) / sqrt 2. The covariance is diagonal in these
// directions, with 2 * 9 / 6, 2 * 4 / 6 and 2 / 6: shares of 9, 4 and 1 of 14.
TEST(Projection, of_a_covariance_made_by_hand_is_along_its_longest_axes) {
  const double h = std::sqrt(0.5);
  const at::Tensor rows_ND = rows_of({7 + 3 * h, 1 + 3 * h, -2, 7 - 3 * h, 1 - 3 * h, -2, 7, 1, 0, 7, 1, -4,  //
                                      7 + h, 1 - h, -2, 7 - h, 1 + h, -2},
                                     3);

  const Projection plane = project_to_plane(rows_ND);

  EXPECT_NEAR(plane.share[0], 9.0 / 14, kRounding);
  EXPECT_NEAR(plane.share[1], 4.0 / 14, kRounding);
  const std::vector<PlanePoint> expected = {{3, 0}, {-3, 0}, {0, 2}, {0, -2}, {0, 0}, {0, 0}};
  EXPECT_LT(largest_difference(plane.points, expected), kRounding);
}

TEST(Projection, does_not_depend_on_the_order_of_the_rows) {
  const at::Tensor rows_ND = cloud(40, 6);
  const at::Tensor order_N = (at::arange(40, at::kLong) * 7 + 3) % 40;

  const Projection plane = project_to_plane(rows_ND);
  const Projection shuffled = project_to_plane(rows_ND.index_select(0, order_N));

  std::vector<PlanePoint> expected;
  for (std::int64_t i = 0; i < 40; ++i)
    expected.push_back(plane.points[static_cast<std::size_t>(order_N[i].item<std::int64_t>())]);
  // Numbers up to 6; the gaps between the variances are of their own size.
  EXPECT_LT(largest_difference(shuffled.points, expected), 1e-11);
}

// The mirror image has the same eigenvectors: the points change sides, the axes do not.
TEST(Projection, of_mirrored_rows_is_mirrored) {
  const at::Tensor rows_ND = cloud(40, 6);

  const Projection plane = project_to_plane(rows_ND);
  Projection mirrored = project_to_plane(-rows_ND);

  for (PlanePoint& point : mirrored.points) point = {-point[0], -point[1]};
  EXPECT_LT(largest_difference(mirrored.points, plane.points), 1e-11);
}

TEST(Projection, has_the_variance_that_it_states_the_greater_first) {
  const at::Tensor rows_ND = cloud(50, 5);

  const Projection plane = project_to_plane(rows_ND);

  const double all = (rows_ND - rows_ND.mean(0)).square().sum().item<double>();
  std::array<double, 2> squares = {};
  double product = 0.0;
  for (const PlanePoint& point : plane.points) {
    for (const std::size_t axis : {0U, 1U}) squares[axis] += point[axis] * point[axis];
    product += point[0] * point[1];
  }
  EXPECT_NEAR(squares[0] / all, plane.share[0], kRounding);
  EXPECT_NEAR(squares[1] / all, plane.share[1], kRounding);
  EXPECT_NEAR(product / all, 0.0, kRounding);
  EXPECT_GT(plane.share[0], plane.share[1]);
  EXPECT_LT(plane.share[0] + plane.share[1], 1.0);
}

TEST(Projection, of_one_row_is_the_origin_without_variance) {
  const Projection plane = project_to_plane(rows_of({1, 2, 3}, 3));

  EXPECT_EQ(plane.points, (std::vector<PlanePoint>{{0, 0}}));
  EXPECT_EQ(plane.share, (std::array<double, 2>{0, 0}));
}

TEST(Projection, of_what_is_no_table_of_finite_doubles_is_refused) {
  EXPECT_THROW((void)project_to_plane(at::zeros({0, 3}, at::kDouble)), ShapeError);
  EXPECT_THROW((void)project_to_plane(at::zeros({3, 1}, at::kDouble)), ShapeError);
  EXPECT_THROW((void)project_to_plane(at::zeros({3, 3}, at::kFloat)), ShapeError);
  EXPECT_THROW((void)project_to_plane(rows_of({1, std::nan(""), 0, 0}, 2)), NonFiniteError);
}

}  // namespace
}  // namespace coterie::eval
