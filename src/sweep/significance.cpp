#include "sweep/significance.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace coterie::sweep {
namespace {

constexpr std::size_t kMostExact = 20;

/// The value that a t-distributed variable exceeds with probability `tail`, by bisection.
double t_quantile(double tail, int freedom) {
  double low = 0.0;
  double high = 1.0;
  while (t_tail(high, freedom) > 2 * tail) high *= 2;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (t_tail(middle, freedom) > 2 * tail ? low : high) = middle;
  }
  return high;
}

/// How often a two-sided t-test at level 0.05 finds a mean that is `shift` standard errors from 0: both tails of the
/// noncentral t distribution, P(|Z + shift| > bound S) integrated over S = sqrt(chi^2 / freedom) by Simpson's rule.
class TestPower {
 public:
  explicit TestPower(int freedom) {
    constexpr int kSteps = 400;
    const double bound = t_quantile(0.025, freedom);
    const double half = freedom / 2.0;
    // S^2 has mean 1; S lies near 1, with a deviation of about 1 / sqrt(2 freedom), at most.
    const double reach = 12 / std::sqrt(2.0 * freedom);
    const double low = std::max(0.0, 1 - reach);
    const double step = (1 + reach - low) / kSteps;
    // The density of S is factor (s e^((1 - s^2) / 2))^(freedom - 1) e^(-s^2 / 2), of which nothing overflows.
    const double factor = 2 * std::exp(half * std::log(half) - std::lgamma(half) - (freedom - 1) / 2.0);
    for (int i = 0; i <= kSteps; ++i) {
      const double s = low + i * step;
      const double simpson = i == 0 || i == kSteps ? 1 : i % 2 == 1 ? 4 : 2;
      const double density = factor * std::pow(s * std::exp((1 - s * s) / 2), freedom - 1) * std::exp(-s * s / 2);
      nodes_.push_back({bound * s, simpson * step / 3 * density});
    }
  }

  double operator()(double shift) const {
    double sum = 0.0;
    for (const Node& node : nodes_) sum += node.weight * (normal(shift - node.bound) + normal(-shift - node.bound));
    return sum;
  }

 private:
  /// What Z + shift must exceed, and the share of samples for which it must.
  struct Node {
    double bound;
    double weight;
  };

  /// P(Z < x).
  static double normal(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

  std::vector<Node> nodes_;
};

/// The number of standard errors that the test finds with probability 0.8, by bisection.
double detectable_shift(int freedom) {
  const TestPower power(freedom);
  double low = 0.0;
  double high = 1.0;
  while (power(high) < 0.8) high *= 2;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (power(middle) < 0.8 ? low : high) = middle;
  }
  return high;
}

double sum_with_signs(std::span<const double> values, std::uint64_t signs) {
  double sum = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += (signs >> i & 1) != 0 ? -values[i] : values[i];
  return sum;
}

}  // namespace

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<double> deviation_of(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  const double mean = mean_of(values);
  double sum = 0.0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double t_tail(double t, int freedom) {
  const double theta = std::atan(std::abs(t) / std::sqrt(static_cast<double>(freedom)));
  const double cosine = std::cos(theta);
  const bool odd = freedom % 2 == 1;
  // The terms cos^k with k of the parity of freedom - 2; each is the one before times (k - 1) / k.
  double term = odd ? cosine : 1.0;
  double sum = 0.0;
  for (int k = odd ? 1 : 0; k <= freedom - 2; k += 2) {
    if (k > 1) term *= cosine * cosine * (k - 1) / k;
    sum += term;
  }
  const double inside = odd ? 2 / std::numbers::pi * (theta + std::sin(theta) * sum) : std::sin(theta) * sum;
  return std::max(0.0, 1.0 - inside);
}

std::optional<double> paired_t(std::span<const double> differences) {
  const auto deviation = deviation_of(differences);
  if (!deviation) return std::nullopt;
  const double mean = mean_of(differences);
  if (*deviation == 0.0) return mean == 0.0 ? 1.0 : 0.0;
  const double error = *deviation / std::sqrt(static_cast<double>(differences.size()));
  return t_tail(mean / error, static_cast<int>(differences.size()) - 1);
}

std::optional<double> sign_flip(std::span<const double> differences) {
  const std::size_t n = differences.size();
  if (n < 2) return std::nullopt;
  const double seen = std::abs(sum_with_signs(differences, 0));
  // Sums of the same numbers in another order of signs may differ in their last bits.
  const double enough = seen * (1.0 - 1e-12);
  const bool exact = n <= kMostExact;
  const std::uint64_t choices = std::uint64_t{1} << std::min(n, kMostExact);
  const RandomKey key = RandomKey{0}.derive("sign_flip");
  std::uint64_t far = 0;
  for (std::uint64_t i = 0; i < choices; ++i) {
    double sum = 0.0;
    for (std::size_t begin = 0; begin < n; begin += 64) {
      const std::uint64_t signs = exact ? i : random_bits(key.derive(begin), i);
      sum += sum_with_signs(differences.subspan(begin, std::min<std::size_t>(64, n - begin)), signs);
    }
    if (std::abs(sum) >= enough) ++far;
  }
  if (exact) return static_cast<double>(far) / static_cast<double>(choices);
  // The signs as seen are one of the draws.
  return static_cast<double>(far + 1) / static_cast<double>(choices + 1);
}

std::optional<double> detectable(std::span<const double> differences) {
  const auto deviation = deviation_of(differences);
  if (!deviation) return std::nullopt;
  const int freedom = static_cast<int>(differences.size()) - 1;
  return detectable_shift(freedom) * *deviation / std::sqrt(static_cast<double>(differences.size()));
}

}  // namespace coterie::sweep
