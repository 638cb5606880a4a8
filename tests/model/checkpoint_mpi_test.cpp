// Saving on several ranks: one checkpoint of all ranks' shards, or the same error everywhere and none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "dist/mpi_group.h"
#include "dist/together.h"
#include "tests/harness/checkpoint_fixture.h"
#include "tests/harness/faulty_file_ops.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/unsynced_file_ops.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::Fault;
using test::FaultyFileOps;
using testing::HasSubstr;

class SharedCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    if (leads()) temporary_.emplace();
    root_ = dist::on_leader(world_, [&] { return temporary_->path().string(); });
    dist::together(world_, [&] {
      if (leads()) test::write_tiny_checkpoint(root_ / "tokenizer");
    });
  }
  /// Nobody removes the folder while another rank still looks at it.
  void TearDown() override { world_.barrier(); }

  [[nodiscard]] bool leads() const { return world_.rank() == 0; }
  [[nodiscard]] fs::path folder() const { return root_ / "checkpoints"; }
  [[nodiscard]] fs::path at_step(std::int64_t step) const { return folder() / checkpoint_name(step); }

  /// Rank 0 has the dense shard, the last rank that of the experts; on one rank these are the same.
  [[nodiscard]] CheckpointContent content(std::int64_t step) const {
    CheckpointContent content = test::checkpoint_content(step, root_ / "tokenizer");
    std::vector<Shard> mine;
    if (leads()) mine.push_back(content.shards[0]);
    if (last()) mine.push_back(content.shards[1]);
    content.shards = mine;
    return content;
  }
  [[nodiscard]] bool last() const { return world_.rank() == world_.size() - 1; }

  void save(std::int64_t step) { (void)save_checkpoint(*test::unsynced_file_ops(), world_, folder(), content(step)); }

  dist::MpiGroup world_{dist::Communicator::world(), "world", 60};

 private:
  std::optional<test::TemporaryFolder> temporary_;  // rank 0's
  fs::path root_;
};

TEST_F(SharedCheckpoint, holds_the_shards_of_all_ranks) {
  save(1);

  const CheckpointReader reader(at_step(1));
  for (const auto& [name, tensor] : test::checkpoint_weights(1))
    EXPECT_TRUE(test::same_bits(reader.read(name), tensor)) << name;
}

// The last rank writes one shard only: create, write of header and data, sync.
TEST_F(SharedCheckpoint, an_error_on_the_last_rank_is_the_same_on_all_and_commits_nothing) {
  save(1);
  bool done = false;
  int failures = 0;
  for (int n = 1; !done; ++n) {
    FaultyFileOps faulty(test::unsynced_file_ops(), last() ? n : 0, Fault::error);
    std::string message;
    try {
      (void)save_checkpoint(faulty, world_, folder(), content(2));
      done = true;
    } catch (const Error& error) {
      ++failures;
      message = error.what();
      EXPECT_EQ(error.code(), Exit::io) << message;
      EXPECT_THAT(message, HasSubstr("fault at operation"));
    }

    EXPECT_EQ(message, world_.broadcast(message, 0));
    // On one rank the last operation comes after the rename.
    if (!done && world_.size() > 1) {
      EXPECT_THAT(message, HasSubstr("experts-0.safetensors"));
      EXPECT_EQ(latest_checkpoint(folder()), at_step(1)) << n;
      EXPECT_FALSE(fs::exists(at_step(2))) << n;
    }
    world_.barrier();
  }
  EXPECT_GE(failures, 3);
  EXPECT_EQ(latest_checkpoint(folder()), at_step(2));
  world_.barrier();
  save(3);
  EXPECT_EQ(latest_checkpoint(folder()), at_step(3));
  EXPECT_FALSE(fs::exists(folder() / (".tmp-" + checkpoint_name(2))));
}

TEST_F(SharedCheckpoint, an_error_on_rank_0_is_the_same_on_all) {
  save(1);
  bool done = false;
  for (int n = 1; !done; ++n) {
    FaultyFileOps faulty(test::unsynced_file_ops(), leads() ? n : 0, Fault::error);
    std::string message;
    try {
      (void)save_checkpoint(faulty, world_, folder(), content(2));
      done = true;
    } catch (const Error& error) {
      message = error.what();
      EXPECT_EQ(error.code(), Exit::io) << message;
    }

    EXPECT_EQ(message, world_.broadcast(message, 0));
    EXPECT_TRUE(latest_checkpoint(folder()).has_value());
    world_.barrier();
  }
  EXPECT_EQ(latest_checkpoint(folder()), at_step(2));
}

}  // namespace
}  // namespace coterie::model
