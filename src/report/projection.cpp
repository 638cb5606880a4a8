#include "report/projection.h"

#include <algorithm>

#include "base/csv.h"
#include "base/error.h"
#include "base/excerpt.h"
#include "base/numbers.h"
#include "base/table.h"

namespace coterie::report {
namespace {

constexpr std::size_t kMostDots = 2000;

double coordinate(const Csv& csv, const CsvRow& row, std::size_t column) {
  if (const auto value = finite_number(row.cells[column])) return *value;
  throw DataError(str("report: a place must be finite numbers, got ", excerpt(row.cells[column]), " (",
                      csv.place_of(row, column), ")"));
}

double share(const Csv& csv, const CsvRow& row, std::size_t column) {
  const auto value = finite_number(row.cells[column]);
  if (value && *value >= 0.0 && *value <= 1.0) return *value;
  throw DataError(str("report: a share of the variance must be in 0..1, got ", excerpt(row.cells[column]), " (",
                      csv.place_of(row, column), ")"));
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
  const Csv csv(path);
  const std::size_t x = csv.column("x");
  const std::size_t y = csv.column("y");
  const std::size_t domain = csv.column("domain");
  const std::size_t x_share = csv.column("x_share");
  const std::size_t y_share = csv.column("y_share");
  for (const CsvRow& row : csv.rows()) {
    const double of_x = share(csv, row, x_share);
    const double of_y = share(csv, row, y_share);
    if (out.documents.empty()) {
      out.x_share = of_x;
      out.y_share = of_y;
    }
    if (of_x != out.x_share || of_y != out.y_share)
      throw DataError(str("report: shares of the variance must be ", out.x_share, " and ", out.y_share,
                          " on every line, got ", of_x, " and ", of_y, " (", csv.place_of(row, x_share), ")"));
    out.documents.push_back(
        {{coordinate(csv, row, x), coordinate(csv, row, y)}, index_of(out.domains, row.cells[domain])});
  }
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
