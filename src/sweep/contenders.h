// What the rows of a table are about: combinations over their seeds, what is composed of them, and references, which
// nothing trains.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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

/// What it cost to get the values of one seed.
struct MeanCost {
  double seconds = 0.0;       ///< mean over seeds, of all cells of one
  double core_seconds = 0.0;  ///< likewise
  double peak_mib = 0.0;      ///< of the largest process of all
};

/// What is compared under one name: a combination, one composed of several, or a reference.
class Contender {
 public:
  /// Cells, by seed, whose measures of a domain or collection count; of all of them if the name is empty.
  struct Part {
    std::string domain = {};
    std::map<std::string, std::size_t> cells = {};
  };
  enum class Kind { combination, composed, reference };

  /// @param parts  one, unless composed
  Contender(std::string name, Kind kind, std::vector<Part> parts)
      : name_(std::move(name)), kind_(kind), parts_(std::move(parts)) {}

  /// Another seed of a combination.
  void add(const std::string& seed, std::size_t cell) { parts_.front().cells[seed] = cell; }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  /// Seeds of the plan; 0 for a reference, which has none.
  [[nodiscard]] std::int64_t planned() const;
  /// @param states  of the plan's cells
  [[nodiscard]] Values values(const std::vector<CellState>& states, const std::string& measure) const;
  /// None while no seed is finished, and for references, which share the cost of one evaluation.
  [[nodiscard]] std::optional<MeanCost> cost(const std::vector<CellState>& states) const;

 private:
  [[nodiscard]] std::vector<std::string> seeds() const;
  [[nodiscard]] std::optional<double> value(const std::vector<CellState>& states, const std::string& seed,
                                            std::string_view measure) const;

  std::string name_;
  Kind kind_;
  std::vector<Part> parts_;  // one, unless composed
};

/// The contenders of a plan: combinations in its order, what is composed of them, references.
/// @throws ConfigError if two have one name
[[nodiscard]] std::vector<Contender> contenders_of(const Plan& plan);

/// The contender of that name.
/// @param said_by  the key that names it, for the message: `sweep.baseline`
/// @throws ConfigError if there is none, with the names that there are
[[nodiscard]] const Contender& contender_named(const std::vector<Contender>& contenders, const std::string& name,
                                               std::string_view said_by);

}  // namespace coterie::sweep
