#include "sweep/cell_files.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/run_lock.h"

namespace coterie::sweep {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kPreempted = static_cast<int>(Exit::preempted);

json read_json(const fs::path& path) {
  json value = json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) throw DataError(str("sweep: file must hold a JSON object (", path.string(), ")"));
  return value;
}

/// The whole lines of a file of JSON lines; a last line without its end was never written.
std::vector<json> read_lines(const fs::path& path) {
  std::vector<json> lines;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return lines;
  const std::string text = read_file(path);
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    json line = json::parse(text.substr(begin, end - begin), nullptr, /*allow_exceptions=*/false);
    if (!line.is_object())
      throw DataError(str("sweep: a line must be a JSON object (", path.string(), ":", lines.size() + 1, ")"));
    lines.push_back(std::move(line));
  }
  return lines;
}

std::int64_t last_step(const fs::path& folder) {
  const auto lines = read_lines(folder / "metrics.jsonl");
  return lines.empty() ? 0 : lines.back().value("step", std::int64_t{0});
}

}  // namespace

Cost read_cost(const fs::path& folder) {
  Cost cost;
  const fs::path path = folder / "attempts.jsonl";
  try {
    for (const json& line : read_lines(path)) {
      if (line.at("event") == "start") {
        if (cost.open) ++cost.unknown;
        cost.open = true;
        if (line.at("command") == "train") ++cost.starts;
        continue;
      }
      cost.open = false;
      cost.seconds += line.at("seconds").get<double>();
      cost.peak_mib = std::max(cost.peak_mib, line.at("peak_mib").get<double>());
      cost.last_code = line.at("code").get<std::int64_t>();
    }
  } catch (const json::exception& error) {
    throw DataError(str("sweep: ", error.what(), " (", path.string(), ")"));
  }
  return cost;
}

Attempts::Attempts(std::shared_ptr<FileOps> ops, const fs::path& folder)
    : log_(std::move(ops), folder / "attempts.jsonl"),
      count_(static_cast<std::int64_t>(read_lines(folder / "attempts.jsonl").size())) {}

void Attempts::started(const std::string& command) {
  log_.append(count_++, {{"event", "start"}, {"command", command}});
}

void Attempts::ended(const std::string& command, int code, double seconds, double peak_mib) {
  log_.append(count_++,
              {{"event", "end"}, {"command", command}, {"code", code}, {"seconds", seconds}, {"peak_mib", peak_mib}});
}

std::optional<CellResult> read_result(const fs::path& folder) {
  const fs::path path = folder / "result.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  const json result = read_json(path);
  try {
    const json& cost = result.at("cost");
    return CellResult{{.seconds = cost.at("seconds"),
                       .peak_mib = cost.at("peak_mib"),
                       .starts = cost.at("starts"),
                       .unknown = cost.at("unknown")},
                      result.at("eval")};
  } catch (const json::exception& error) {
    throw DataError(str("sweep: ", error.what(), " (", path.string(), ")"));
  }
}

void write_result(FileOps& ops, const fs::path& folder) {
  const Cost cost = read_cost(folder);
  const ordered_json result = {
      {"cost",
       {{"seconds", cost.seconds}, {"peak_mib", cost.peak_mib}, {"starts", cost.starts}, {"unknown", cost.unknown}}},
      {"eval", read_json(folder / "eval.json")}};
  write_file_atomically(ops, folder / "result.json", result.dump(2) + "\n");
}

std::optional<double> number_at(const json& object, std::string_view path) {
  if (object.is_number() && path.empty()) return object.get<double>();
  if (!object.is_object()) return std::nullopt;
  for (const auto& [key, value] : object.items()) {
    if (!path.starts_with(key)) continue;
    std::string_view rest = path.substr(key.size());
    if (!rest.empty() && rest.front() != '.') continue;
    if (!rest.empty()) rest.remove_prefix(1);
    if (const auto found = number_at(value, rest)) return found;
  }
  return std::nullopt;
}

std::optional<double> measure_of(const CellResult& result, std::string_view measure) {
  return number_at(result.eval, str("trained.", measure));
}

void write_plan(FileOps& ops, const fs::path& folder, const PlannedCell& planned) {
  std::error_code ignored;
  if (fs::exists(folder / "cell.json", ignored)) return;
  write_file_atomically(ops, folder / "cell.toml", planned.config);
  const ordered_json cell = {{"name", planned.cell.name},
                             {"seed", planned.cell.seed},
                             {"settings", planned.cell.settings},
                             {"ranks", planned.ranks},
                             {"values", planned.values}};
  // Last: it says that both are there.
  write_file_atomically(ops, folder / "cell.json", cell.dump(2) + "\n");
}

std::string differences_from(const fs::path& folder, const PlannedCell& planned) {
  const fs::path path = folder / "cell.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  const json cell = read_json(path);
  std::map<std::string, std::string> before;
  std::map<std::string, std::string> now = planned.values;
  try {
    before = cell.at("values").get<std::map<std::string, std::string>>();
    before["ranks"] = str(cell.at("ranks").get<std::int64_t>());
  } catch (const json::exception& error) {
    throw DataError(str("sweep: ", error.what(), " (", path.string(), ")"));
  }
  now["ranks"] = str(planned.ranks);
  std::string lines;
  for (const auto& [key, value] : now) {
    const auto found = before.find(key);
    const std::string was = found == before.end() ? "nothing" : found->second;
    if (was != value) lines += str("\n  ", key, " was ", was, ", got ", value);
  }
  return lines;
}

const char* name_of(Stage stage) {
  switch (stage) {
    case Stage::waiting:
      return "waiting";
    case Stage::running:
      return "running";
    case Stage::interrupted:
      return "interrupted";
    case Stage::failed:
      return "failed";
    case Stage::finished:
      return "finished";
  }
  return "";
}

CellState state_of(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / "cell.json", ignored)) return {};
  const std::int64_t step = last_step(folder);
  if (fs::exists(folder / "result.json", ignored)) return {Stage::finished, "", step};
  for (const fs::path& held : {driver_folder(folder), folder})
    if (const std::string owner = lock_owner(held); !owner.empty()) return {Stage::running, owner, step};
  const Cost cost = read_cost(folder);
  if (cost.open || cost.last_code == kPreempted) return {Stage::interrupted, "", step};
  if (cost.last_code != 0) return {Stage::failed, str("exit code ", cost.last_code), step};
  return {cost.starts > 0 ? Stage::interrupted : Stage::waiting, "", step};
}

fs::path driver_folder(const fs::path& folder) { return folder / "driver"; }

}  // namespace coterie::sweep
