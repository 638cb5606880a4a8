// Reading of SMART records.
#include "data/smart_reader.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"
#include "base/text.h"
#include "data/document_text.h"

namespace coterie::data {
namespace {

constexpr std::uint64_t kMaxNumber = 0x7FFFFFFF;

class SmartParser {
 public:
  SmartParser(const std::filesystem::path& path, std::string_view fields) : path_(path), fields_(fields) {}

  std::vector<SmartRecord> parse(std::string_view text) {
    LineReader lines(text);
    while (const auto line = lines.next()) {
      line_ = lines.number();
      const char letter = marker(*line);
      if (letter == 'I') {
        begin(*line);
      } else if (letter != 0 && !records_.empty()) {
        field_ = letter;
      } else {
        add(*line);
      }
    }
    check_links();
    return std::move(records_);
  }

 private:
  // The marker's letter, or 0 for a line of content. `.I` takes a number, so it is one whatever follows a blank.
  char marker(std::string_view line) const {
    if (line.size() < 2 || line[0] != '.') return 0;
    if (line[1] == 'I' && (line.size() == 2 || line[2] == ' ' || line[2] == '\t')) return 'I';
    return fields_.find(line[1]) != std::string_view::npos && trimmed(line.substr(2)).empty() ? line[1] : '\0';
  }

  void begin(std::string_view line) {
    const auto parts = words(line.substr(2));
    const auto number = parts.size() == 1 ? to_number(parts[0], kMaxNumber) : std::nullopt;
    if (!number) fail(".I must be followed by one number up to ", kMaxNumber, ", got ", excerpt(line));
    const auto [known, added] = first_line_.emplace(*number, line_);
    if (!added) fail("record ", *number, " stands twice, first in line ", known->second);
    records_.emplace_back();
    records_.back().id = static_cast<std::uint32_t>(*number);
    field_ = 0;
    empty_ = {true, true};
  }

  void add(std::string_view line) {
    if (field_ == 0) {
      if (trimmed(line).empty()) return;
      fail(records_.empty() ? "the first line must be .I with a number" : "a field marker must follow .I", ", got ",
           excerpt(line));
    }
    SmartRecord& record = records_.back();
    if (field_ == 'T') append(record.title, empty_[0], line);
    if (field_ == 'W') append(record.abstract, empty_[1], line);
    if (field_ == 'X' && !trimmed(line).empty()) record.links.push_back(link(line));
  }

  static void append(std::string& field, bool& empty, std::string_view line) {
    if (!empty) field += ' ';
    empty = false;
    field += trimmed(line);
  }

  SmartLink link(std::string_view line) const {
    const auto parts = words(trimmed(line));
    std::array<std::uint32_t, 3> numbers{};
    bool good = parts.size() == numbers.size();
    for (std::size_t i = 0; good && i < numbers.size(); ++i) {
      const auto number = to_number(parts[i], kMaxNumber);
      good = number.has_value();
      numbers[i] = static_cast<std::uint32_t>(number.value_or(0));
    }
    if (!good) fail("an .X line must be three numbers, got ", excerpt(line));
    if (numbers[2] != records_.back().id)
      fail("the third number of an .X line must be its own record (", records_.back().id, "), got ", numbers[2]);
    return {.other = numbers[0], .value = numbers[1], .line = line_};
  }

  void check_links() {
    for (const SmartRecord& record : records_) {
      for (const SmartLink& link : record.links) {
        line_ = link.line;
        if (!first_line_.contains(link.other)) fail("an .X line must name a record of the file, got ", link.other);
      }
    }
  }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw DataError(str("smart: ", parts..., " (", place(path_, line_), ")"));
  }

  const std::filesystem::path& path_;
  std::string_view fields_;
  std::int64_t line_ = 0;
  char field_ = 0;
  std::array<bool, 2> empty_ = {true, true};  // whether title and abstract have no line yet
  std::vector<SmartRecord> records_;
  std::unordered_map<std::uint64_t, std::int64_t> first_line_;
};

}  // namespace

std::vector<SmartRecord> read_smart(const std::filesystem::path& path, std::string_view fields) {
  const std::string text = latin1_to_utf8(read_file(path));
  return SmartParser(path, fields).parse(text);
}

Collection smart_collection(std::string domain, const std::vector<SmartRecord>& records,
                            const std::map<std::uint64_t, std::uint32_t>& weights, const std::filesystem::path& path) {
  Collection made{.domain = std::move(domain), .documents = {}, .pairs = {}, .dropped = {}};
  std::unordered_map<std::uint32_t, std::uint32_t> index;
  for (const SmartRecord& record : records) {
    if (trimmed(record.abstract).empty()) continue;
    index.emplace(record.id, static_cast<std::uint32_t>(made.documents.size()));
    made.documents.push_back({std::to_string(record.id), document_text(record.title, record.abstract), std::nullopt});
  }
  if (made.documents.empty())
    throw DataError(str("smart: at least one record with an abstract (.W) is needed, got ", records.size(),
                        " records without one (", path.string(), ")"));
  std::uint64_t without_abstract = 0;
  for (const auto& [key, weight] : weights) {
    const auto a = index.find(static_cast<std::uint32_t>(key >> 32));
    const auto b = index.find(static_cast<std::uint32_t>(key));
    if (a == index.end() || b == index.end())
      ++without_abstract;
    else
      made.pairs.push_back({std::min(a->second, b->second), std::max(a->second, b->second), weight});
  }
  sort_pairs(made.pairs);
  if (without_abstract > 0) made.dropped.emplace_back("no abstract", without_abstract);
  return made;
}

}  // namespace coterie::data
