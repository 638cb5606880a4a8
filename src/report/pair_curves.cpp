#include "report/pair_curves.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace coterie::report {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<Counts> counts_of(const ScoredPairs& pairs) {
  COTERIE_CHECK(ShapeError, pairs.scores.size() == pairs.labels.size(), "report: ", pairs.scores.size(), " scores and ",
                pairs.labels.size(), " labels");
  std::vector<std::size_t> order(pairs.scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return pairs.scores[a] > pairs.scores[b]; });
  std::vector<Counts> counts;
  for (const std::size_t i : order) {
    if (counts.empty() || counts.back().score != pairs.scores[i]) {
      const Counts before = counts.empty() ? Counts{} : counts.back();
      counts.push_back({pairs.scores[i], before.positives, before.negatives});
    }
    ++(pairs.labels[i] != 0 ? counts.back().positives : counts.back().negatives);
  }
  return counts;
}

Series precision_recall(const ScoredPairs& pairs) {
  Series series{.name = pairs.model, .points = {}};
  const auto counts = counts_of(pairs);
  for (const Counts& c : counts)
    series.points.push_back(
        {share(c.positives, counts.back().positives), share(c.positives, c.positives + c.negatives)});
  return series;
}

Series receiver_operating(const ScoredPairs& pairs) {
  Series series{.name = pairs.model, .points = {{0.0, 0.0}}};
  const auto counts = counts_of(pairs);
  for (const Counts& c : counts)
    series.points.push_back({share(c.negatives, counts.back().negatives), share(c.positives, counts.back().positives)});
  return series;
}

AtThreshold at_threshold(const ScoredPairs& pairs, double threshold, const std::string& text) {
  const auto counts = counts_of(pairs);
  Counts at{};
  for (const Counts& c : counts)
    if (c.score >= threshold) at = c;
  const std::int64_t positives = counts.empty() ? 0 : counts.back().positives;
  const std::int64_t negatives = counts.empty() ? 0 : counts.back().negatives;
  const double recall = share(at.positives, positives);
  return {{{recall, share(at.positives, at.positives + at.negatives)}, text},
          {{share(at.negatives, negatives), recall}, text}};
}

std::vector<Series> similarity_histograms(const ScoredPairs& pairs, int bins) {
  if (pairs.scores.empty()) return {};
  const auto [least, most] = std::minmax_element(pairs.scores.begin(), pairs.scores.end());
  const double low = *least;
  const double width = *most > low ? (*most - low) / bins : 1.0;
  std::vector<std::vector<double>> counts(2, std::vector<double>(static_cast<std::size_t>(bins), 0.0));
  std::vector<double> totals(2, 0.0);
  for (std::size_t i = 0; i < pairs.scores.size(); ++i) {
    const auto bin = static_cast<int>((pairs.scores[i] - low) / width);
    const std::size_t kind = pairs.labels[i] != 0 ? 0 : 1;
    ++counts[kind][static_cast<std::size_t>(std::clamp(bin, 0, bins - 1))];
    ++totals[kind];
  }
  std::vector<Series> series = {{.name = "co-cited", .points = {}, .mark = Mark::steps},
                                {.name = "random", .points = {}, .mark = Mark::steps}};
  for (std::size_t kind = 0; kind < 2; ++kind) {
    auto& points = series[kind].points;
    for (std::size_t bin = 0; bin < counts[kind].size(); ++bin)
      points.push_back({low + width * static_cast<double>(bin), counts[kind][bin] / std::max(1.0, totals[kind])});
    points.push_back({low + width * bins, 0.0});
  }
  return series;
}

Series thinned(Series series, std::size_t most) {
  const std::size_t count = series.points.size();
  if (count <= most) return series;
  std::vector<Point> kept;
  for (std::size_t i = 0; i < most; ++i) kept.push_back(series.points[i * (count - 1) / (most - 1)]);
  series.points = std::move(kept);
  return series;
}

}  // namespace coterie::report
