#include "base/file_ops.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace coterie {
namespace {

[[noreturn]] void fail(const char* doing, const fs::path& path) {
  const int error = errno;
  throw IoError(str("file: cannot ", doing, " '", path.string(), "': ", errno_text(error)));
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

class PosixFile final : public OutputFile {
 public:
  /// @param how  O_EXCL for a new file, O_APPEND to write behind an old one
  PosixFile(const fs::path& path, int how)
      : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644)) {
    if (fd_ < 0) fail("create", path_);
  }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override { ::close(fd_); }

  using OutputFile::write;
  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write", path_);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void sync() override {
    if (::fsync(fd_) != 0) fail("sync", path_);
  }

 private:
  fs::path path_;
  int fd_;
};

class PosixFileOps final : public FileOps {
 public:
  std::unique_ptr<OutputFile> create(const fs::path& path) override {
    return std::make_unique<PosixFile>(path, O_EXCL);
  }
  std::unique_ptr<OutputFile> append(const fs::path& path) override {
    return std::make_unique<PosixFile>(path, O_APPEND);
  }

  void make_directory(const fs::path& path) override {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) fail("make directory", path);
  }

  void sync_directory(const fs::path& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail("open directory", path);
    const int result = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    errno = error;
    if (result != 0) fail("sync directory", path);
  }

  void rename(const fs::path& from, const fs::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail("rename to", to);
  }

  void remove_all(const fs::path& path) override {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) throw IoError(str("file: cannot remove '", path.string(), "': ", error.message()));
  }
};

}  // namespace

std::shared_ptr<FileOps> real_file_ops() { return std::make_shared<PosixFileOps>(); }

void write_file_atomically(FileOps& ops, const fs::path& path, std::string_view content) {
  write_file_atomically(ops, path, std::span(&content, 1));
}

void write_file_atomically(FileOps& ops, const fs::path& path, std::span<const std::string_view> pieces) {
  const fs::path folder = folder_of(path);
  const fs::path temporary = folder / str(".tmp-", path.filename().string());
  ops.remove_all(temporary);
  try {
    {
      const auto file = ops.create(temporary);
      for (const std::string_view piece : pieces) file->write(piece);
      file->sync();
    }
    ops.rename(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  ops.sync_directory(folder);
}

void expect_writable(const fs::path& path) {
  if (fs::is_directory(path)) throw IoError(str("file: cannot write '", path.string(), "': is a directory"));
  if (::access(folder_of(path).c_str(), W_OK | X_OK) != 0) fail("write", path);
}

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw IoError(str("file: cannot read '", path.string(), "': is a directory"));
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("read", path);
  std::ostringstream content;
  content << in.rdbuf();
  if (in.bad()) fail("read", path);
  return std::move(content).str();
}

}  // namespace coterie
