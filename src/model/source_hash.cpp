#include "model/source_hash.h"

#include "base/sha256.h"
#include "base/str.h"
#include "model/hf_weights.h"

namespace coterie::model {

std::string weights_sha256(const ModelSource& source) {
  // The manifest of a checkpoint has the hash of every file in it.
  const std::vector<fs::path> files =
      source.checkpoint ? std::vector<fs::path>{source.folder / "MANIFEST"} : bert_weight_files(source.folder);
  Sha256 hash;
  for (const fs::path& file : files) hash.update(str(sha256_of_file(file), "  ", file.filename().string(), "\n"));
  return hash.hex();
}

}  // namespace coterie::model
