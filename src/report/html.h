// The page that a report is: one HTML file that needs nothing else, in light and dark.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/table.h"

namespace coterie::report {

/// Text as HTML shows it, in content and in quoted attributes; control characters and bytes that are not UTF-8 become
/// visible.
[[nodiscard]] std::string escaped(std::string_view text);

/// A paragraph of plain text.
[[nodiscard]] std::string paragraph(std::string_view text);

/// A table with a caption; columns of numbers are right-aligned, and cells of long text have several lines.
[[nodiscard]] std::string html_table(const Table& table, std::string_view caption);

/// Text that keeps its lines, folded away under a summary.
[[nodiscard]] std::string folded_text(std::string_view summary, std::string_view text);

/// A page under construction.
class Page {
 public:
  explicit Page(std::string title) : title_(std::move(title)) {}

  /// Appends a section; `body` is HTML. A section without a body is left out.
  void add(std::string heading, std::string body);

  /// The whole file. Its content security policy forbids it to load anything.
  [[nodiscard]] std::string html() const;

 private:
  struct Section {
    std::string heading;
    std::string body;
  };

  std::string title_;
  std::vector<Section> sections_;
};

}  // namespace coterie::report
