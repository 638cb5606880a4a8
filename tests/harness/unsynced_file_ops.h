// Durable file operations without their fsync: tests that write much need not wait for the disk.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file_ops.h"
#include "base/str.h"

namespace coterie::test {

/// The real file system, except that fsyncs are noted, not done. What a killed process wrote is there all the same;
/// only a crash of the machine would show the difference.
class UnsyncedFileOps final : public FileOps {
 public:
  /// What was forced to the disk, and what renamed, in order: `sync PATH`, `sync directory PATH`, `rename to PATH`.
  [[nodiscard]] const std::vector<std::string>& noted() const noexcept { return *noted_; }

  [[nodiscard]] std::unique_ptr<OutputFile> create(const fs::path& path) override {
    return std::make_unique<File>(real_->create(path), path, noted_);
  }
  [[nodiscard]] std::unique_ptr<OutputFile> append(const fs::path& path) override {
    return std::make_unique<File>(real_->append(path), path, noted_);
  }
  void make_directory(const fs::path& path) override { real_->make_directory(path); }
  void sync_directory(const fs::path& path) override { noted_->push_back(str("sync directory ", path.string())); }
  void rename(const fs::path& from, const fs::path& to) override {
    real_->rename(from, to);
    noted_->push_back(str("rename to ", to.string()));
  }
  void remove_all(const fs::path& path) override { real_->remove_all(path); }

 private:
  using Notes = std::shared_ptr<std::vector<std::string>>;

  class File final : public OutputFile {
   public:
    File(std::unique_ptr<OutputFile> real, fs::path path, Notes noted)
        : real_(std::move(real)), path_(std::move(path)), noted_(std::move(noted)) {}
    using OutputFile::write;
    void write(std::span<const std::byte> bytes) override { real_->write(bytes); }
    void sync() override { noted_->push_back(str("sync ", path_.string())); }

   private:
    std::unique_ptr<OutputFile> real_;
    fs::path path_;
    Notes noted_;
  };

  std::shared_ptr<FileOps> real_ = real_file_ops();
  Notes noted_ = std::make_shared<std::vector<std::string>>();
};

/// Shared, as `FaultyFileOps` wants it.
[[nodiscard]] inline std::shared_ptr<FileOps> unsynced_file_ops() { return std::make_shared<UnsyncedFileOps>(); }

}  // namespace coterie::test
