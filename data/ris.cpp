// Reading of RIS records.
#include "data/ris.h"

#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"

namespace coterie::data {
namespace {

bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

// Bytes up to and with the hyphen when the line begins with a tag, any number of blanks and a hyphen that ends the line
// or precedes a blank; 0 otherwise.
std::size_t tag_length(std::string_view line) {
  if (line.size() < 3 || !is_capital(line[0]) || !(is_capital(line[1]) || (line[1] >= '0' && line[1] <= '9'))) return 0;
  const std::size_t hyphen = line.find_first_not_of(' ', 2);
  if (hyphen == std::string_view::npos || line[hyphen] != '-') return 0;
  // Two blanks before the hyphen make a tag whatever follows it; a name such as `T2-weighted` is none.
  return hyphen == 4 || hyphen + 1 == line.size() || line[hyphen + 1] == ' ' ? hyphen + 1 : 0;
}

class RisParser {
 public:
  explicit RisParser(const std::filesystem::path& path) : path_(path) {}

  std::vector<RisRecord> parse(std::string_view text) {
    LineReader lines(text);
    while (const auto line = lines.next()) {
      line_ = lines.number();
      const std::size_t length = tag_length(*line);
      if (length == 0) {
        go_on(trimmed(*line));
        continue;
      }
      if (length != 5) fail("two blanks must stand between tag and hyphen, got ", excerpt(*line));
      std::string_view value = line->substr(length);
      if (value.substr(0, 1) == " ") value.remove_prefix(1);
      tagged(line->substr(0, 2), value);
    }
    if (open_) fail("a record must end with ER, got the end of the file in the record of line ", records_.back().line);
    return std::move(records_);
  }

 private:
  void tagged(std::string_view tag, std::string_view value) {
    if (tag == "TY") {
      if (open_) fail("a record must end with ER before the next TY, got none for that of line ", records_.back().line);
      records_.push_back({.line = line_, .values = {}});
      open_ = true;
    } else if (!open_) {
      fail("a record must begin with TY, got ", tag);
    }
    if (tag == "ER") {
      open_ = false;
      return;
    }
    auto& values = records_.back().values[std::string(tag)];
    values.emplace_back(value);
    last_ = &values.back();
  }

  void go_on(std::string_view text) {
    if (text.empty()) return;
    if (!open_) fail("only blank lines may stand between records, got ", excerpt(text));
    *last_ += ' ';
    *last_ += text;
  }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw DataError(str("ris: ", parts..., " (", place(path_, line_), ")"));
  }

  const std::filesystem::path& path_;
  std::int64_t line_ = 0;
  bool open_ = false;            // inside a record
  std::string* last_ = nullptr;  // the value that a continuation line belongs to
  std::vector<RisRecord> records_;
};

}  // namespace

std::string_view RisRecord::first(std::string_view tag) const {
  const auto found = values.find(tag);
  return found == values.end() ? std::string_view{} : std::string_view(found->second.front());
}

std::vector<RisRecord> read_ris(const std::filesystem::path& path) {
  const std::string text = read_utf8(path);
  return RisParser(path).parse(text);
}

}  // namespace coterie::data
