#include "base/file_ops.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

#include "base/error.h"
#include "base/handle.h"

namespace coterie {
namespace {

[[noreturn]] void fail(const char* doing, const fs::path& path) {
  const int error = errno;
  throw IoError(str("file: cannot ", doing, " '", path.string(), "': ", errno_text(error)));
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

struct DescriptorTraits {
  using Raw = int;
  static Raw null() noexcept { return -1; }
  static void release(Raw raw) noexcept { ::close(raw); }
};

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

// Where content for a path goes.
struct Destination {
  fs::path path;
  bool replaceable;  // by a rename; otherwise it is written to
};

Destination destination_of(fs::path path) {
  constexpr int kMostLinks = 40;
  std::error_code error;
  for (int links = 0; links < kMostLinks; ++links) {
    const fs::file_type type = fs::symlink_status(path, error).type();
    if (type == fs::file_type::fifo || type == fs::file_type::character || type == fs::file_type::block)
      return {path, false};
    if (type != fs::file_type::symlink) return {path, true};
    // The links of /proc stand for open files: `/dev/stdout` leads here.
    const fs::path folder = fs::weakly_canonical(folder_of(path), error);
    if (folder.string().starts_with("/proc/")) return {path, false};
    path = folder_of(path) / fs::read_symlink(path, error);
  }
  errno = ELOOP;
  fail("write", path);
}

// Temporary names of a file on this host; the process's number follows. Hosts may share the folder.
std::string temporary_prefix(const fs::path& path) {
  return str(".tmp-", path.filename().string(), "-", host_name(), "-");
}

bool is_alive(const std::string& process) {
  pid_t id = 0;
  const auto parsed = std::from_chars(process.data(), process.data() + process.size(), id);
  if (parsed.ec != std::errc() || parsed.ptr != process.data() + process.size()) return true;
  return id != ::getpid() && (::kill(id, 0) == 0 || errno != ESRCH);
}

// What killed processes left; a name with our own number is that of an earlier process.
void remove_leftovers(FileOps& ops, const fs::path& folder, const std::string& prefix) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(prefix) && !is_alive(name.substr(prefix.size()))) leftovers.push_back(entry->path());
  }
  for (const fs::path& leftover : leftovers) ops.remove_all(leftover);
}

}  // namespace

std::string host_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

std::shared_ptr<FileOps> real_file_ops() { return std::make_shared<PosixFileOps>(); }

void write_file_atomically(FileOps& ops, const fs::path& path, std::string_view content) {
  write_file_atomically(ops, path, std::span(&content, 1));
}

void write_file_atomically(FileOps& ops, const fs::path& path, std::span<const std::string_view> pieces) {
  const Destination destination = destination_of(path);
  if (!destination.replaceable) {
    const auto file = ops.append(destination.path);
    for (const std::string_view piece : pieces) file->write(piece);
    return;
  }
  const fs::path folder = folder_of(destination.path);
  const std::string prefix = temporary_prefix(destination.path);
  remove_leftovers(ops, folder, prefix);
  const fs::path temporary = folder / str(prefix, ::getpid());
  try {
    {
      const auto file = ops.create(temporary);
      for (const std::string_view piece : pieces) file->write(piece);
      file->sync();
    }
    ops.rename(temporary, destination.path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  ops.sync_directory(folder);
}

void expect_writable(const fs::path& path) {
  const Destination destination = destination_of(path);
  std::error_code ignored;
  if (fs::is_directory(destination.path, ignored))
    throw IoError(str("file: cannot write '", path.string(), "': is a directory"));
  if (destination.replaceable) return expect_folder_writable(destination.path);
  if (::access(destination.path.c_str(), W_OK) != 0) fail("write", path);
}

void expect_folder_writable(const fs::path& path) {
  if (::access(folder_of(path).c_str(), W_OK | X_OK) != 0) fail("write", path);
}

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw IoError(str("file: cannot read '", path.string(), "': is a directory"));
  const Handle<DescriptorTraits> file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("read", path);
  std::string content;
  if (const auto size = fs::file_size(path, error); !error) content.reserve(size);
  std::vector<char> block(1 << 16);
  while (true) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path);
    if (got == 0) return content;
    content.append(block.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace coterie
