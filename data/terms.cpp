// Cutting a text into words.
#include "data/terms.h"

#include <utf8proc.h>

#include <utility>

#include "base/utf8.h"
#include "data/unicode.h"

namespace coterie::data {
namespace {

// Python's \w: what is alphanumeric, and the underscore.
bool is_word_char(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return c == U'_';
  }
}

class Cutter {
 public:
  void take(char32_t c) {
    if (!is_word_char(c)) return end_word();
    append_char(word_, c);
    ++chars_;
  }

  void end_word() {
    if (chars_ >= 2) words_.push_back(std::move(word_));
    word_.clear();
    chars_ = 0;
  }

  std::vector<std::string> words() {
    end_word();
    return std::move(words_);
  }

 private:
  std::vector<std::string> words_;
  std::string word_;
  int chars_ = 0;
};

}  // namespace

std::vector<std::string> terms(std::string_view utf8) {
  Cutter cutter;
  while (!utf8.empty()) {
    const DecodedChar next = decode_char(utf8);
    utf8.remove_prefix(next.bytes);
    if (!next.well_formed) {
      cutter.end_word();
      continue;
    }
    const Decomposition lower = lower_case(next.value);
    for (std::size_t i = 0; i < lower.size; ++i) cutter.take(lower.parts[i]);
  }
  return cutter.words();
}

}  // namespace coterie::data
