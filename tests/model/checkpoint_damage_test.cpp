// Nothing that is broken is ever taken for a checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "model/checkpoint.h"
#include "tests/model/checkpoint_case.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using testing::HasSubstr;

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

// What the leader has verified need not be hashed again on every rank.
TEST_F(Damage, a_reader_of_a_verified_checkpoint_does_not_hash_it_again) {
  const fs::path file = at_step(2) / "dense.safetensors";
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(-1, std::ios::end).put('x');

  EXPECT_THAT(data_error([&] { const CheckpointReader reader(at_step(2)); }), HasSubstr(file.string()));
  EXPECT_NO_THROW(CheckpointReader(at_step(2), Verification::done));
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
  CheckpointContent twice = content(5);
  twice.shards[1].tensors.push_back(twice.shards[0].tensors[0]);
  const std::string name = twice.shards[0].tensors[0].name;
  const fs::path checkpoint = save_content(*test::unsynced_file_ops(), twice);

  EXPECT_THAT(data_error([&] { const CheckpointReader reader(checkpoint); }),
              HasSubstr(str("tensor '", name, "' is in two files")));
}

}  // namespace
}  // namespace coterie::model
