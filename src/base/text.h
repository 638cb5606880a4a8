// Text from files: lines, blanks, numbers and encodings.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coterie {

/// `path:line`, as messages name a place.
[[nodiscard]] std::string place(const std::filesystem::path& path, std::int64_t line);
/// `path:line:column`; the column counts bytes from 1.
[[nodiscard]] std::string place(const std::filesystem::path& path, std::int64_t line, std::int64_t column);

/// Cuts a text into lines at LF, CRLF or a lone CR; line ends are not part of a line.
class LineReader {
 public:
  /// @param text  must outlive the reader; a byte-order mark at its start is skipped
  explicit LineReader(std::string_view text);
  /// The next line, or nothing after the last one. Text after the last line end counts as a line if there is any.
  [[nodiscard]] std::optional<std::string_view> next();
  /// Number of the line that `next` gave last, from 1.
  [[nodiscard]] std::int64_t number() const noexcept { return number_; }

 private:
  std::string_view rest_;
  std::int64_t number_ = 0;
};

/// Without the white space at both ends: ASCII's, the separators 0x1C to 0x1F, and Unicode's blanks.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// The pieces between `separator`s, trimmed, without the empty ones.
[[nodiscard]] std::vector<std::string_view> pieces(std::string_view text, char separator);

/// The pieces between runs of blanks and tabs.
[[nodiscard]] std::vector<std::string_view> words(std::string_view text);

/// ASCII letters in lower case; other bytes stay. Enough for DOIs, which ignore the case of ASCII letters only.
[[nodiscard]] std::string ascii_lower(std::string_view text);

/// A decimal number without sign, or nothing when the word is anything else or above `max`.
[[nodiscard]] std::optional<std::uint64_t> to_number(std::string_view word, std::uint64_t max);

/// Latin-1 to UTF-8; every byte string is valid Latin-1, and ASCII stays as it is.
[[nodiscard]] std::string latin1_to_utf8(std::string_view text);

/// The content of a UTF-8 text file.
/// @throws IoError if it cannot be read; DataError with line and column of the first byte that is not UTF-8
[[nodiscard]] std::string read_utf8(const std::filesystem::path& path);

}  // namespace coterie
