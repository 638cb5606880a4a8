// The documents of a split in the plane of their embeddings, as `coterie eval` leaves them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "report/plot.h"

namespace coterie::report {

/// A document's place, and its domain.
struct Placed {
  Point at;
  std::size_t domain = 0;  ///< index into `Projection::domains`
};

/// The documents as one model has them.
struct Projection {
  std::string model;
  std::vector<std::string> domains;  ///< in the order of their first documents
  std::vector<Placed> documents;
  double x_share = 0.0;  ///< of the variance of the embeddings
  double y_share = 0.0;
};

/// Reads the columns `x`, `y`, `domain`, `x_share` and `y_share` of a `projection.MODEL.csv`.
/// @throws DataError with the line if a place is not finite, or the shares are none or not those of the first line;
///         what `Csv` throws
[[nodiscard]] Projection read_projection(const std::filesystem::path& path, const std::string& model);

/// Documents as dots, a colour and a shape for each domain. Of many only some are drawn, evenly by their order.
[[nodiscard]] std::string projection_figure(const Projection& projection);

}  // namespace coterie::report
