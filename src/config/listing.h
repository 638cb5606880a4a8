// The visitor that lists all options, for `--print-config` and `--help-config`.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace coterie::config {

/// One field as text.
struct Listed {
  std::string name;
  std::string value;  ///< TOML
  std::string type;
  std::string range;  ///< empty where the type alone bounds it
  std::string doc;
};

/// One options struct: its own fields, without those of nested structs.
struct ListedSection {
  std::string key;  ///< dotted, empty at the root
  std::string doc;
  std::vector<Listed> fields;
};

/// Collects what it visits, a section before those nested in it.
class Listing final : public Visitor {
 public:
  void field(std::string_view name, bool& value, std::string_view doc) override;
  void field(std::string_view name, std::int64_t& value, std::string_view doc, Bounds<std::int64_t> bounds) override;
  void field(std::string_view name, double& value, std::string_view doc, Bounds<double> bounds) override;
  void field(std::string_view name, std::string& value, std::string_view doc) override;
  void field(std::string_view name, std::vector<std::string>& value, std::string_view doc) override;

  [[nodiscard]] const std::vector<ListedSection>& sections() const noexcept { return sections_; }

 private:
  void do_choice(std::string_view name, std::size_t& index, std::span<const std::string_view> names,
                 std::string_view doc) override;
  void enter(std::string_view name, std::string_view doc, std::size_t members) override;
  void leave() override;
  void add(Listed field);

  std::vector<ListedSection> sections_{ListedSection{}};
  std::vector<std::size_t> open_{0};
};

/// TOML that loads back to the same options; `origin(key)` says where each value comes from.
[[nodiscard]] std::string print_listing(const Listing& listing,
                                        const std::function<std::string(std::string_view)>& origin);

/// One line for each key: `experts.top_k = 1  # integer, 1..64; experts per token, K`.
[[nodiscard]] std::string help_listing(const Listing& listing);

/// The TOML value of each dotted key.
[[nodiscard]] std::map<std::string, std::string> values_of(const Listing& listing);

/// A line `\n  KEY was X, got Y` for each key whose values differ, in their order, `nothing` standing for none; nothing
/// if all are equal.
/// @param defaults  values of the keys that `was` may lack because they did not exist when it was written
[[nodiscard]] std::string differences(const std::map<std::string, std::string>& was,
                                      const std::map<std::string, std::string>& now,
                                      const std::map<std::string, std::string>& defaults);

}  // namespace coterie::config
