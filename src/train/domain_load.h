// Where the tokens of each domain went: what the log keeps at each evaluation, too much for each step.
//
// Shape letters: D domains, E experts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/router_sums.h"

namespace coterie::train {

/// Where the tokens of each domain went in one layer, or its sequences in the head.
struct LayerLoad {
  std::int64_t layer = 0;                 ///< number of the encoder layer, or `experts::kHeadLayer`
  std::vector<std::string> domains;       ///< [D] those that had tokens
  std::vector<std::vector<double>> load;  ///< [D][E] share of the domain's assignments; a row sums to 1
};

/// The same for each layer with experts and the head, over some steps.
struct DomainLoad {
  std::int64_t steps = 0;
  std::vector<LayerLoad> layers;
};

/// Adds up where the tokens of each domain went, step by step.
class DomainLoads {
 public:
  /// @param domains  names in the order of the sums' rows; tokens of none of them are left out
  explicit DomainLoads(std::vector<std::string> domains) : domains_(std::move(domains)) {}

  /// @param step  of the same layers each time, over the global batch
  /// @throws ShapeError unless each has a row for each domain, and one more
  void add(const std::vector<RouterSums>& step);

  /// What was added since the last call.
  [[nodiscard]] DomainLoad take();

 private:
  std::vector<std::string> domains_;
  std::int64_t steps_ = 0;
  std::vector<RouterSums> sums_;  // only `layer` and `assigned_DE`
};

}  // namespace coterie::train
