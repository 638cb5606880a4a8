// HDF5 behind handles that close themselves and calls that throw: the only file that includes HDF5's header.
#pragma once

#include <hdf5.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/handle.h"

namespace coterie::data {

/// Any HDF5 identifier: files, datasets, spaces, types and property lists are all closed by giving up the reference.
struct H5Traits {
  using Raw = hid_t;
  static Raw null() noexcept { return H5I_INVALID_HID; }
  static void release(Raw raw) noexcept { H5Idec_ref(raw); }
};

using H5Handle = Handle<H5Traits>;

/// HDF5's innermost reason for the last failure in this thread; a refused file lock is explained.
[[nodiscard]] std::string h5_reason();

/// Stops HDF5 from printing its failures, which become errors here. Holds for the calling thread only.
void silence_h5();

/// Passes a result on, or turns a negative one into an error with HDF5's own reason.
template <class Kind = DataError, class Result>
Result check_h5(Result result, const std::string& doing) {
  if (result < 0) [[unlikely]]
    throw Kind(str("hdf5: cannot ", doing, ": ", h5_reason()));
  return result;
}

/// How an array lies in the file.
enum class H5Storage {
  plain,       ///< chunks with a Fletcher32 checksum
  compressed,  ///< the same after gzip
};

/// An array of unsigned numbers in an open file: [rows], or [rows, columns] where it has more than one column.
///
/// Checked when opened: kind of link, type, shape, chunks, filters, and that its size fits the bytes it really has in
/// the file, so that a reader may allocate what it claims.
template <class Number>
class H5Array {
 public:
  /// @param file_where  the file, for messages
  /// @param name        path inside the file, for example `/tokens/ids`
  /// @throws DataError naming file and dataset, what was found and what was expected
  H5Array(hid_t file, std::string file_where, std::string name, std::uint64_t columns, H5Storage storage);

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  /// File and dataset, for messages.
  [[nodiscard]] std::string where() const;
  /// The whole array, row by row.
  [[nodiscard]] std::vector<Number> read() const;
  /// Rows [first, first + count) into `out`, which has exactly their size.
  void read(std::uint64_t first, std::uint64_t count, std::span<Number> out) const;

 private:
  std::string file_where_;
  std::string name_;
  std::uint64_t columns_;
  std::uint64_t rows_ = 0;
  H5Handle dataset_;
};

/// A file open for reading: without locks, which shared file systems may lack, and without filter plugins.
class H5Reader {
 public:
  /// @throws DataError naming the path unless it is a complete HDF5 file in the latest layout, whose metadata carries
  ///         checksums; older layouts do not notice a flipped bit
  explicit H5Reader(std::filesystem::path path);

  /// File and attribute or dataset, for messages.
  [[nodiscard]] std::string where(const std::string& name) const;
  /// Whether there is something of that name; the groups above it exist.
  [[nodiscard]] bool has(const std::string& name) const;
  /// An attribute of the root: a text of at most 4096 bytes.
  [[nodiscard]] std::string text(const std::string& name) const;
  /// An attribute of the root: a 64-bit number.
  [[nodiscard]] std::uint64_t number(const std::string& name) const;
  template <class Number>
  [[nodiscard]] H5Array<Number> array(const std::string& name, std::uint64_t columns = 1,
                                      H5Storage storage = H5Storage::plain) const {
    return H5Array<Number>(file_.get(), path_.string(), name, columns, storage);
  }

 private:
  std::filesystem::path path_;
  H5Handle file_;
};

/// A new file in the latest layout that HDF5 1.10 reads, made in memory. Any failure is an IoError naming the path.
///
/// Whoever takes its bytes writes them through `FileOps`, like every durable file: HDF5 itself does not survive a full
/// disk.
class H5Writer {
 public:
  /// @param path  where the file will stand; for messages only
  explicit H5Writer(std::filesystem::path path);

  void text(const std::string& name, const std::string& value);
  void number(const std::string& name, std::uint64_t value);
  void group(const std::string& name);
  /// @param values  row by row, a multiple of `columns`
  template <class Number>
  void array(const std::string& name, std::span<const Number> values, std::uint64_t columns = 1,
             H5Storage storage = H5Storage::plain);
  /// The bytes of the finished file; nothing can be added afterwards.
  [[nodiscard]] std::vector<std::byte> finish();

 private:
  [[nodiscard]] std::string doing(const char* verb, const std::string& name) const;

  std::filesystem::path path_;
  H5Handle file_;
};

}  // namespace coterie::data
