// Checkpoints appear whole or not at all, and nothing that is broken is ever taken for a checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "dist/solo_group.h"
#include "model/checkpoint.h"
#include "tests/harness/checkpoint_fixture.h"
#include "tests/harness/faulty_file_ops.h"
#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using test::Fault;
using test::FaultyFileOps;
using test::same_bits;
using testing::HasSubstr;

class Checkpoint : public testing::Test {
 protected:
  fs::path save(std::int64_t step) { return save_with(*real_file_ops(), step); }
  fs::path save_with(FileOps& ops, std::int64_t step) {
    return save_checkpoint(ops, *solo_, folder(), test::checkpoint_content(step, tokenizer_));
  }
  [[nodiscard]] fs::path folder() const { return temporary_.path() / "checkpoints"; }
  [[nodiscard]] fs::path at_step(std::int64_t step) const { return folder() / checkpoint_name(step); }
  [[nodiscard]] bool has_leftovers() const {
    return std::any_of(fs::directory_iterator(folder()), {}, [](const auto& entry) {
      return entry.path().filename().string().starts_with(".tmp-");
    });
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
std::string warnings_of(const std::function<void()>& act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

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
  FaultyFileOps counting(real_file_ops(), 0, Fault::error);

  (void)save_with(counting, 3);

  EXPECT_EQ(counting.operations(), 0);
  EXPECT_EQ(fs::last_write_time(at_step(3) / "MANIFEST"), written);
}

TEST_F(Checkpoint, a_step_that_does_not_verify_is_written_again) {
  (void)save(3);
  fs::resize_file(at_step(3) / "dense.safetensors", 100);

  (void)save(3);

  EXPECT_NO_THROW(verify_checkpoint(at_step(3)));
}

// Faults. Each walks through every durable operation of a save: the last is the fsync of the folder after the rename.

TEST_F(Checkpoint, an_error_at_any_operation_leaves_the_previous_one_and_the_next_save_succeeds) {
  int operations = 0;
  std::vector<int> renamed_at;
  for (int n = 1; operations == 0; ++n) {
    go_back_to_step_1();
    FaultyFileOps faulty(real_file_ops(), n, Fault::error);
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
      FaultyFileOps faulty(real_file_ops(), n, Fault::kill);
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

TEST_F(Checkpoint, the_first_save_may_fail_anywhere_too) {
  bool done = false;
  for (int n = 1; !done; ++n) {
    fs::remove_all(folder());
    FaultyFileOps faulty(real_file_ops(), n, Fault::error);
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

// Damage. Step 1 is whole, step 2 has one file damaged.

class Damage : public Checkpoint {
 protected:
  void SetUp() override {
    (void)save(1);
    (void)save(2);
    for (const auto& entry : fs::directory_iterator(at_step(2))) names_.push_back(entry.path().filename());
    std::sort(names_.begin(), names_.end());
  }

  /// Calls `damage` for each file of step 2, checks what follows, and repairs it.
  void for_each_file(const std::function<void(const fs::path&)>& damage) {
    ASSERT_THAT(names_, testing::IsSupersetOf({"MANIFEST", "config.json", "coterie.json", "state.json", "vocab.txt",
                                               "dense.safetensors", "experts-0.safetensors"}));
    for (const fs::path& name : names_) {
      const fs::path file = at_step(2) / name;
      const std::string content = read_file(file);
      damage(file);
      expect_named(file);
      fs::remove(file);
      std::ofstream(file, std::ios::binary) << content;
      ASSERT_NO_THROW(verify_checkpoint(at_step(2))) << name;
    }
  }

  /// Checking names the file, and the step before is the latest, with a warning.
  void expect_named(const fs::path& file) {
    EXPECT_THAT(data_error([&] { verify_checkpoint(at_step(2)); }), HasSubstr(file.string()));
    EXPECT_THAT(data_error([&] { const CheckpointReader reader(at_step(2)); }), HasSubstr(file.string()));
    std::optional<fs::path> latest;
    const std::string warnings = warnings_of([&] { latest = latest_checkpoint(folder()); });
    EXPECT_EQ(latest, at_step(1));
    EXPECT_THAT(warnings, HasSubstr(at_step(2).string()));
    EXPECT_THAT(warnings, HasSubstr(file.string()));
  }

  std::vector<fs::path> names_;
};

TEST_F(Damage, a_missing_file_is_named) {
  for_each_file([](const fs::path& file) { fs::remove(file); });
}

TEST_F(Damage, a_file_cut_by_one_byte_is_named) {
  for_each_file([](const fs::path& file) { fs::resize_file(file, fs::file_size(file) - 1); });
}

TEST_F(Damage, a_file_cut_in_half_is_named) {
  for_each_file([](const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); });
}

TEST_F(Damage, an_empty_file_is_named) {
  for_each_file([](const fs::path& file) { fs::resize_file(file, 0); });
}

TEST_F(Damage, a_file_with_a_byte_more_is_named) {
  for_each_file([](const fs::path& file) { std::ofstream(file, std::ios::app) << ' '; });
}

TEST_F(Damage, a_flipped_bit_anywhere_is_named) {
  constexpr std::uint64_t kPlaces = 24;
  for (std::uint64_t place = 0; place < kPlaces; ++place) {
    for_each_file([&](const fs::path& file) {
      const auto at = static_cast<std::streamoff>((fs::file_size(file) - 1) * place / (kPlaces - 1));
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(at);
      const auto flipped = static_cast<char>(stream.get() ^ (1 << (place % 8)));
      stream.seekp(at);
      stream.put(flipped);
    });
  }
}

TEST_F(Damage, a_directory_in_the_place_of_a_file_is_no_checkpoint) {
  fs::remove(at_step(2) / "state.json");
  fs::create_directory(at_step(2) / "state.json");

  expect_named(at_step(2) / "state.json");
}

TEST_F(Damage, a_file_of_another_step_is_named) {
  int swapped = 0;
  for (const fs::path& name : names_) {
    const std::string mine = read_file(at_step(2) / name);
    const std::string other = read_file(at_step(1) / name);
    if (mine == other) continue;
    ++swapped;
    std::ofstream(at_step(2) / name, std::ios::binary) << other;
    // A manifest that is whole accuses the folder's step; any other file is accused by it.
    expect_named(at_step(2) / name);
    std::ofstream(at_step(2) / name, std::ios::binary) << mine;
  }
  EXPECT_GE(swapped, 5) << "the steps differ in too few files";
}

TEST_F(Damage, a_folder_under_another_steps_name_is_no_checkpoint) {
  fs::rename(at_step(2), at_step(7));

  EXPECT_THAT(data_error([&] { verify_checkpoint(at_step(7)); }), HasSubstr("of the folder's step, got step 2"));
  EXPECT_EQ(latest_checkpoint(folder()), at_step(1));
}

TEST_F(Damage, a_folder_with_a_name_of_its_own_verifies) {
  fs::rename(at_step(2), folder() / "published");

  EXPECT_NO_THROW(verify_checkpoint(folder() / "published"));
}

TEST_F(Damage, when_nothing_verifies_that_is_a_data_error) {
  fs::remove(at_step(1) / "state.json");
  fs::remove(at_step(2) / "MANIFEST");

  try {
    (void)latest_checkpoint(folder());
    ADD_FAILURE() << "something was found";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::data);
    EXPECT_THAT(error.what(), HasSubstr(str("none of 2 checkpoints is usable (", folder().string(), ")")));
  }
}

// Rules of the manifest, which hold even if its own hash does.

class Manifest : public Checkpoint {
 protected:
  void SetUp() override {
    (void)save(1);
    const std::string text = read_file(path());
    body_ = nlohmann::json::parse(text.substr(0, text.find('\n')));
  }

  [[nodiscard]] fs::path path() const { return at_step(1) / "MANIFEST"; }

  /// What is said of a manifest with this first line, whose hash is right.
  std::string with(const std::string& body) {
    Sha256 hash;
    hash.update(body);
    return said_of(body + "\n" + hash.hex() + "\n");
  }
  std::string with(const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json changed = body_;
    change(changed);
    return with(changed.dump());
  }
  std::string said_of(const std::string& text) {
    std::ofstream(path(), std::ios::binary) << text;
    const std::string said = data_error([&] { verify_checkpoint(at_step(1)); });
    EXPECT_THAT(said, HasSubstr(at_step(1).string()));
    return said;
  }

  nlohmann::json body_;
};

TEST_F(Manifest, as_written_verifies) {
  EXPECT_EQ(body_.at("version"), 1);
  EXPECT_EQ(body_.at("step"), 1);
  // dense, experts, config.json, coterie.json, vocab.txt, tokenizer_config.json, state.json
  EXPECT_EQ(body_.at("files").size(), 7U);
  EXPECT_NO_THROW(verify_checkpoint(at_step(1)));
}

TEST_F(Manifest, must_exist) {
  fs::remove(path());

  EXPECT_THAT(data_error([&] { verify_checkpoint(at_step(1)); }), HasSubstr("there is no manifest"));
}

TEST_F(Manifest, must_have_two_lines) { EXPECT_THAT(said_of(body_.dump()), HasSubstr("two lines, got one")); }

TEST_F(Manifest, must_carry_its_own_hash) {
  const std::string zeros(64, '0');

  EXPECT_THAT(said_of(body_.dump() + "\n" + zeros + "\n"), HasSubstr("got '" + zeros));
}

TEST_F(Manifest, must_end_after_its_hash) {
  const std::string text = read_file(path());

  EXPECT_THAT(said_of(text + "more\n"), HasSubstr("own hash"));
  EXPECT_THAT(said_of(text.substr(0, text.size() - 1)), HasSubstr("own hash"));
}

TEST_F(Manifest, must_be_json) { EXPECT_THAT(with("{"), HasSubstr("not as written")); }

TEST_F(Manifest, must_be_of_this_version) {
  EXPECT_THAT(with([](auto& m) { m["version"] = 2; }), HasSubstr("version must be 1, got 2"));
  EXPECT_THAT(with([](auto& m) { m.erase("version"); }), HasSubstr("version"));
}

TEST_F(Manifest, must_be_of_the_folders_step) {
  EXPECT_THAT(with([](auto& m) { m["step"] = 9; }), HasSubstr("got step 9"));
  EXPECT_THAT(with([](auto& m) { m["step"] = "1"; }), HasSubstr("not as written"));
  EXPECT_THAT(with([](auto& m) { m.erase("step"); }), HasSubstr("step"));
}

TEST_F(Manifest, must_list_files) {
  EXPECT_THAT(with([](auto& m) { m.erase("files"); }), HasSubstr("files"));
  EXPECT_THAT(with([](auto& m) { m["files"] = nullptr; }), HasSubstr("files must be a list, got null"));
  EXPECT_THAT(with([](auto& m) { m["files"] = "dense"; }), HasSubstr("files must be a list, got string"));
  EXPECT_THAT(with([](auto& m) { m["files"][0] = 4; }), HasSubstr("not as written"));
}

TEST_F(Manifest, must_say_name_bytes_and_hash_of_each_file) {
  for (const char* key : {"name", "bytes", "sha256"}) {
    EXPECT_THAT(with([&](auto& m) { m["files"][0].erase(key); }), HasSubstr(key));
    EXPECT_THAT(with([&](auto& m) { m["files"][0][key] = nlohmann::json::array(); }), HasSubstr("not as written"));
  }
}

TEST_F(Manifest, must_not_lead_out_of_the_folder) {
  for (const char* name : {"", ".", "..", "../MANIFEST", "/etc/passwd", "deeper/file", "dense.safetensors/"})
    EXPECT_THAT(with([&](auto& m) { m["files"][0]["name"] = name; }),
                HasSubstr(str("a file name must lie in the checkpoint, got '", name, "'")));
}

TEST_F(Manifest, of_two_shards_with_one_tensor_name_is_refused_by_the_reader) {
  CheckpointContent content = test::checkpoint_content(5, "");
  content.shards[1].tensors.push_back(content.shards[0].tensors[0]);
  const std::string name = content.shards[0].tensors[0].name;
  const fs::path checkpoint = save_checkpoint(*real_file_ops(), *dist::make_solo_group(), folder(), content);

  EXPECT_THAT(data_error([&] { const CheckpointReader reader(checkpoint); }),
              HasSubstr(str("tensor '", name, "' is in two files")));
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
  prune_checkpoints(*real_file_ops(), folder(), 8, {.newest = 2, .best_step = 2});

  EXPECT_THAT(steps(), testing::ElementsAre(2, 6, 8));
}

TEST_F(Pruning, a_best_one_among_the_newest_takes_no_place_more) {
  prune_checkpoints(*real_file_ops(), folder(), 8, {.newest = 2, .best_step = 8});

  EXPECT_THAT(steps(), testing::ElementsAre(6, 8));
}

TEST_F(Pruning, without_a_best_one_keeps_the_newest) {
  prune_checkpoints(*real_file_ops(), folder(), 8, {.newest = 1, .best_step = -1});

  EXPECT_THAT(steps(), testing::ElementsAre(8));
}

TEST_F(Pruning, keeps_all_where_there_are_fewer) {
  prune_checkpoints(*real_file_ops(), folder(), 8, {.newest = 9, .best_step = -1});

  EXPECT_THAT(steps(), testing::ElementsAre(2, 4, 6, 8));
}

// After a fall back from a damaged step 8 to 6 the run saves 7: the damaged one must not push 7 out.
TEST_F(Pruning, a_damaged_later_step_does_not_count_among_the_newest) {
  fs::remove(at_step(8) / "state.json");
  (void)save(7);

  prune_checkpoints(*real_file_ops(), folder(), 7, {.newest = 1, .best_step = 2});

  EXPECT_THAT(steps(), testing::ElementsAre(2, 7));
  EXPECT_EQ(latest_checkpoint(folder()), at_step(7));
}

}  // namespace
}  // namespace coterie::model
