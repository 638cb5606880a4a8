// Packing of single texts.
#include "data/pack_text.h"

#include <vector>

#include "base/error.h"

namespace coterie::data {

void append_text(PackedSequences& packed, const Tokenizer& tokenizer, std::string_view text, std::int64_t max_length,
                 std::int32_t domain) {
  COTERIE_CHECK(ShapeError, max_length >= 2, "pack: max_length must leave room for [CLS] and [SEP], got ", max_length);
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  const auto longest = static_cast<std::size_t>(max_length);
  if (ids.size() > longest) {
    ids[longest - 1] = ids.back();
    ids.resize(longest);
  }
  packed.tokens.insert(packed.tokens.end(), ids.begin(), ids.end());
  packed.sequence_index.push_back(packed.sequences());
  packed.offsets.push_back(static_cast<std::int64_t>(packed.tokens.size()));
  packed.domain.push_back(domain);
}

}  // namespace coterie::data
