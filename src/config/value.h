// Config values as they were read, each with the place it came from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace coterie::config {

/// A TOML date or time, as text. No option has this type; it is kept so that the error can show it.
struct Date {
  std::string text;
};

/// Where a value was written.
struct Origin {
  /// What kind of place it is: only an argument can be a group choice that went nowhere.
  enum class Kind { file, argument };

  Kind kind = Kind::file;
  std::string text;  ///< `configs/train.toml:3:6` or `argument 'optim.lr=1'`
};

/// One TOML value: a scalar, a list or a table.
struct Value {
  using List = std::vector<Value>;
  using Table = std::map<std::string, Value, std::less<>>;

  std::variant<bool, std::int64_t, double, std::string, Date, List, Table> data;
  Origin origin;
  std::string key_origin = {};  ///< place of the key, which is what an unknown key is reported at

  [[nodiscard]] const Table* table() const noexcept { return std::get_if<Table>(&data); }
  [[nodiscard]] Table* table() noexcept { return std::get_if<Table>(&data); }
  [[nodiscard]] const List* list() const noexcept { return std::get_if<List>(&data); }
  [[nodiscard]] const std::string* string() const noexcept { return std::get_if<std::string>(&data); }
};

/// How messages show a value: `0`, `'relu'`, `a list`; long strings are cut.
[[nodiscard]] std::string show(const Value& value);

/// Lays `over` on `under`: tables merge key by key, anything else replaces.
void merge(Value& under, Value over);

}  // namespace coterie::config
