// Texts that are in no corpus, as the encoder takes them.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/batch.h"
#include "data/tokenizer.h"

namespace coterie::data {

/// Appends a text, cut to `max_length` tokens (at least 2) with its last one ([SEP]) kept, as `Corpus::read_tokens`
/// does.
///
/// @param domain  the model's index; -1: none
void append_text(PackedSequences& packed, const Tokenizer& tokenizer, std::string_view text, std::int64_t max_length,
                 std::int32_t domain);

}  // namespace coterie::data
