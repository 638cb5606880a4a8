// Text tables: what `data build`, `eval` and the reports print.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace coterie {

/// A table of cells with a header, rendered with aligned columns.
///
/// A column is right-aligned when every filled cell below its header is a number (or `-`, for none); other columns are
/// left-aligned. Widths count characters, not bytes, so that UTF-8 names stay aligned.
class Table {
 public:
  /// @param header  one name per column, at least one
  /// @throws ShapeError if it is empty
  explicit Table(std::vector<std::string> header);

  /// Appends a row.
  /// @throws ShapeError unless it has as many cells as the header
  void add_row(std::vector<std::string> cells);

  /// Number of rows below the header.
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }

  /// Plain text: header, a rule, rows; columns two blanks apart, no blanks at the ends of lines.
  [[nodiscard]] std::string text() const;

  /// The same as a Markdown table; a `|` inside a cell is escaped.
  [[nodiscard]] std::string markdown() const;

  /// The same as comma-separated values; a cell with a comma, a quote or a new line is quoted (RFC 4180).
  [[nodiscard]] std::string csv() const;

  /// Of each column, whether it is right-aligned.
  [[nodiscard]] std::vector<bool> right_aligned() const;

  [[nodiscard]] const std::vector<std::string>& header() const noexcept { return header_; }
  [[nodiscard]] const std::vector<std::vector<std::string>>& cells() const noexcept { return rows_; }

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

/// `value` with exactly `digits` places after the point, for cells and messages: `decimal(2.5, 2)` is `2.50`.
[[nodiscard]] std::string decimal(double value, int digits);

/// The same with its sign, `+` for 0: `signed_decimal(2.5, 2)` is `+2.50`.
[[nodiscard]] std::string signed_decimal(double value, int digits);

/// A probability with three places, or one digit and an exponent where these would be 0: `0.041`, `2e-04`.
[[nodiscard]] std::string probability(double value);

}  // namespace coterie
