#include "report/run_files.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"
#include "base/json_file.h"
#include "base/metrics_log.h"
#include "base/numbers.h"

namespace coterie::report {
namespace {

using nlohmann::json;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The last folder of a path, however it is written: `runs/real/` is `real`, and `.` has a name, too.
std::string name_of(const fs::path& folder) {
  return fs::absolute(folder / "").lexically_normal().parent_path().filename().string();
}

/// Calls `act(line, number)` for each line.
template <class Act>
void for_each_line(std::string_view text, const Act& act) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    act(text.substr(0, end), number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    cells.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return cells;
}

std::size_t column_of(const std::vector<std::string_view>& header, std::string_view name, const fs::path& path) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) throw DataError(str("report: column '", name, "' is missing (", path.string(), ":1)"));
  return static_cast<std::size_t>(found - header.begin());
}

ScoredPairs read_pairs(const fs::path& path, const std::string& model) {
  ScoredPairs pairs{.model = model, .scores = {}, .labels = {}};
  std::size_t prediction = 0;
  std::size_t label = 0;
  for_each_line(read_file(path), [&](std::string_view line, std::size_t number) {
    const auto cells = cells_of(line);
    if (number == 1) {
      prediction = column_of(cells, "prediction", path);
      label = column_of(cells, "label", path);
      return;
    }
    const bool whole = cells.size() > std::max(prediction, label);
    const auto score = finite_number(whole ? cells[prediction] : std::string_view());
    if (!score || (cells[label] != "0" && cells[label] != "1"))
      throw DataError(str("report: a line must hold a finite score and a label 0 or 1, got ", excerpt(line), " (",
                          path.string(), ":", number, ")"));
    pairs.scores.push_back(*score);
    pairs.labels.push_back(cells[label] == "1" ? 1 : 0);
  });
  return pairs;
}

/// Every `pairs.MODEL.csv`, the untouched model first: it is what the others are seen against.
std::vector<ScoredPairs> read_all_pairs(const fs::path& folder) {
  constexpr std::string_view kPrefix = "pairs.";
  std::map<std::string, fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".csv" && name.starts_with(kPrefix))
      files[name.substr(kPrefix.size())] = entry.path();
  }
  std::vector<ScoredPairs> all;
  for (const auto& [model, path] : files) all.push_back(read_pairs(path, model));
  std::stable_partition(all.begin(), all.end(), [](const ScoredPairs& pairs) { return pairs.model == "untouched"; });
  return all;
}

}  // namespace

RunFiles read_run(const fs::path& folder) {
  RunFiles run{.name = name_of(folder), .config = {}, .metrics = {}, .evaluation = {}, .pairs = {}};
  if (is_there(folder / "config.toml")) run.config = read_file(folder / "config.toml");
  run.metrics = read_metrics_log(folder / "metrics.jsonl");
  if (is_there(folder / "eval.json")) run.evaluation = read_json_object(folder / "eval.json");
  run.pairs = read_all_pairs(folder);
  return run;
}

std::optional<double> number_at(const json& object, const std::vector<std::string>& path) {
  const json* at = &object;
  for (const std::string& part : path) {
    if (!at->is_object() || !at->contains(part)) return std::nullopt;
    at = &at->at(part);
  }
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

Series curve(const std::vector<json>& metrics, const std::vector<std::string>& path, const std::string& name) {
  Series series{.name = name, .points = {}};
  for (const json& line : metrics)
    if (const auto value = number_at(line, path)) series.points.push_back({line.at("step").get<double>(), *value});
  return series;
}

std::vector<std::string> validated_domains(const std::vector<json>& metrics) {
  std::vector<std::string> domains;
  for (const json& line : metrics) {
    if (!line.contains("validation")) continue;
    for (const auto& [domain, measures] : line.at("validation").items())
      if (std::find(domains.begin(), domains.end(), domain) == domains.end()) domains.push_back(domain);
  }
  // JSON objects are read in the order of their names; the pooled row leads.
  std::stable_partition(domains.begin(), domains.end(), [](const std::string& domain) { return domain == "all"; });
  return domains;
}

std::string provenance_of(std::string_view config) {
  std::string out;
  bool header = true;
  for_each_line(config, [&](std::string_view line, std::size_t) {
    header = header && line.starts_with("# ");
    if (header) out += str(line.substr(2), "\n");
  });
  return out;
}

}  // namespace coterie::report
