// How an options struct describes itself: once, beside the code it configures. Every feature of the config (reading,
// checking, printing, help) is a visitor over that description.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::config {

/// Inclusive bounds of a number.
template <class Number>
struct Bounds {
  Number min = std::numeric_limits<Number>::lowest();
  Number max = std::numeric_limits<Number>::max();
};

/// Converts to anything; only named in an unevaluated brace-init.
struct Anything {
  template <class T>
  operator T() const;
};

/// Number of members of the aggregate `S`; tests compare it with the number of described fields, so none is forgotten.
template <class S, class... Found>
consteval std::size_t arity() {
  if constexpr (requires { S{Found{}..., Anything{}}; })
    return arity<S, Found..., Anything>();
  else
    return sizeof...(Found);
}

/// Visits the fields of options structs. `describe(Visitor&, Options&)` names each field with its doc and bounds.
///
/// A name is a bare TOML key without dots; names are unique within their struct.
class Visitor {
 public:
  virtual ~Visitor() = default;

  virtual void field(std::string_view name, bool& value, std::string_view doc) = 0;
  virtual void field(std::string_view name, std::int64_t& value, std::string_view doc,
                     Bounds<std::int64_t> bounds = {}) = 0;
  virtual void field(std::string_view name, double& value, std::string_view doc, Bounds<double> bounds = {}) = 0;
  virtual void field(std::string_view name, std::string& value, std::string_view doc) = 0;
  /// A list of strings; in TOML a single value stands for a list of one, and numbers are taken as text.
  virtual void field(std::string_view name, std::vector<std::string>& value, std::string_view doc) = 0;

  /// An enumerator, spelled in the TOML as `names[static_cast<int>(value)]`; the names "true" and "false" also as
  /// these booleans.
  template <class Enum, std::size_t N>
  void choice(std::string_view name, Enum& value, const std::array<std::string_view, N>& names, std::string_view doc) {
    auto index = static_cast<std::size_t>(value);
    do_choice(name, index, names, doc);
    value = static_cast<Enum>(index);
  }

  /// A nested struct: a TOML table of that name.
  template <class Options>
  void section(std::string_view name, Options& value, std::string_view doc) {
    enter(name, doc, arity<Options>());
    describe(*this, value);
    leave();
  }

 private:
  virtual void do_choice(std::string_view name, std::size_t& index, std::span<const std::string_view> names,
                         std::string_view doc) = 0;
  // `members` is what the struct has, described or not.
  virtual void enter(std::string_view name, std::string_view doc, std::size_t members) = 0;
  virtual void leave() = 0;
};

}  // namespace coterie::config
