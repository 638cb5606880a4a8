#include "model/text_file.h"

namespace coterie::model {

void write_text(FileOps& ops, const fs::path& path, std::string_view text) {
  const auto file = ops.create(path);
  file->write(text);
  file->sync();
}

}  // namespace coterie::model
