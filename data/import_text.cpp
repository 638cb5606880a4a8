// Lines, blanks and encodings of imported text.
#include "data/import_text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/file_ops.h"

namespace coterie::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Unicode's white space outside ASCII: next line, no-break space, ogham, the em and en spaces, separators, ideographic.
bool is_wide_blank(std::uint32_t point) {
  constexpr std::array<std::uint32_t, 8> kSingle = {0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  return (point >= 0x2000 && point <= 0x200A) || std::find(kSingle.begin(), kSingle.end(), point) != kSingle.end();
}

bool is_ascii_blank(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == ' ' || (byte >= 0x09 && byte <= 0x0D) || (byte >= 0x1C && byte <= 0x1F);
}

// Bytes of the UTF-8 sequence that a lead byte announces; 0 when it cannot start one.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

// Length of the well-formed UTF-8 sequence at `at`, or 0; `point` is its code point.
std::size_t decode(std::string_view text, std::size_t at, std::uint32_t& point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const std::size_t length = sequence_length(byte(0));
  if (length == 0 || at + length > text.size()) return 0;
  point = length == 1 ? byte(0) : byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    point = (point << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < kLeast[length] || point > 0x10FFFF || surrogate ? 0 : length;
}

// Length of the blank at the start of `text`, or 0.
std::size_t leading_blank(std::string_view text) {
  if (text.empty()) return 0;
  if (is_ascii_blank(text.front())) return 1;
  std::uint32_t point = 0;
  const std::size_t length = decode(text, 0, point);
  return length > 1 && is_wide_blank(point) ? length : 0;
}

// Length of the blank at the end of `text`, or 0.
std::size_t trailing_blank(std::string_view text) {
  if (text.empty()) return 0;
  if (is_ascii_blank(text.back())) return 1;
  for (std::size_t length = 2; length <= std::min<std::size_t>(3, text.size()); ++length) {
    std::uint32_t point = 0;
    if (decode(text, text.size() - length, point) == length && is_wide_blank(point)) return length;
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

std::string excerpt(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string out(text.substr(0, kMost));
  // A sequence cut in two would make the message invalid UTF-8.
  while (text.size() > kMost && !out.empty() && (static_cast<unsigned char>(text[out.size()]) & 0xC0) == 0x80)
    out.pop_back();
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return "'" + out + (text.size() > kMost ? "...'" : "'");
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
    std::uint32_t point = 0;
    const std::size_t length = decode(content, at, point);
    if (length == 0) {
      std::ostringstream byte;
      byte << "0x" << std::hex << std::uppercase << static_cast<int>(static_cast<unsigned char>(content[at]));
      throw DataError(str("import: the text must be UTF-8, got the byte ", byte.str(), " (",
                          place(path, line, static_cast<std::int64_t>(at - line_start) + 1), ")"));
    }
    if (content[at] == '\n' || (content[at] == '\r' && (at + 1 == content.size() || content[at + 1] != '\n'))) {
      ++line;
      line_start = at + 1;
    }
    at += length;
  }
  return content;
}

std::string document_text(std::string_view title, std::string_view abstract) {
  const std::string_view head = trimmed(title);
  const std::string_view tail = trimmed(abstract);
  if (head.empty()) return std::string(tail);
  std::string text(head);
  text += head.back() == '.' ? " " : ". ";
  text += tail;
  return std::string(trimmed(text));
}

}  // namespace coterie::data
