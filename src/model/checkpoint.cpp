#include "model/checkpoint.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "dist/together.h"
#include "model/model_path.h"
#include "model/text_file.h"
#include "model/tokenizer_files.h"

namespace coterie::model {
namespace {

using nlohmann::json;

constexpr const char* kManifest = "MANIFEST";
constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kAsidePrefix = ".old-";
constexpr const char* kState = "state.json";
constexpr int kVersion = 1;

struct ManifestEntry {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;
};

// The entries of all ranks' files, in rank order.
std::vector<ManifestEntry> gather_entries(const dist::ProcessGroup& world, const std::vector<ManifestEntry>& mine) {
  json list = json::array();
  for (const auto& entry : mine) list.push_back({entry.name, entry.bytes, entry.sha256});
  std::vector<ManifestEntry> all;
  for (int rank = 0; rank < world.size(); ++rank)
    for (const json& entry : json::parse(world.broadcast(list.dump(), rank)))
      all.push_back({entry[0].get<std::string>(), entry[1].get<std::uint64_t>(), entry[2].get<std::string>()});
  return all;
}

ManifestEntry write_entry(FileOps& ops, const fs::path& folder, const std::string& name, const std::string& text) {
  write_text(ops, folder / name, text);
  return {name, text.size(), sha256_of(text)};
}

std::string manifest_text(std::int64_t step, const std::vector<ManifestEntry>& entries) {
  json files = json::array();
  for (const auto& entry : entries)
    files.push_back({{"name", entry.name}, {"bytes", entry.bytes}, {"sha256", entry.sha256}});
  const std::string body = json{{"version", kVersion}, {"step", step}, {"files", files}}.dump();
  return str(body, "\n", sha256_of(body), "\n");
}

std::vector<ManifestEntry> read_manifest(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kManifest;
  const auto bad = [&](const auto&... parts) {
    return DataError(str("checkpoint: ", parts..., " (", path.string(), ")"));
  };
  if (!file_exists(path)) throw bad("there is no manifest");
  const std::string text = read_file(path);
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) throw bad("the manifest must have two lines, got one");
  const std::string body = text.substr(0, end);
  if (const std::string sum = sha256_of(body); text.substr(end + 1) != sum + "\n")
    throw bad("the manifest's own hash must be ", sum, ", got '", text.substr(end + 1, 64), "'");
  std::vector<ManifestEntry> entries;
  try {
    const json manifest = json::parse(body);
    if (manifest.at("version") != kVersion)
      throw bad("manifest version must be ", kVersion, ", got ", manifest.at("version").dump());
    const std::string folder = checkpoint.filename().string();
    if (const auto step = manifest.at("step").get<std::int64_t>();
        folder.starts_with(kStepPrefix) && folder != checkpoint_name(step))
      throw bad("the manifest must be of the folder's step, got step ", step);
    if (!manifest.at("files").is_array()) throw bad("files must be a list, got ", manifest.at("files").type_name());
    for (const json& file : manifest.at("files"))
      entries.push_back({file.at("name").get<std::string>(), file.at("bytes").get<std::uint64_t>(),
                         file.at("sha256").get<std::string>()});
  } catch (const json::exception& error) {
    throw bad("the manifest is not as written: ", error.what());
  }
  for (const auto& entry : entries)
    if (entry.name.empty() || fs::path(entry.name).filename() != entry.name || entry.name == "." || entry.name == "..")
      throw bad("a file name must lie in the checkpoint, got '", entry.name, "'");
  return entries;
}

bool verifies(const fs::path& checkpoint) {
  try {
    verify_checkpoint(checkpoint);
    return true;
  } catch (const Error& error) {
    log::warn(str("checkpoint '", checkpoint.string(), "' is not usable: ", error.what()));
    return false;
  }
}

// The folder of all checkpoints, whose own entry must survive a crash too.
void make_folder(FileOps& ops, const fs::path& folder) {
  if (file_exists(folder)) return;
  ops.make_directory(folder);
  ops.sync_directory(folder.has_parent_path() ? folder.parent_path() : fs::path("."));
}

void remove_leftovers(FileOps& ops, const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool replaced = name.starts_with(kAsidePrefix) && file_exists(folder / name.substr(kAsidePrefix.size()));
    if (replaced || name.starts_with(".tmp-")) leftovers.push_back(entry.path());
  }
  if (error) throw IoError(str("checkpoint: cannot list '", folder.string(), "': ", error.message()));
  for (const fs::path& leftover : leftovers) ops.remove_all(leftover);
}

// Rank 0's files: what is not tensors, and the manifest last.
void finish(FileOps& ops, const fs::path& temporary, const CheckpointContent& content,
            std::vector<ManifestEntry> entries) {
  write_model_spec(ops, temporary, content.spec);
  for (const char* name : {"config.json", "coterie.json"})
    entries.push_back({name, fs::file_size(temporary / name), sha256_of_file(temporary / name)});
  for (const auto& [name, text] : content.tokenizer) entries.push_back(write_entry(ops, temporary, name, text));
  entries.push_back(write_entry(ops, temporary, kState, content.state));
  write_text(ops, temporary / kManifest, manifest_text(content.step, entries));
  ops.sync_directory(temporary);
}

// Puts a finished checkpoint in its place. One of the same step, which verifies, first steps aside: a folder cannot be
// replaced in one operation, and at every moment one of the two must be found.
void commit(FileOps& ops, const fs::path& temporary, const fs::path& final_folder) {
  const fs::path folder = final_folder.parent_path();
  const fs::path aside = folder / str(kAsidePrefix, final_folder.filename().string());
  if (file_exists(final_folder)) {
    verify_checkpoint(temporary);
    ops.rename(final_folder, aside);
  }
  ops.rename(temporary, final_folder);
  ops.sync_directory(folder);
  verify_checkpoint(final_folder);
  if (file_exists(aside)) ops.remove_all(aside);
}

// What lies in the place of a checkpoint.
enum class There { nothing_valid, the_same, another_state };

There what_is_there(const fs::path& checkpoint, const std::string& state) {
  if (!file_exists(checkpoint) || !verifies(checkpoint)) return There::nothing_valid;
  return read_file(checkpoint / kState) == state ? There::the_same : There::another_state;
}

}  // namespace

std::string checkpoint_name(std::int64_t step) {
  std::string digits = std::to_string(step);
  return str(kStepPrefix, std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0'), digits);
}

fs::path save_checkpoint(FileOps& ops, const dist::ProcessGroup& world, const fs::path& folder,
                         const CheckpointContent& content) {
  const fs::path final_folder = folder / checkpoint_name(content.step);
  const fs::path temporary = folder / (".tmp-" + checkpoint_name(content.step));
  const bool leader = world.rank() == 0;
  There there = There::nothing_valid;
  dist::together(world, [&] {
    if (!leader) return;
    expect_vocabulary(content.tokenizer, final_folder);
    there = what_is_there(final_folder, content.state);
  });
  if (world.any(there == There::the_same)) return final_folder;

  dist::together(world, [&] {
    if (!leader) return;
    make_folder(ops, folder);
    remove_leftovers(ops, folder);
    if (there == There::nothing_valid) ops.remove_all(final_folder);
    ops.make_directory(temporary);
  });
  std::vector<ManifestEntry> mine;
  dist::together(world, [&] {
    for (const Shard& shard : content.shards) {
      const WrittenFile written = write_safetensors(ops, temporary / shard.file, shard.tensors, {});
      mine.push_back({shard.file, written.bytes, written.sha256});
    }
  });
  const std::vector<ManifestEntry> entries = gather_entries(world, mine);
  dist::together(world, [&] {
    if (!leader) return;
    finish(ops, temporary, content, entries);
    commit(ops, temporary, final_folder);
  });
  return final_folder;
}

std::vector<std::pair<std::int64_t, fs::path>> list_checkpoints(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(kAsidePrefix) && !file_exists(folder / name.substr(kAsidePrefix.size())))
      name.erase(0, kAsidePrefix.size());
    if (!name.starts_with(kStepPrefix)) continue;
    std::int64_t step = -1;
    const auto [end, bad] = std::from_chars(name.data() + kStepPrefix.size(), name.data() + name.size(), step);
    if (bad == std::errc{} && end == name.data() + name.size() && step >= 0) found.emplace_back(step, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void verify_checkpoint(const fs::path& checkpoint) {
  for (const auto& entry : read_manifest(checkpoint)) {
    const fs::path path = checkpoint / entry.name;
    std::error_code error;
    const std::uintmax_t bytes = fs::file_size(path, error);
    if (error) throw DataError(str("checkpoint: file is missing (", path.string(), ")"));
    if (bytes != entry.bytes)
      throw DataError(str("checkpoint: file must have ", entry.bytes, " bytes, got ", bytes, " (", path.string(), ")"));
    if (const std::string hash = sha256_of_file(path); hash != entry.sha256)
      throw DataError(
          str("checkpoint: file must have sha256 ", entry.sha256, ", got ", hash, " (", path.string(), ")"));
  }
}

std::optional<fs::path> latest_checkpoint(const fs::path& folder) {
  const auto found = list_checkpoints(folder);
  for (auto entry = found.rbegin(); entry != found.rend(); ++entry)
    if (verifies(entry->second)) return entry->second;
  if (!found.empty())
    throw DataError(str("checkpoint: none of ", found.size(), " checkpoints is usable (", folder.string(), ")"));
  return std::nullopt;
}

void prune_checkpoints(FileOps& ops, const fs::path& folder, std::int64_t newest, const Keep& keep) {
  const auto found = list_checkpoints(folder);
  std::int64_t kept = 0;
  for (auto entry = found.rbegin(); entry != found.rend(); ++entry) {
    const auto& [step, path] = *entry;
    const bool recent = step <= newest && kept++ < keep.newest;
    if (!recent && step != keep.best_step) ops.remove_all(path);
  }
}

CheckpointReader::CheckpointReader(const fs::path& checkpoint, Verification verification) : folder_(checkpoint) {
  if (verification == Verification::needed) verify_checkpoint(folder_);
  for (const auto& entry : read_manifest(folder_)) {
    if (!entry.name.ends_with(".safetensors")) continue;
    shards_.push_back(std::make_unique<SafetensorsFile>(folder_ / entry.name));
    for (const std::string& name : shards_.back()->names())
      if (!shard_of_.emplace(name, shards_.back().get()).second)
        throw DataError(str("checkpoint: tensor '", name, "' is in two files (", (folder_ / entry.name).string(), ")"));
  }
}

at::Tensor CheckpointReader::read(const std::string& name) const {
  const auto found = shard_of_.find(name);
  if (found == shard_of_.end())
    throw DataError(str("checkpoint: tensor '", name, "' is missing (", folder_.string(), ")"));
  return found->second->read(name);
}

}  // namespace coterie::model
