// Durable file operations: the one seam through which everything that must survive a crash is written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace coterie {

namespace fs = std::filesystem;

/// A file being written; closed by its destructor, durable only after `sync`.
class OutputFile {
 public:
  virtual ~OutputFile() = default;
  /// @throws IoError naming the path
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// Appends text.
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Forces the content to the disk (fsync).
  virtual void sync() = 0;
};

/// The file system operations of durable writes. Virtual so that tests can fail, or kill the process, at the n-th one.
/// Every function throws IoError naming the path and the system's reason.
class FileOps {
 public:
  virtual ~FileOps() = default;
  /// Opens a new file for writing; an existing one is an error.
  [[nodiscard]] virtual std::unique_ptr<OutputFile> create(const fs::path& path) = 0;
  /// Opens a file to write behind what it holds; it is made if absent.
  [[nodiscard]] virtual std::unique_ptr<OutputFile> append(const fs::path& path) = 0;
  virtual void make_directory(const fs::path& path) = 0;
  /// Forces the entries of a directory to the disk.
  virtual void sync_directory(const fs::path& path) = 0;
  /// Replaces `to` if it is a file.
  virtual void rename(const fs::path& from, const fs::path& to) = 0;
  /// Removes a file or a whole directory; nothing there is not an error.
  virtual void remove_all(const fs::path& path) = 0;
};

/// The name of this machine, for what machines that share a folder write there.
[[nodiscard]] std::string host_name();

/// The operations of the real file system.
[[nodiscard]] std::shared_ptr<FileOps> real_file_ops();

/// Writes a file whole or not at all: temporary name beside it, fsync, rename, fsync of the folder.
///
/// The temporary name is this process's own; what a dead process of this host left of the same file is removed. A
/// symbolic link stays, and what it leads to is replaced. What is no regular file (a terminal, a pipe, `/dev/stdout`)
/// cannot be replaced: it is written to.
/// @throws IoError; the old content then stays, unless only the last fsync failed: then the new one is there, but might
///         not outlive a crash of the machine
void write_file_atomically(FileOps& ops, const fs::path& path, std::string_view content);
/// The same for content in several pieces, so that a header and large values need not be copied into one string.
void write_file_atomically(FileOps& ops, const fs::path& path, std::span<const std::string_view> pieces);

/// Says at the start of long work what `write_file_atomically` would say at its end.
/// @throws IoError unless the folder of `path` exists and may be written, and `path` is no folder
void expect_writable(const fs::path& path);

/// @throws IoError unless the folder of `path` exists and may be written
void expect_folder_writable(const fs::path& path);

/// The whole content of a file.
/// @throws IoError if it cannot be opened, or reading fails before its end
[[nodiscard]] std::string read_file(const fs::path& path);

}  // namespace coterie
