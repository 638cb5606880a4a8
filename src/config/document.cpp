#include "config/document.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"
#include "config/spelling.h"

// Some inputs violate assertions of the library's parser (3.3.0: `[a]\nd=[1,[1,5,}\x0e`) that it then handles properly.
// An assertion would abort, NDEBUG would turn it into an assumption of the optimiser; as nothing at all, the input ends
// as a syntax error. The library is compiled here only, header-only, so that this holds for all of it.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace coterie::config {
namespace {

using Place = std::function<Origin(const toml::source_region&)>;

/// Walks over text outside strings and comments, counting brackets and the dots of keys.
///
/// The library builds and frees nested tables recursively: without a bound, a long dotted key overflows the stack.
class NestingScan {
 public:
  explicit NestingScan(std::string_view text) : text_(text) {}

  /// `line:column` of the first place that is too deep; empty if there is none.
  std::string run() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"' || c == '\'')
        skip_string(c);
      else if (c == '#')
        skip_comment();
      else
        count(c);
      if (depth_ > kMaxNesting || dots_ >= kMaxNesting) return position();
    }
    return {};
  }

 private:
  void count(char c) {
    if (c == '[' || c == '{') ++depth_;
    if ((c == ']' || c == '}') && depth_ > 0) --depth_;
    if (c == '.') ++dots_;
    if (std::string_view("[]{},=\n").find(c) != std::string_view::npos) dots_ = 0;
  }

  std::string position() const {
    const std::string_view before = text_.substr(0, at_);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const std::string_view line = before.substr(before.rfind('\n') + 1);
    const auto columns = std::count_if(line.begin(), line.end(), [](char b) { return (b & 0xC0) != 0x80; });
    return str(lines + 1, ":", columns + 1);
  }

  void skip_comment() {
    const std::size_t end = text_.find('\n', at_);
    at_ = end == std::string_view::npos ? text_.size() : end;
    dots_ = 0;
  }

  /// Leaves `at_` on the last quote; a string that does not end is the library's to report.
  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool is_long = text_.substr(at_).starts_with(triple);
    at_ += is_long ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\' && quote == '"') {
        ++at_;
      } else if (is_long ? text_.substr(at_).starts_with(triple) : text_[at_] == quote || text_[at_] == '\n') {
        break;
      }
    }
    if (!is_long || at_ >= text_.size()) return;
    // Up to two quotes may stand before the closing three.
    at_ += 2;
    while (at_ + 1 < text_.size() && text_[at_ + 1] == quote) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int dots_ = 0;
};

Value convert(const toml::node& node, const Place& place);

Value::Table convert_table(const toml::table& table, const Place& place) {
  Value::Table out;
  for (const auto& [key, node] : table) {
    Value value = convert(node, place);
    value.key_origin = place(key.source()).text;
    out.emplace(std::string(key.str()), std::move(value));
  }
  return out;
}

Value convert(const toml::node& node, const Place& place) {
  Value out{.data = {}, .origin = place(node.source())};
  if (const auto* table = node.as_table()) {
    out.data = convert_table(*table, place);
  } else if (const auto* array = node.as_array()) {
    Value::List list;
    for (const toml::node& item : *array) list.push_back(convert(item, place));
    out.data = std::move(list);
  } else if (const auto* text = node.as_string()) {
    out.data = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.data = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    out.data = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.data = boolean->get();
  } else {
    std::ostringstream date;
    node.visit([&](const auto& value) {
      if constexpr (toml::is_chronological<decltype(value)>) date << value.get();
    });
    out.data = Date{date.str()};
  }
  return out;
}

}  // namespace

Value parse_document(std::string_view text, const std::string& name) {
  if (const std::string place = NestingScan(text).run(); !place.empty())
    throw ConfigError(str("config: nested deeper than ", kMaxNesting, " levels (", name, ":", place, ")"));
  try {
    const toml::table table = toml::parse(text);
    return {.data = convert_table(table,
                                  [&](const toml::source_region& region) -> Origin {
                                    return {.text = str(name, ":", region.begin.line, ":", region.begin.column)};
                                  }),
            .origin = {.text = name}};
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    throw ConfigError(str("config: ", printable(error.description()), " (", name, ":", at.line, ":", at.column, ")"));
  }
}

Value parse_value(std::string_view text, const Origin& origin) {
  const std::string document = str("v = ", text);
  if (!NestingScan(document).run().empty()) throw ConfigError(str("nested deeper than ", kMaxNesting, " levels"));
  try {
    const toml::table table = toml::parse(document);
    const toml::node* const node = table.get("v");
    if (table.size() != 1 || node == nullptr) throw ConfigError("more than one value");
    return convert(*node, [&](const toml::source_region&) { return origin; });
  } catch (const toml::parse_error& error) {
    throw ConfigError(printable(error.description()));
  }
}

}  // namespace coterie::config
