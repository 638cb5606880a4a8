// What the rows of a table are about: combinations over their seeds, and references, which nothing trains.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sweep/driver.h"

namespace coterie::sweep {

/// A measure of one contender over its finished cells.
struct Values {
  std::map<std::string, double> by_seed;
  std::optional<double> of_all;  ///< of a reference: the same beside every seed

  [[nodiscard]] std::vector<double> plain() const;
};

/// Those of one less those of the other, for each seed that both have.
[[nodiscard]] std::vector<double> differences(const Values& values, const Values& others);

/// What cells cost.
struct MeanCost {
  double seconds = 0.0;       ///< mean over the cells
  double core_seconds = 0.0;  ///< mean over the cells
  double peak_mib = 0.0;      ///< of the largest process of all
};

/// What is compared under one name.
class Contender {
 public:
  /// A combination, without a seed yet.
  explicit Contender(std::string name) : name_(std::move(name)) {}
  /// A reference that this cell measures.
  Contender(std::string name, std::size_t cell) : name_(std::move(name)), is_reference_(true), cells_{{"", cell}} {}

  void add(const std::string& seed, std::size_t cell) { cells_[seed] = cell; }

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Seeds of the plan; 0 for a reference, which has none.
  [[nodiscard]] std::int64_t planned() const { return is_reference_ ? 0 : static_cast<std::int64_t>(cells_.size()); }
  /// @param states  of the plan's cells
  [[nodiscard]] Values values(const std::vector<CellState>& states, const std::string& measure) const;
  /// None while no cell is finished, and for references, which share the cost of one evaluation.
  [[nodiscard]] std::optional<MeanCost> cost(const std::vector<CellState>& states) const;

 private:
  std::string name_;
  bool is_reference_ = false;
  std::map<std::string, std::size_t> cells_;  // by seed
};

/// The contenders of a plan, in its order.
/// @throws ConfigError if two have one name
[[nodiscard]] std::vector<Contender> contenders_of(const Plan& plan);

}  // namespace coterie::sweep
