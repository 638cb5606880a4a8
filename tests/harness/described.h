// The guard against a forgotten option: compares what a struct describes with what it has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/str.h"
#include "config/schema.h"

namespace coterie::test {

/// Counts the fields and sections that each struct describes.
class MemberCount final : public config::Visitor {
 public:
  explicit MemberCount(std::size_t members) : open_{{"the root", members, 0}} {}

  void field(std::string_view, bool&, std::string_view) override { count(); }
  void field(std::string_view, std::int64_t&, std::string_view, config::Bounds<std::int64_t>) override { count(); }
  void field(std::string_view, double&, std::string_view, config::Bounds<double>) override { count(); }
  void field(std::string_view, std::string&, std::string_view) override { count(); }
  void field(std::string_view, std::vector<std::string>&, std::string_view) override { count(); }

  /// One line for each struct with undescribed members, once its visit is over.
  std::string report() {
    leave();
    return report_;
  }

 private:
  struct Open {
    std::string name;
    std::size_t members;
    std::size_t described;
  };

  void do_choice(std::string_view, std::size_t&, std::span<const std::string_view>, std::string_view) override {
    count();
  }
  void enter(std::string_view name, std::string_view, std::size_t members) override {
    count();
    open_.push_back({std::string(name), members, 0});
  }
  void leave() override {
    const Open& top = open_.back();
    if (top.described != top.members)
      report_ += str(top.name, ": ", top.described, " of ", top.members, " members described\n");
    open_.pop_back();
  }
  void count() { ++open_.back().described; }

  std::vector<Open> open_;
  std::string report_;
};

/// The structs below and including `Options` whose members are not all described, one a line; empty if all are.
template <class Options>
[[nodiscard]] std::string undescribed() {
  Options options;
  MemberCount visitor(config::arity<Options>());
  describe(visitor, options);
  return visitor.report();
}

}  // namespace coterie::test
