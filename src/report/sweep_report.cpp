// The page of a sweep.
#include "base/error.h"
#include "base/file_ops.h"
#include "base/json_file.h"
#include "base/metrics_log.h"
#include "base/table.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/report.h"
#include "report/run_files.h"

namespace coterie::report {
namespace {

using nlohmann::json;

std::string number(const json& object, const char* key, int digits) {
  const json& value = object.at(key);
  return value.is_number() ? decimal(value.get<double>(), digits) : "-";
}

std::string probability_text(const json& row, const char* key) {
  const json& value = row.at(key);
  return value.is_number() ? probability(value.get<double>()) : "-";
}

std::string difference_text(const json& row) {
  const json& value = row.at("difference");
  return value.is_number() ? signed_decimal(value.get<double>(), 4) : "-";
}

/// How many seeds are finished, and of how many where some are not.
std::string seeds_text(const json& row) {
  const auto seeds = row.at("seeds").get<std::int64_t>();
  const auto planned = row.at("planned").get<std::int64_t>();
  // What nothing trains has none.
  if (planned == 0) return "-";
  return seeds == planned ? str(seeds) : str(seeds, " of ", planned);
}

std::string comparison_table(const json& table) {
  Table out({"cell", "measure", "seeds", "mean", "sd", "difference", "p (t)", "p (sign)", "detectable", "seconds",
             "core s", "peak MiB"});
  for (const json& row : table.at("comparisons"))
    out.add_row({row.at("cell"), row.at("measure"), seeds_text(row), number(row, "mean", 4),
                 number(row, "deviation", 4), difference_text(row), probability_text(row, "p_paired_t"),
                 probability_text(row, "p_sign_flip"), number(row, "detectable", 4), number(row, "seconds", 1),
                 number(row, "core_seconds", 1), number(row, "peak_mib", 0)});
  return html_table(out, str("Baseline: ", table.at("baseline").get<std::string>()));
}

/// One figure for each measure: a line for each cell, a dot for each seed.
std::string interval_figures(const json& table) {
  std::string out;
  for (const std::string measure : table.at("measures")) {
    std::vector<Interval> rows;
    std::vector<double> baselines;
    for (const json& row : table.at("comparisons")) {
      if (row.at("measure") != measure || !row.at("mean").is_number()) continue;
      Interval interval{.name = row.at("cell"), .values = {}, .mean = row.at("mean")};
      if (row.at("deviation").is_number()) interval.deviation = row.at("deviation").get<double>();
      for (const json& cell : table.at("cells"))
        if (cell.at("name") == row.at("cell") && cell.at("values").at(measure).is_number())
          interval.values.push_back(cell.at("values").at(measure));
      if (row.at("cell") == row.at("baseline")) baselines.push_back(interval.mean);
      rows.push_back(std::move(interval));
    }
    // With one for each value of an axis, no line is everybody's.
    const auto reference = baselines.size() == 1 ? std::optional(baselines.front()) : std::nullopt;
    out += interval_figure(measure, "each seed, mean and standard deviation", rows, reference);
  }
  return out;
}

std::string cost_figure(const json& table) {
  std::vector<Interval> rows;
  for (const json& row : table.at("comparisons"))
    if (row.at("measure") == table.at("measures").at(0) && row.at("core_seconds").is_number()) {
      Interval interval{.name = row.at("cell"), .values = {}, .mean = row.at("core_seconds")};
      for (const json& cell : table.at("cells"))
        if (cell.at("name") == row.at("cell") && cell.at("state") == "finished")
          interval.values.push_back(cell.at("core_seconds"));
      rows.push_back(std::move(interval));
    }
  return interval_figure("Cost", "seconds of a cell on one core", rows, std::nullopt);
}

/// Validation curves of the first seed of each cell: one for each combination stays readable.
std::string curves(const fs::path& folder, const json& table) {
  Plot plot{.title = "Validation average precision, first seed of each cell",
            .x_label = "step",
            .y_label = "average precision",
            .series = {},
            .notes = {},
            .x_range = {},
            .y_range = {}};
  Plot loss = plot;
  loss.title = "Training loss, first seed of each cell";
  loss.y_label = "loss";
  std::string before;
  for (const json& cell : table.at("cells")) {
    const std::string name = cell.at("name");
    const fs::path run = folder / cell.at("folder").get<std::string>();
    std::error_code ignored;
    if (name == before || !fs::exists(run / "metrics.jsonl", ignored)) continue;
    before = name;
    const std::vector<json> metrics = read_metrics_log(run / "metrics.jsonl");
    plot.series.push_back(curve(metrics, "validation.all.average_precision", name));
    loss.series.push_back(thinned(curve(metrics, "loss", name), 200));
  }
  return figure(plot) + figure(loss);
}

std::string cells_table(const json& table) {
  std::vector<std::string> header = {"cell", "seed", "ranks", "state"};
  for (const std::string measure : table.at("measures")) header.push_back(measure);
  header.insert(header.end(), {"seconds", "core s", "peak MiB", "starts"});
  Table out(header);
  for (const json& cell : table.at("cells")) {
    std::vector<std::string> row = {cell.at("name"), cell.at("seed"), str(cell.at("ranks").get<std::int64_t>()),
                                    cell.at("state")};
    for (const std::string measure : table.at("measures")) row.push_back(number(cell.at("values"), measure.c_str(), 4));
    row.insert(row.end(), {number(cell, "seconds", 1), number(cell, "core_seconds", 1), number(cell, "peak_mib", 0),
                           str(cell.at("starts").get<std::int64_t>())});
    out.add_row(std::move(row));
  }
  return html_table(out, "Every cell");
}

std::string first_config(const fs::path& folder, const json& table) {
  for (const json& cell : table.at("cells")) {
    const fs::path path = folder / cell.at("folder").get<std::string>() / "config.toml";
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    const std::string config = read_file(path);
    return folded_text("Command, versions and hardware of the first cell", provenance_of(config)) +
           folded_text("Config of the first cell", config);
  }
  return {};
}

}  // namespace

std::string sweep_report(const fs::path& folder) {
  const fs::path path = folder / "table.json";
  const json table = read_json_object(path);
  try {
    Page page(str("Sweep ", table.at("name").get<std::string>()));
    page.add("Comparison", comparison_table(table) + paragraph(table.at("reading").get<std::string>()));
    page.add("Measures", interval_figures(table));
    page.add("Curves", curves(folder, table));
    page.add("Cost", cost_figure(table));
    page.add("Cells", cells_table(table));
    page.add("Config", first_config(folder, table));
    return page.html();
  } catch (const json::exception& error) {
    throw DataError(str("report: ", error.what(), " (", path.string(), ")"));
  }
}

}  // namespace coterie::report
