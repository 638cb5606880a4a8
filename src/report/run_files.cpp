#include "report/run_files.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"

namespace coterie::report {
namespace {

using nlohmann::json;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
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

std::vector<json> read_metrics(const fs::path& path) {
  std::vector<json> lines;
  if (!is_there(path)) return lines;
  std::string text = read_file(path);
  // A line without its end is being written, or was cut by a crash.
  text.erase(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object() || !object.contains("step"))
      throw DataError(str("report: a line must be an object with a 'step', got ", excerpt(line), " (", path.string(),
                          ":", number, ")"));
    lines.push_back(std::move(object));
  });
  return lines;
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
    double score = 0.0;
    const bool whole = cells.size() > std::max(prediction, label);
    const std::string_view text = whole ? cells[prediction] : std::string_view();
    const auto read = std::from_chars(text.data(), text.data() + text.size(), score);
    const bool good = whole && read.ec == std::errc() && read.ptr == text.data() + text.size() &&
                      (cells[label] == "0" || cells[label] == "1");
    if (!good)
      throw DataError(str("report: a line must hold a score and a label 0 or 1, got ", excerpt(line), " (",
                          path.string(), ":", number, ")"));
    pairs.scores.push_back(score);
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
  RunFiles run{.name = folder.filename().string(), .config = {}, .metrics = {}, .evaluation = {}, .pairs = {}};
  if (is_there(folder / "config.toml")) run.config = read_file(folder / "config.toml");
  run.metrics = read_metrics(folder / "metrics.jsonl");
  if (const fs::path path = folder / "eval.json"; is_there(path)) {
    run.evaluation = json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
    if (!run.evaluation.is_object()) throw DataError(str("report: file must hold a JSON object (", path.string(), ")"));
  }
  run.pairs = read_all_pairs(folder);
  return run;
}

Series curve(const std::vector<json>& metrics, const std::vector<std::string>& path, const std::string& name) {
  Series series{.name = name, .points = {}};
  for (const json& line : metrics) {
    const json* at = &line;
    for (const std::string& part : path) {
      const auto found = at->is_object() ? at->find(part) : at->end();
      if (!at->is_object() || found == at->end()) {
        at = nullptr;
        break;
      }
      at = &*found;
    }
    if (at == nullptr || !at->is_number()) continue;
    series.points.push_back({line.at("step").get<double>(), at->get<double>()});
  }
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
