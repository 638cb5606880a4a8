// Embeddings in a plane, for the eye: their first two principal components.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

namespace coterie::eval {

/// A place in the plane.
using PlanePoint = std::array<double, 2>;

/// Rows along the two directions in which they vary most.
struct Projection {
  std::vector<PlanePoint> points;    ///< [N], their mean at the origin
  std::array<double, 2> share = {};  ///< of the variance, along each direction; 0 where the rows do not vary
};

/// Projects rows to the eigenvectors of their covariance with the two largest eigenvalues.
///
/// The sign of an eigenvector is free: here its coordinate of the largest magnitude is positive, of equal ones the
/// first.
///
/// @param rows_ND  double, on the CPU, D >= 2
/// @throws ShapeError for other rows, or none; NonFiniteError if a number is not finite
/// @note D^2 numbers of memory, time in N D^2 + D^3
/// @par Source
/// Pearson 1901, Hotelling 1933: principal component analysis.
[[nodiscard]] Projection project_to_plane(const at::Tensor& rows_ND);

}  // namespace coterie::eval
