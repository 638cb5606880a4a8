// Lines, blanks and encodings of text.
#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/utf8.h"

namespace coterie {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Unicode's white space outside ASCII: next line, no-break space, ogham, the em and en spaces, separators, ideographic.
bool is_wide_blank(char32_t point) {
  constexpr std::array<char32_t, 8> kSingle = {0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  return (point >= 0x2000 && point <= 0x200A) || std::find(kSingle.begin(), kSingle.end(), point) != kSingle.end();
}

bool is_ascii_blank(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == ' ' || (byte >= 0x09 && byte <= 0x0D) || (byte >= 0x1C && byte <= 0x1F);
}

// Length of the blank at the start of `text`, or 0.
std::size_t leading_blank(std::string_view text) {
  if (text.empty()) return 0;
  if (is_ascii_blank(text.front())) return 1;
  const DecodedChar first = decode_char(text);
  return first.well_formed && is_wide_blank(first.value) ? first.bytes : 0;
}

// Length of the blank at the end of `text`, or 0.
std::size_t trailing_blank(std::string_view text) {
  if (text.empty()) return 0;
  if (is_ascii_blank(text.back())) return 1;
  for (std::size_t length = 2; length <= std::min<std::size_t>(3, text.size()); ++length) {
    const DecodedChar last = decode_char(text.substr(text.size() - length));
    if (last.well_formed && last.bytes == length && is_wide_blank(last.value)) return length;
  }
  return 0;
}

}  // namespace

std::string place(const std::filesystem::path& path, std::int64_t line) { return str(path.string(), ":", line); }

std::string place(const std::filesystem::path& path, std::int64_t line, std::int64_t column) {
  return str(path.string(), ":", line, ":", column);
}

LineReader::LineReader(std::string_view text) : rest_(text) {
  if (rest_.substr(0, kByteOrderMark.size()) == kByteOrderMark) rest_.remove_prefix(kByteOrderMark.size());
}

std::optional<std::string_view> LineReader::next() {
  if (rest_.empty()) return std::nullopt;
  ++number_;
  const std::size_t end = std::min(rest_.find_first_of("\r\n"), rest_.size());
  const std::string_view line = rest_.substr(0, end);
  const bool pair = rest_.substr(end, 2) == "\r\n";
  rest_.remove_prefix(std::min(rest_.size(), end + (pair ? 2 : 1)));
  return line;
}

std::string_view trimmed(std::string_view text) {
  while (const std::size_t length = leading_blank(text)) text.remove_prefix(length);
  while (const std::size_t length = trailing_blank(text)) text.remove_suffix(length);
  return text;
}

std::vector<std::string_view> pieces(std::string_view text, char separator) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view piece = trimmed(text.substr(0, end));
    if (!piece.empty()) found.push_back(piece);
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return found;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t", at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    found.push_back(text.substr(at, end - at));
    at = end;
  }
  return found;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::optional<std::uint64_t> to_number(std::string_view word, std::uint64_t max) {
  std::uint64_t value = 0;
  const char* const end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, value);
  if (word.empty() || result.ec != std::errc{} || result.ptr != end || value > max) return std::nullopt;
  return value;
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | (byte >> 6));
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

std::string read_utf8(const std::filesystem::path& path) {
  std::string content = read_file(path);
  std::int64_t line = 1;
  std::size_t line_start = 0;
  for (std::size_t at = 0; at < content.size();) {
    const DecodedChar next = decode_char(std::string_view(content).substr(at));
    if (!next.well_formed) {
      std::ostringstream byte;
      byte << "0x" << std::hex << std::uppercase << static_cast<int>(static_cast<unsigned char>(content[at]));
      throw DataError(str("text: must be UTF-8, got the byte ", byte.str(), " (",
                          place(path, line, static_cast<std::int64_t>(at - line_start) + 1), ")"));
    }
    if (content[at] == '\n' || (content[at] == '\r' && (at + 1 == content.size() || content[at + 1] != '\n'))) {
      ++line;
      line_start = at + 1;
    }
    at += next.bytes;
  }
  return content;
}

}  // namespace coterie
