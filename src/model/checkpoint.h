// Run checkpoints: a folder that appears whole or not at all, whose every byte is hashed in its MANIFEST.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "dist/process_group.h"
#include "model/model_spec.h"
#include "model/safetensors.h"
#include "model/safetensors_writer.h"

namespace coterie::model {

/// Tensors of this rank that go into one safetensors file.
struct Shard {
  std::string file;
  std::vector<NamedTensor> tensors;
};

/// What one rank puts into a checkpoint; spec, tokenizer and state are taken from rank 0.
struct CheckpointContent {
  std::int64_t step = 0;
  ModelSpec spec;
  std::map<std::string, std::string> tokenizer;  ///< `read_tokenizer_files`
  std::string state;                             ///< written as state.json
  std::vector<Shard> shards;                     ///< file names differ between ranks
};

/// Writes `folder/step-NNNNNNNN` by the commit protocol: temporary folder, files, fsync of each, MANIFEST, fsync of the
/// folder, rename, fsync of the parent, verification. A step that is already there with the same state and verifies is
/// left as it is; one with another state is put aside under a name that `list_checkpoints` still finds, and goes once
/// the new one verifies.
///
/// Until the rename, whatever was there before stays the latest checkpoint; a failure leaves nothing but a temporary
/// folder that the next save sweeps away.
/// @return the checkpoint's folder
/// @throws Error, the first rank's on every rank: DataError if the tokenizer has no vocabulary
/// @note collective over the group, on every path
std::filesystem::path save_checkpoint(FileOps& ops, const dist::ProcessGroup& world,
                                      const std::filesystem::path& folder, const CheckpointContent& content);

/// The folder name of a step.
[[nodiscard]] std::string checkpoint_name(std::int64_t step);

/// Checkpoints by step, ascending, whether valid or not; an absent folder has none. One that was put aside counts where
/// a crash kept the new one from its place.
[[nodiscard]] std::vector<std::pair<std::int64_t, std::filesystem::path>> list_checkpoints(
    const std::filesystem::path& folder);

/// Checks a checkpoint's manifest, that it is of the step in the folder's name, and the size and hash of each file.
/// @throws DataError naming the file, what was found and what was expected
void verify_checkpoint(const std::filesystem::path& checkpoint);

/// The highest step that verifies, with a warning for each higher one that does not.
/// @throws DataError if there are checkpoints and none verifies
[[nodiscard]] std::optional<std::filesystem::path> latest_checkpoint(const std::filesystem::path& folder);

/// Which checkpoints stay.
struct Keep {
  std::int64_t newest = 1;      ///< how many of the newest, at least 1
  std::int64_t best_step = -1;  ///< this one besides; -1: none
};

/// Removes all other checkpoints.
///
/// Those of higher steps than `newest` go too: the run went back before them because they did not verify, and they must
/// not count among the newest.
/// @param newest  the step just saved, which verifies
void prune_checkpoints(FileOps& ops, const std::filesystem::path& folder, std::int64_t newest, const Keep& keep);

/// Whether a checkpoint's hashes are still to be checked.
enum class Verification { needed, done };

/// Reads tensors of a checkpoint by name, from whichever shard holds them.
class CheckpointReader {
 public:
  /// Verifies, unless that was done, then opens every shard.
  /// @throws DataError naming file and tensor, also when two shards hold one name
  explicit CheckpointReader(const std::filesystem::path& checkpoint, Verification verification = Verification::needed);

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  [[nodiscard]] bool contains(const std::string& name) const { return shard_of_.contains(name); }
  /// @throws DataError if there is no such tensor
  [[nodiscard]] at::Tensor read(const std::string& name) const;

 private:
  std::filesystem::path folder_;
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::map<std::string, const SafetensorsFile*> shard_of_;
};

}  // namespace coterie::model
