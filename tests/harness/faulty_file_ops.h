// Durable file operations that fail, or kill the process, at the n-th: how the tests walk through every crash point.
#pragma once

#include <csignal>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/file_ops.h"

namespace coterie::test {

/// What happens at the chosen operation.
enum class Fault {
  error,  ///< it throws IoError, once; later operations work, so cleaning up can be observed
  kill,   ///< the process dies by SIGKILL
};

/// Passes every operation on until the chosen one, which does nothing. A write that fails has written half: a torn file
/// is what a full disk or a crash leaves.
///
/// Counted are create, append, write, sync, make_directory, sync_directory, rename and remove_all, from 1 on.
class FaultyFileOps final : public FileOps {
 public:
  /// @param fail_at  number of the operation, 0 for none: then `operations()` tells how many there are
  FaultyFileOps(std::shared_ptr<FileOps> inner, int fail_at, Fault fault)
      : inner_(std::move(inner)), count_(std::make_shared<Count>(Count{fail_at, fault})) {}

  /// Operations begun so far, the failed one included.
  [[nodiscard]] int operations() const noexcept { return count_->begun; }

  [[nodiscard]] std::unique_ptr<OutputFile> create(const fs::path& path) override {
    count_->next("create", path);
    return std::make_unique<File>(inner_->create(path), path, count_);
  }
  [[nodiscard]] std::unique_ptr<OutputFile> append(const fs::path& path) override {
    count_->next("append to", path);
    return std::make_unique<File>(inner_->append(path), path, count_);
  }
  void make_directory(const fs::path& path) override {
    count_->next("make directory", path);
    inner_->make_directory(path);
  }
  void sync_directory(const fs::path& path) override {
    count_->next("sync directory", path);
    inner_->sync_directory(path);
  }
  void rename(const fs::path& from, const fs::path& to) override {
    count_->next("rename to", to);
    inner_->rename(from, to);
  }
  void remove_all(const fs::path& path) override {
    count_->next("remove", path);
    inner_->remove_all(path);
  }

 private:
  /// Shared with the open files.
  struct Count {
    int fail_at;
    Fault fault;
    int begun = 0;

    [[nodiscard]] bool begin() noexcept { return ++begun == fail_at; }
    [[noreturn]] void fail(const char* doing, const fs::path& path) const {
      if (fault == Fault::kill) static_cast<void>(std::raise(SIGKILL));
      throw IoError(str("file: cannot ", doing, " '", path.string(), "': fault at operation ", begun));
    }
    void next(const char* doing, const fs::path& path) {
      if (begin()) fail(doing, path);
    }
  };

  class File final : public OutputFile {
   public:
    File(std::unique_ptr<OutputFile> inner, fs::path path, std::shared_ptr<Count> count)
        : inner_(std::move(inner)), path_(std::move(path)), count_(std::move(count)) {}

    using OutputFile::write;
    void write(std::span<const std::byte> bytes) override {
      if (!count_->begin()) return inner_->write(bytes);
      inner_->write(bytes.first(bytes.size() / 2));
      count_->fail("write", path_);
    }
    void sync() override {
      count_->next("sync", path_);
      inner_->sync();
    }

   private:
    std::unique_ptr<OutputFile> inner_;
    fs::path path_;
    std::shared_ptr<Count> count_;
  };

  std::shared_ptr<FileOps> inner_;
  std::shared_ptr<Count> count_;
};

}  // namespace coterie::test
