// Is a difference over seeds more than luck? Paired: each seed is compared with the same seed of the baseline.
#pragma once

#include <optional>
#include <span>

namespace coterie::sweep {

/// The arithmetic mean; at least one value.
[[nodiscard]] double mean_of(std::span<const double> values);

/// The standard deviation of a sample (divisor n - 1); none for fewer than two values.
[[nodiscard]] std::optional<double> deviation_of(std::span<const double> values);

/// Probability that a t-distributed variable is farther from 0 than `t`.
///
/// @param freedom  degrees of freedom, at least 1
/// @par Source
/// Abramowitz and Stegun 1964, 26.7.3 and 26.7.4: finite sums for whole degrees of freedom.
[[nodiscard]] double t_tail(double t, int freedom);

/// The two-sided p of the paired t-test: the differences come from a normal distribution with mean 0.
///
/// @param differences  one per seed; none for fewer than two. Equal differences that are not 0 give 0.
[[nodiscard]] std::optional<double> paired_t(std::span<const double> differences);

/// The two-sided p of the sign-flip permutation test: the share of all 2^n choices of signs whose mean is at least as
/// far from 0. It assumes only that a difference is as likely up as down; with n seeds, up to 20, it is never below
/// 2 / 2^n.
///
/// @param differences  one per seed; none for fewer than two. Above 20, those seen and 2^20 choices drawn with a fixed
///                     key, so that it is never below 1 / (2^20 + 1).
[[nodiscard]] std::optional<double> sign_flip(std::span<const double> differences);

/// The mean difference that a two-sided paired t-test at level 0.05 finds with probability 0.8, were the deviation of
/// the differences the one they have: s / sqrt(n) times the noncentrality at which a t variable of n - 1 degrees of
/// freedom is that often beyond t_0.975; 5.653 for three seeds, 3.761 for five. None for fewer than two.
///
/// @par Source
/// Johnson and Welch 1940, "Applications of the non-central t-distribution"; to seven digits.
[[nodiscard]] std::optional<double> detectable(std::span<const double> differences);

}  // namespace coterie::sweep
