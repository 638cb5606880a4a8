// TensorBoard event files: scalars over steps, without protobuf.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/file_ops.h"

namespace coterie {

/// CRC-32C (Castagnoli) of the bytes, the checksum of TensorBoard's records.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

/// A named value at a step.
struct Scalar {
  std::string_view tag;
  float value = 0;
};

/// Writes the scalars of one process life to a new event file of a run directory.
///
/// A file is never continued: each start of a run makes the next one, `events.out.tfevents.000001`, `...000002`, and
/// TensorBoard reads them in that order. The file says which step it starts with, so that TensorBoard drops what
/// earlier files say about that step and later ones. Every record reaches the operating system at once.
///
/// @par Source
/// TensorFlow's `event.proto` and `tfrecord`: length, masked CRC of it, data, masked CRC of it.
class TensorBoardWriter {
 public:
  /// @param run_directory  exists
  /// @param first_step     the first step that will be written: on resume, the one after the checkpoint's
  /// @param wall_time_s    seconds since 1970
  /// @throws IoError
  TensorBoardWriter(FileOps& ops, const fs::path& run_directory, std::int64_t first_step, double wall_time_s);

  /// Appends the values of one step.
  /// @throws IoError
  void write(std::int64_t step, std::span<const Scalar> scalars, double wall_time_s);

  /// Appends one value.
  void write(std::int64_t step, const Scalar& scalar, double wall_time_s) {
    write(step, std::span(&scalar, 1), wall_time_s);
  }

 private:
  std::unique_ptr<OutputFile> file_;
};

}  // namespace coterie
