// metrics.jsonl: one JSON object per step or evaluation, in the order in which they happened.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "base/file_ops.h"

namespace coterie {

/// Appends objects to a file of JSON lines, each written at once, so that a reader sees whole steps.
///
/// A process that is killed may leave a last line without its end. Such a line was never written: it is dropped when
/// the file is next opened.
class MetricsLog {
 public:
  /// Continues a file, or starts one.
  ///
  /// @throws DataError with the line if an earlier line is no object with an integer `step`; IoError
  MetricsLog(std::shared_ptr<FileOps> ops, fs::path path);

  /// Appends one line: `step`, then `fields`. Numbers read back to the same value; JSON has no NaN and no infinity,
  /// they become null.
  ///
  /// @param fields  an object without a `step`
  /// @throws ShapeError if it is something else; IoError
  void append(std::int64_t step, const nlohmann::ordered_json& fields);

  /// Cuts the file back to the lines with `step` <= the given one, whole or not at all; used on resume, where later
  /// steps happen again.
  ///
  /// @throws DataError as the constructor; IoError, and the old content then stays
  void truncate_after(std::int64_t step);

  /// Forces the lines to the disk; called before a checkpoint, so that a resumed run has no gap before it.
  void sync();

 private:
  std::shared_ptr<FileOps> ops_;
  fs::path path_;
  std::unique_ptr<OutputFile> file_;
};

/// The whole lines of such a file; none if there is no file.
///
/// @throws DataError with the line if one is no object with an integer `step`; IoError
[[nodiscard]] std::vector<nlohmann::json> read_metrics_log(const fs::path& path);

}  // namespace coterie
