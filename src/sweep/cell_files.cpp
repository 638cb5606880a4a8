#include "sweep/cell_files.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_file.h"
#include "base/run_lock.h"
#include "config/listing.h"

namespace coterie::sweep {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kPreempted = static_cast<int>(Exit::preempted);

}  // namespace

Cost read_cost(const fs::path& folder) {
  Cost cost;
  const fs::path path = folder / "attempts.jsonl";
  try {
    for (const json& line : read_metrics_log(path)) {
      if (line.at("event") == "start") {
        if (cost.open) ++cost.unknown;
        cost.open = true;
        cost.log_start = line.value("log_start", std::int64_t{0});
        if (line.at("command") == "train") ++cost.starts;
        continue;
      }
      cost.open = false;
      cost.seconds += line.at("seconds").get<double>();
      cost.core_seconds += line.at("core_seconds").get<double>();
      cost.peak_mib = std::max(cost.peak_mib, line.at("peak_mib").get<double>());
      cost.last_code = line.at("code").get<std::int64_t>();
      ++cost.ends;
    }
  } catch (const json::exception& error) {
    throw DataError(str("sweep: ", error.what(), " (", path.string(), ")"));
  }
  return cost;
}

Attempts::Attempts(std::shared_ptr<FileOps> ops, const fs::path& folder)
    : log_(std::move(ops), folder / "attempts.jsonl"),
      count_(static_cast<std::int64_t>(read_metrics_log(folder / "attempts.jsonl").size())) {}

void Attempts::started(const std::string& command, std::int64_t log_start) {
  log_.append(count_++, {{"event", "start"}, {"command", command}, {"log_start", log_start}});
}

void Attempts::ended(const std::string& command, const Ended& how) {
  log_.append(count_++, {{"event", "end"},
                         {"command", command},
                         {"code", how.code},
                         {"seconds", how.seconds},
                         {"core_seconds", how.core_seconds},
                         {"peak_mib", how.peak_mib}});
}

bool is_finished(const fs::path& folder) {
  try {
    return read_result(folder).has_value();
  } catch (const Error&) {
    return false;
  }
}

std::optional<CellResult> read_result(const fs::path& folder) {
  const fs::path path = folder / "result.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  const json result = read_json_object(path);
  try {
    const json& cost = result.at("cost");
    return CellResult{{.seconds = cost.at("seconds"),
                       .core_seconds = cost.at("core_seconds"),
                       .peak_mib = cost.at("peak_mib"),
                       .starts = cost.at("starts"),
                       .unknown = cost.at("unknown")},
                      result.at("eval")};
  } catch (const json::exception& error) {
    throw DataError(str("sweep: ", error.what(), " (", path.string(), ")"));
  }
}

Cost write_result(FileOps& ops, const fs::path& folder) {
  const Cost cost = read_cost(folder);
  const ordered_json result = {{"cost",
                                {{"seconds", cost.seconds},
                                 {"core_seconds", cost.core_seconds},
                                 {"peak_mib", cost.peak_mib},
                                 {"starts", cost.starts},
                                 {"unknown", cost.unknown}}},
                               {"eval", read_json_object(folder / "eval.json")}};
  write_file_atomically(ops, folder / "result.json", result.dump(2) + "\n");
  return cost;
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

std::string differences_from(const fs::path& folder, const PlannedCell& planned,
                             const std::map<std::string, std::string>& defaults) {
  const fs::path path = folder / "cell.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  const json cell = read_json_object(path);
  std::map<std::string, std::string> before;
  std::map<std::string, std::string> now = planned.values;
  try {
    before = cell.at("values").get<std::map<std::string, std::string>>();
    before["ranks"] = str(cell.at("ranks").get<std::int64_t>());
  } catch (const json::exception& error) {
    throw DataError(str("sweep: ", error.what(), " (", path.string(), ")"));
  }
  now["ranks"] = str(planned.ranks);
  // A cell may have been begun when a key counted that no longer does.
  std::erase_if(before, [&](const auto& field) { return !now.contains(field.first); });
  return config::differences(before, now, defaults);
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

namespace {

CellState read_state(const fs::path& folder) {
  CellState state;
  std::error_code ignored;
  state.result = read_result(folder);
  if (!state.result && !fs::exists(folder / "cell.json", ignored)) return state;
  if (const auto lines = read_metrics_log(folder / "metrics.jsonl"); !lines.empty()) state.step = lines.back()["step"];
  if (state.result) {
    state.stage = Stage::finished;
    state.cost = state.result->cost;
    return state;
  }
  state.cost = read_cost(folder);
  for (const fs::path& held : {driver_folder(folder), folder}) {
    state.note = lock_owner(held);
    if (state.note.empty()) continue;
    state.stage = Stage::running;
    return state;
  }
  if (state.cost.open || state.cost.last_code == kPreempted || (state.cost.last_code == 0 && state.cost.starts > 0)) {
    state.stage = Stage::interrupted;
  } else if (state.cost.last_code != 0) {
    state.stage = Stage::failed;
    state.note = str("exit code ", state.cost.last_code);
  }
  return state;
}

}  // namespace

CellState state_of(const fs::path& folder) {
  try {
    return read_state(folder);
  } catch (const Error& error) {
    CellState state;
    state.stage = Stage::failed;
    state.note = error.what();
    return state;
  }
}

fs::path driver_folder(const fs::path& folder) { return folder / "driver"; }

}  // namespace coterie::sweep
