// The visitor that fills options from a composed config and checks every value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/problems.h"
#include "config/schema.h"
#include "config/tree.h"

namespace coterie::config {

/// Fills the options it visits. A value that is missing or wrong leaves the default; what is wrong is collected.
class Reader final : public Visitor {
 public:
  explicit Reader(const Tree& tree);

  void field(std::string_view name, bool& value, std::string_view doc) override;
  void field(std::string_view name, std::int64_t& value, std::string_view doc, Bounds<std::int64_t> bounds) override;
  void field(std::string_view name, double& value, std::string_view doc, Bounds<double> bounds) override;
  void field(std::string_view name, std::string& value, std::string_view doc) override;
  void field(std::string_view name, std::vector<std::string>& value, std::string_view doc) override;

  /// Adds a problem for each key of the tree that no visited struct has; called after the visit.
  void check_unknown_keys();
  [[nodiscard]] Problems& problems() noexcept { return problems_; }

 private:
  void do_choice(std::string_view name, std::size_t& index, std::span<const std::string_view> names,
                 std::string_view doc) override;
  void enter(std::string_view name, std::string_view doc, std::size_t members) override;
  void leave() override;

  const Value* find(std::string_view name);
  void check_table(const Value::Table& table, const std::string& prefix, const std::vector<std::string>& known);

  struct Section {
    std::string prefix;         // `experts.`, empty at the root
    const Value::Table* table;  // null where the config has none
  };

  Problems problems_;
  std::vector<Section> open_;
  std::string key_;                  // of the field being read
  std::vector<std::string> fields_;  // in the order of description
  std::vector<std::string> sections_;
  const Tree& tree_;
};

}  // namespace coterie::config
