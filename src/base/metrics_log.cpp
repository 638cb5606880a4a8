// Writing, checking and cutting metrics.jsonl.
#include "base/metrics_log.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Calls `act(line, object)` for each whole line, which has its end.
template <class Act>
void for_each_line(std::string_view content, const fs::path& path, const Act& act) {
  std::size_t end = 0;
  for (std::size_t number = 1; (end = content.find('\n')) != std::string_view::npos; ++number) {
    const std::string_view line = content.substr(0, end + 1);
    json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool has_step = object.is_object() && object.contains("step") && object["step"].is_number_integer();
    if (!has_step)
      throw DataError(str("metrics log: a line must be an object with an integer 'step', got ",
                          excerpt(line.substr(0, end)), " (", path.string(), ":", number, ")"));
    act(line, std::move(object));
    content.remove_prefix(end + 1);
  }
}

// The whole lines with step <= last_step.
std::string kept_lines(std::string_view content, const fs::path& path, std::int64_t last_step) {
  std::string kept;
  for_each_line(content, path, [&](std::string_view line, const json& object) {
    if (object["step"].get<std::int64_t>() <= last_step) kept += line;
  });
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(std::shared_ptr<FileOps> ops, fs::path path) : ops_(std::move(ops)), path_(std::move(path)) {
  truncate_after(std::numeric_limits<std::int64_t>::max());
}

void MetricsLog::append(std::int64_t step, const ordered_json& fields) {
  COTERIE_CHECK(ShapeError, fields.is_object() && !fields.contains("step"),
                "metrics log: fields must be an object without 'step', got ", fields.type_name());
  ordered_json line = {{"step", step}};
  line.update(fields);
  file_->write(line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n');
}

void MetricsLog::truncate_after(std::int64_t step) {
  std::error_code unreadable;  // the open below then tells why
  const bool is_new = !fs::exists(path_, unreadable);
  if (!is_new) {
    const std::string content = read_file(path_);
    const std::string kept = kept_lines(content, path_, step);
    if (kept.size() != content.size()) write_file_atomically(*ops_, path_, kept);
  }
  // Opened anew: a file that was replaced is no longer the one behind the old descriptor.
  file_ = ops_->append(path_);
  if (is_new) ops_->sync_directory(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

void MetricsLog::sync() { file_->sync(); }

std::vector<json> read_metrics_log(const fs::path& path) {
  std::vector<json> lines;
  std::error_code unreadable;
  if (!fs::exists(path, unreadable)) return lines;
  for_each_line(read_file(path), path, [&](std::string_view, json object) { lines.push_back(std::move(object)); });
  return lines;
}

}  // namespace coterie
