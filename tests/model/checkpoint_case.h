// The folder of checkpoints that the tests of them start from.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "dist/solo_group.h"
#include "model/checkpoint.h"
#include "tests/harness/checkpoint_fixture.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/unsynced_file_ops.h"

namespace coterie::model {

/// Saves checkpoints of the tiny model into a folder of its own.
class Checkpoint : public testing::Test {
 protected:
  fs::path save(std::int64_t step) { return save_with(*test::unsynced_file_ops(), step); }
  fs::path save_with(FileOps& ops, std::int64_t step) { return save_content(ops, content(step)); }
  fs::path save_content(FileOps& ops, const CheckpointContent& content) {
    return save_checkpoint(ops, *solo_, folder(), content);
  }
  [[nodiscard]] CheckpointContent content(std::int64_t step) const {
    return test::checkpoint_content(step, tokenizer_);
  }
  [[nodiscard]] fs::path folder() const { return temporary_.path() / "checkpoints"; }
  [[nodiscard]] fs::path at_step(std::int64_t step) const { return folder() / checkpoint_name(step); }
  [[nodiscard]] bool has_leftovers() const {
    return std::any_of(fs::directory_iterator(folder()), {},
                       [](const auto& entry) { return entry.path().filename().string().starts_with("."); });
  }
  /// Back to the state in which only step 1 is there.
  void go_back_to_step_1() {
    const fs::path kept = temporary_.path() / "kept";
    if (!fs::exists(kept)) {
      (void)save(1);
      fs::copy(folder(), kept, fs::copy_options::recursive);
    }
    fs::remove_all(folder());
    fs::copy(kept, folder(), fs::copy_options::recursive);
  }

 private:
  test::TemporaryFolder temporary_;
  fs::path tokenizer_ = test::write_tiny_checkpoint(temporary_.path() / "tokenizer");
  std::unique_ptr<dist::ProcessGroup> solo_ = dist::make_solo_group();
};

/// What `act` warns of.
inline std::string warnings_of(const std::function<void()>& act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

}  // namespace coterie::model
