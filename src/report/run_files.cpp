#include "report/run_files.h"

#include <algorithm>
#include <utility>

#include "base/csv.h"
#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"
#include "base/json_file.h"
#include "base/json_path.h"
#include "base/metrics_log.h"
#include "base/numbers.h"
#include "base/text.h"

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

ScoredPairs read_pairs(const fs::path& path, const std::string& model) {
  ScoredPairs pairs{.model = model, .scores = {}, .labels = {}};
  const Csv csv(path);
  const std::size_t prediction = csv.column("prediction");
  const std::size_t label = csv.column("label");
  for (const CsvRow& row : csv.rows()) {
    const auto score = finite_number(row.cells[prediction]);
    const bool labelled = row.cells[label] == "0" || row.cells[label] == "1";
    if (!score || !labelled)
      throw DataError(str("report: a line must hold a finite score and a label 0 or 1, got ",
                          excerpt(row.cells[prediction]), " and ", excerpt(row.cells[label]), " (",
                          csv.place_of(row, score ? label : prediction), ")"));
    pairs.scores.push_back(*score);
    pairs.labels.push_back(row.cells[label] == "1" ? 1 : 0);
  }
  return pairs;
}

/// A file, and what its name says behind the first word.
struct NamedFile {
  std::string name;
  fs::path path;
};

/// Every `FIRST.NAME.EXTENSION`, the untouched model first: it is what the others are seen against.
std::vector<NamedFile> files_of(const fs::path& folder, const std::string& first, std::string_view extension) {
  std::vector<NamedFile> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == extension && name.starts_with(first + "."))
      files.push_back({name.substr(first.size() + 1), entry.path()});
  }
  const auto key = [](const NamedFile& file) { return std::pair(!file.name.starts_with("untouched"), file.name); };
  std::sort(files.begin(), files.end(), [&](const NamedFile& a, const NamedFile& b) { return key(a) < key(b); });
  return files;
}

/// Whether the last evaluation measured this: files of an earlier one, of other models or collections, may lie beside
/// its own. What is newer than eval.json is of one whose result was written elsewhere; without eval.json all is shown.
bool is_of_last(const json& evaluation, const fs::path& file, const std::vector<std::string>& path) {
  if (evaluation.is_null()) return true;
  if (fs::last_write_time(file) > fs::last_write_time(file.parent_path() / "eval.json")) return true;
  const json* inner = &evaluation;
  for (const std::string& name : path) {
    if (!inner->is_object() || !inner->contains(name)) return false;
    inner = &inner->at(name);
  }
  return true;
}

}  // namespace

RunFiles read_run(const fs::path& folder) {
  RunFiles run{.name = name_of(folder),
               .config = {},
               .metrics = {},
               .evaluation = {},
               .domain_load = {},
               .pairs = {},
               .projections = {},
               .examples = {}};
  if (is_there(folder / "config.toml")) run.config = read_file(folder / "config.toml");
  run.metrics = read_metrics_log(folder / "metrics.jsonl");
  if (is_there(folder / "eval.json")) run.evaluation = read_json_object(folder / "eval.json");
  run.domain_load = last_domain_load(run.metrics, folder / "metrics.jsonl");
  for (const NamedFile& file : files_of(folder, "pairs", ".csv"))
    if (is_of_last(run.evaluation, file.path, {file.name})) run.pairs.push_back(read_pairs(file.path, file.name));
  for (const NamedFile& file : files_of(folder, "projection", ".csv"))
    if (is_of_last(run.evaluation, file.path, {file.name}))
      run.projections.push_back(read_projection(file.path, file.name));
  for (const NamedFile& file : files_of(folder, "examples", ".json")) {
    Examples examples = read_examples(file.path);
    if (is_of_last(run.evaluation, file.path, {"retrieval", examples.model, examples.collection}))
      run.examples.push_back(std::move(examples));
  }
  return run;
}

Series curve(const std::vector<json>& metrics, std::string_view path, const std::string& name) {
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
  LineReader lines(config);
  while (const auto line = lines.next()) {
    if (!line->starts_with("# ")) break;
    out += str(line->substr(2), "\n");
  }
  return out;
}

}  // namespace coterie::report
