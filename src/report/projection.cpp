#include "report/projection.h"

#include <algorithm>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/numbers.h"
#include "base/table.h"
#include "report/csv_rows.h"

namespace coterie::report {
namespace {

constexpr std::size_t kMostDots = 2000;

double coordinate(const std::string& cell, const std::string& place) {
  if (const auto value = finite_number(cell)) return *value;
  throw DataError(str("report: a place must be finite numbers, got ", excerpt(cell), " (", place, ")"));
}

double share(const std::string& cell, const std::string& place) {
  const auto value = finite_number(cell);
  if (value && *value >= 0.0 && *value <= 1.0) return *value;
  throw DataError(str("report: a share of the variance must be in 0..1, got ", excerpt(cell), " (", place, ")"));
}

std::size_t index_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<std::size_t>(found - names.begin());
  if (found == names.end()) names.push_back(name);
  return index;
}

std::string axis_label(const char* which, double share_of_variance) {
  return str(which, " component, ", decimal(100.0 * share_of_variance, 1), " % of the variance");
}

}  // namespace

Projection read_projection(const std::filesystem::path& path, const std::string& model) {
  Projection out{.model = model, .domains = {}, .documents = {}};
  for_each_csv_row(path, {"x", "y", "domain", "x_share", "y_share"}, [&](const CsvRow& row) {
    const double x_share = share(row.cells[3], row.place);
    const double y_share = share(row.cells[4], row.place);
    if (out.documents.empty()) {
      out.x_share = x_share;
      out.y_share = y_share;
    }
    if (x_share != out.x_share || y_share != out.y_share)
      throw DataError(str("report: shares of the variance must be ", out.x_share, " and ", out.y_share,
                          " on every line, got ", x_share, " and ", y_share, " (", row.place, ")"));
    const Point at{coordinate(row.cells[0], row.place), coordinate(row.cells[1], row.place)};
    out.documents.push_back({at, index_of(out.domains, row.cells[2])});
  });
  return out;
}

std::string projection_figure(const Projection& projection) {
  const std::size_t count = projection.documents.size();
  const std::size_t drawn = std::min(count, kMostDots);
  const std::string some = drawn < count ? str(", ", drawn, " of ", count, " documents, evenly by their order") : "";
  Plot plot{.title = str("Embeddings of documents, ", projection.model, some),
            .x_label = axis_label("first", projection.x_share),
            .y_label = axis_label("second", projection.y_share),
            .series = {},
            .notes = {},
            .x_range = {},
            .y_range = {}};
  for (const std::string& domain : projection.domains)
    plot.series.push_back({.name = domain, .points = {}, .mark = Mark::dots});
  for (std::size_t i = 0; i < drawn; ++i) {
    const Placed& document = projection.documents[drawn < count ? i * (count - 1) / (drawn - 1) : i];
    plot.series[document.domain].points.push_back(document.at);
  }
  return figure(plot);
}

}  // namespace coterie::report
