// Checkpoints appear whole or not at all.
#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "tests/harness/faulty_file_ops.h"
#include "tests/model/checkpoint_case.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using test::Fault;
using test::FaultyFileOps;
using test::same_bits;
using testing::HasSubstr;

TEST_F(Checkpoint, gives_back_every_tensor_bit_for_bit_and_the_other_files) {
  const fs::path checkpoint = save(1);

  EXPECT_EQ(checkpoint, at_step(1));
  const CheckpointReader reader(checkpoint);
  for (const auto& [name, tensor] : test::checkpoint_weights(1)) {
    EXPECT_TRUE(reader.contains(name));
    EXPECT_TRUE(same_bits(reader.read(name), tensor)) << name;
  }
  EXPECT_EQ(read_file(checkpoint / "state.json"), test::checkpoint_state(1));
  EXPECT_EQ(read_model_spec(checkpoint).domains, test::checkpoint_spec(1).domains);
  EXPECT_TRUE(fs::exists(checkpoint / "vocab.txt"));
}

TEST_F(Checkpoint, a_tensor_that_it_lacks_is_an_error_that_names_it) {
  const CheckpointReader reader(save(1));

  EXPECT_THAT(data_error([&] { (void)reader.read("no.such"); }), HasSubstr("tensor 'no.such' is missing"));
}

TEST_F(Checkpoint, a_step_that_is_there_is_left_as_it_is) {
  (void)save(3);
  const auto written = fs::last_write_time(at_step(3) / "MANIFEST");
  FaultyFileOps counting(test::unsynced_file_ops(), 0, Fault::error);

  (void)save_with(counting, 3);

  EXPECT_EQ(counting.operations(), 0);
  EXPECT_EQ(fs::last_write_time(at_step(3) / "MANIFEST"), written);
}

TEST_F(Checkpoint, without_a_vocabulary_is_refused_and_nothing_is_written) {
  CheckpointContent without = content(1);
  without.tokenizer.erase("vocab.txt");

  try {
    (void)save_content(*test::unsynced_file_ops(), without);
    ADD_FAILURE() << "it was saved";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::data) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("no vocabulary, neither tokenizer.json nor vocab.txt"));
  }
  EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(Checkpoint, a_step_that_does_not_verify_is_written_again) {
  (void)save(3);
  fs::resize_file(at_step(3) / "dense.safetensors", 100);

  (void)save(3);

  EXPECT_NO_THROW(verify_checkpoint(at_step(3)));
}

TEST_F(Checkpoint, everything_is_forced_to_the_disk_before_the_rename_and_the_rename_after_it) {
  test::UnsyncedFileOps ops;
  fs::create_directory(folder());

  (void)save_with(ops, 2);

  const std::vector<std::string>& noted = ops.noted();
  const fs::path temporary = folder() / (".tmp-" + checkpoint_name(2));
  const auto place = [&](const std::string& what) { return std::find(noted.begin(), noted.end(), what); };
  const auto renamed = place("rename to " + at_step(2).string());
  const auto closed =
      std::find(std::make_reverse_iterator(renamed), noted.rend(), "sync directory " + temporary.string()).base();
  for (const auto& entry : fs::directory_iterator(at_step(2))) {
    const std::string name = entry.path().filename().string();
    // Some files are themselves written under another name first.
    const auto other = std::find_if(noted.begin(), noted.end(), [&](const std::string& what) {
      return what.starts_with("sync " + (temporary / (".tmp-" + name + "-")).string());
    });
    const bool synced = place("sync " + (temporary / name).string()) < closed || other < closed;
    EXPECT_TRUE(synced) << name;
  }
  EXPECT_LE(closed, renamed);
  ASSERT_NE(renamed, noted.end());
  EXPECT_THAT(std::vector<std::string>(renamed + 1, noted.end()),
              testing::ElementsAre("sync directory " + folder().string()));
}

// Faults. Each walks through every durable operation of a save: the last is the fsync of the folder after the rename.

TEST_F(Checkpoint, an_error_at_any_operation_leaves_the_previous_one_and_the_next_save_succeeds) {
  int operations = 0;
  std::vector<int> renamed_at;
  for (int n = 1; operations == 0; ++n) {
    go_back_to_step_1();
    FaultyFileOps faulty(test::unsynced_file_ops(), n, Fault::error);
    bool renamed = false;

    try {
      (void)save_with(faulty, 2);
      operations = n - 1;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::io) << error.what();
      renamed = fs::exists(at_step(2));
      if (renamed) renamed_at.push_back(n);
    }

    EXPECT_EQ(latest_checkpoint(folder()), operations > 0 || renamed ? at_step(2) : at_step(1)) << n;
    (void)save(2);
    EXPECT_EQ(latest_checkpoint(folder()), at_step(2)) << n;
    EXPECT_FALSE(has_leftovers()) << n;
    EXPECT_NO_THROW(verify_checkpoint(at_step(1))) << n;
  }
  // Only the last operation, the fsync of the folder, comes after the rename.
  EXPECT_THAT(renamed_at, testing::ElementsAre(operations));
  // 8 files of at least create, write and sync, directory, rename, and the folders' fsync.
  EXPECT_GT(operations, 8 * 3 + 3);
}

TEST_F(Checkpoint, a_kill_at_any_operation_leaves_the_previous_one_and_the_next_save_succeeds) {
  bool done = false;
  int n = 0;
  while (!done) {
    ++n;
    go_back_to_step_1();

    const pid_t child = ::fork();
    if (child == 0) {
      FaultyFileOps faulty(test::unsynced_file_ops(), n, Fault::kill);
      (void)save_with(faulty, 2);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);

    done = WIFEXITED(status);
    ASSERT_TRUE(done || WTERMSIG(status) == SIGKILL) << n;
    const bool renamed = fs::exists(at_step(2));
    EXPECT_EQ(latest_checkpoint(folder()), renamed ? at_step(2) : at_step(1)) << n;
    (void)save(2);
    (void)save(3);
    EXPECT_EQ(latest_checkpoint(folder()), at_step(3)) << n;
    EXPECT_FALSE(has_leftovers()) << n;
    EXPECT_NO_THROW(verify_checkpoint(at_step(1))) << n;
    EXPECT_NO_THROW(verify_checkpoint(at_step(2))) << n;
  }
  EXPECT_GT(n, 8 * 3 + 3);
}

// A step that is saved again, after the evaluation that a preemption put off.

TEST_F(Checkpoint, a_step_that_is_there_with_another_state_is_replaced) {
  (void)save(2);
  CheckpointContent settled = content(2);
  settled.state = "{\"settled\": true}\n";

  (void)save_content(*test::unsynced_file_ops(), settled);

  EXPECT_EQ(read_file(at_step(2) / "state.json"), settled.state);
  EXPECT_NO_THROW(verify_checkpoint(at_step(2)));
  EXPECT_FALSE(has_leftovers());
}

TEST_F(Checkpoint, a_kill_at_any_operation_of_a_replacement_leaves_a_checkpoint_of_that_step) {
  CheckpointContent settled = content(2);
  settled.state = "{\"settled\": true}\n";
  bool done = false;
  int put_aside = 0;
  for (int n = 1; !done; ++n) {
    go_back_to_step_1();
    (void)save(2);

    const pid_t child = ::fork();
    if (child == 0) {
      FaultyFileOps faulty(test::unsynced_file_ops(), n, Fault::kill);
      (void)save_content(faulty, settled);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);

    done = WIFEXITED(status);
    ASSERT_TRUE(done || WTERMSIG(status) == SIGKILL) << n;
    const auto found = list_checkpoints(folder());
    ASSERT_EQ(found.size(), 2U) << n;
    EXPECT_EQ(found[1].first, 2) << n;
    EXPECT_EQ(latest_checkpoint(folder()), found[1].second) << n;
    EXPECT_NO_THROW(CheckpointReader(found[1].second)) << n;
    if (found[1].second != at_step(2)) ++put_aside;
    (void)save_content(*test::unsynced_file_ops(), settled);
    (void)save(3);
    EXPECT_EQ(read_file(at_step(2) / "state.json"), settled.state) << n;
    EXPECT_NO_THROW(verify_checkpoint(at_step(2))) << n;
    EXPECT_FALSE(has_leftovers()) << n;
  }
  // Between the two renames only.
  EXPECT_EQ(put_aside, 1);
}

TEST_F(Checkpoint, the_first_save_may_fail_anywhere_too) {
  bool done = false;
  for (int n = 1; !done; ++n) {
    fs::remove_all(folder());
    FaultyFileOps faulty(test::unsynced_file_ops(), n, Fault::error);
    try {
      (void)save_with(faulty, 1);
      done = true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::io) << error.what();
    }

    EXPECT_EQ(latest_checkpoint(folder()).has_value(), fs::exists(at_step(1))) << n;
    (void)save(1);
    EXPECT_EQ(latest_checkpoint(folder()), at_step(1)) << n;
  }
}

TEST_F(Checkpoint, a_folder_that_cannot_be_made_is_an_io_error) {
  std::ofstream(folder()) << "a file";

  try {
    (void)save(1);
    ADD_FAILURE() << "it was saved";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::io) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(folder().string()));
  }
}

// Listing and pruning.

TEST_F(Checkpoint, an_absent_or_empty_folder_has_none) {
  EXPECT_EQ(latest_checkpoint(folder()), std::nullopt);
  fs::create_directory(folder());
  EXPECT_EQ(latest_checkpoint(folder()), std::nullopt);
}

TEST_F(Checkpoint, steps_are_compared_as_numbers) {
  (void)save(99999999);
  (void)save(100000000);

  EXPECT_EQ(latest_checkpoint(folder()), at_step(100000000));
}

TEST_F(Checkpoint, only_step_folders_are_listed) {
  (void)save(4);
  for (const char* name : {"step-", "step-x", "step-5x", "step--5", ".tmp-step-00000009", "best"})
    fs::create_directory(folder() / name);

  const auto found = list_checkpoints(folder());

  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].first, 4);
}

class Pruning : public Checkpoint {
 protected:
  void SetUp() override {
    for (const std::int64_t step : {2, 4, 6, 8}) (void)save(step);
  }
  [[nodiscard]] std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> out;
    for (const auto& [step, path] : list_checkpoints(folder())) out.push_back(step);
    return out;
  }
};

TEST_F(Pruning, keeps_the_newest_and_the_best) {
  prune_checkpoints(*test::unsynced_file_ops(), folder(), 8, {.newest = 2, .best_step = 2});

  EXPECT_THAT(steps(), testing::ElementsAre(2, 6, 8));
}

TEST_F(Pruning, a_best_one_among_the_newest_takes_no_place_more) {
  prune_checkpoints(*test::unsynced_file_ops(), folder(), 8, {.newest = 2, .best_step = 8});

  EXPECT_THAT(steps(), testing::ElementsAre(6, 8));
}

TEST_F(Pruning, without_a_best_one_keeps_the_newest) {
  prune_checkpoints(*test::unsynced_file_ops(), folder(), 8, {.newest = 1, .best_step = -1});

  EXPECT_THAT(steps(), testing::ElementsAre(8));
}

TEST_F(Pruning, keeps_all_where_there_are_fewer) {
  prune_checkpoints(*test::unsynced_file_ops(), folder(), 8, {.newest = 9, .best_step = -1});

  EXPECT_THAT(steps(), testing::ElementsAre(2, 4, 6, 8));
}

// After a fall back from a damaged step 8 to 6 the run saves 7: the damaged one must not push 7 out.
TEST_F(Pruning, a_damaged_later_step_does_not_count_among_the_newest) {
  fs::remove(at_step(8) / "state.json");
  (void)save(7);

  prune_checkpoints(*test::unsynced_file_ops(), folder(), 7, {.newest = 1, .best_step = 2});

  EXPECT_THAT(steps(), testing::ElementsAre(2, 7));
  EXPECT_EQ(latest_checkpoint(folder()), at_step(7));
}

}  // namespace
}  // namespace coterie::model
