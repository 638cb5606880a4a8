// Sight into the routers: measures of what they decided, for logs and the table at the end of a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/table.h"
#include "train/router_sums.h"

namespace coterie::train {

/// What one layer's router did with the tokens that were added up, or the head's gate with the sequences.
struct RouterReport {
  std::int64_t layer = 0;                 ///< number of the encoder layer, or `experts::kHeadLayer`
  std::vector<double> load;               ///< [E] share of the assignments
  double load_entropy_nats = 0.0;         ///< log E when all experts have the same load
  double mutual_information_nats = 0.0;   ///< between the domain of a token or sequence and its expert
  double mutual_information_share = 0.0;  ///< of the most it can be: min(entropy of the domains, log E); 0 if that is 0
  double dead_experts = 0.0;              ///< to which nothing was assigned; of several batches the mean
  double confidence = 1.0;                ///< mean of the largest probability; 1 where the route is not learned
  [[nodiscard]] bool of_head() const noexcept { return layer == experts::kHeadLayer; }
};

/// @param sums  in double, over whole batches
[[nodiscard]] RouterReport router_report(const RouterSums& sums);

/// The same for each layer and the head.
[[nodiscard]] std::vector<RouterReport> router_reports(const std::vector<RouterSums>& sums);

/// What the routers did over many batches.
class RouterHistory {
 public:
  /// Adds what they did in one batch.
  /// @param sums  of one batch, in double
  void add(const std::vector<RouterSums>& sums);
  /// Of all that was added.
  [[nodiscard]] std::vector<RouterReport> reports() const;

 private:
  std::vector<RouterSums> sums_;
  std::vector<double> dead_;  // of each layer and the head, added up
  std::int64_t batches_ = 0;
};

/// One row for each layer, named by its number, and one for the head.
[[nodiscard]] Table router_table(const std::vector<RouterReport>& reports);

}  // namespace coterie::train
