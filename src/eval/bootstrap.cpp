// Resampling by how often each document, pair or query was drawn.
#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "eval/tie_groups.h"

namespace coterie::eval {
namespace {

using Multiplicity = std::vector<std::int64_t>;  // how often each of n items was drawn

// Draws as many as there are of `items`, with replacement, and counts them.
void draw(std::span<const std::size_t> items, RandomKey key, Multiplicity& drawn) {
  for (std::size_t i = 0; i < items.size(); ++i) ++drawn[items[random_below(key, i, items.size())]];
}

// How many pairs of each label were drawn.
LabelCounts counts_of(const Multiplicity& drawn, std::span<const std::uint8_t> labels) {
  LabelCounts counts;
  for (std::size_t i = 0; i < labels.size(); ++i) (labels[i] == 1 ? counts.positives : counts.negatives) += drawn[i];
  return counts;
}

// Draws in which there are both labels: of documents or, where none are known, of the pairs of each label.
class PairDraws {
 public:
  PairDraws(std::span<const std::uint8_t> labels, const PairDocuments& documents, RandomKey key)
      : key_(key), labels_(labels), documents_(documents) {
    COTERIE_CHECK(ShapeError, documents.pairs() == 0 || documents.pairs() == labels.size(),
                  "bootstrap: the documents of all pairs are needed (", labels.size(), "), got those of ",
                  documents.pairs());
    for (std::size_t i = 0; i < labels.size(); ++i) (labels[i] == 1 ? positives_ : negatives_).push_back(i);
  }

  [[nodiscard]] Multiplicity operator()(std::int64_t time) const {
    const RandomKey key = key_.derive(static_cast<std::uint64_t>(time));
    return documents_.pairs() == 0 ? draw_pairs(key) : draw_documents(key);
  }

 private:
  [[nodiscard]] Multiplicity draw_pairs(RandomKey key) const {
    Multiplicity drawn(labels_.size(), 0);
    draw(positives_, key.derive("positives"), drawn);
    draw(negatives_, key.derive("negatives"), drawn);
    return drawn;
  }

  // It ends: the at most four documents of one positive and one negative pair are all drawn at least every 11th time.
  [[nodiscard]] Multiplicity draw_documents(RandomKey key) const {
    for (std::uint64_t attempt = 0;; ++attempt) {
      Multiplicity drawn = documents_.draw(key.derive(attempt));
      const LabelCounts counts = counts_of(drawn, labels_);
      if (counts.positives > 0 && counts.negatives > 0) return drawn;
    }
  }

  RandomKey key_;
  std::span<const std::uint8_t> labels_;
  const PairDocuments& documents_;
  std::vector<std::size_t> positives_;
  std::vector<std::size_t> negatives_;
};

// What one pair of a label counts for, so that all of the label count as much as in the file, times 2^20: measures are
// of whole numbers. A power of two, so that nothing is rounded where as many were drawn as there are.
std::int64_t weight_of(std::int64_t there_are, std::int64_t were_drawn) {
  constexpr double kOne = 1 << 20;
  return std::llround(kOne * static_cast<double>(there_are) / static_cast<double>(were_drawn));
}

// Scored pairs, sorted once and measured for any number of draws.
class SortedPairs {
 public:
  SortedPairs(std::span<const double> scores, std::span<const std::uint8_t> labels)
      : scores_(scores), labels_(labels), all_(count_labels(scores, labels)), order_(scores.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [&](std::size_t x, std::size_t y) { return scores[x] > scores[y]; });
  }

  [[nodiscard]] PairMetrics measure(const Multiplicity& drawn) const {
    const LabelCounts counts = counts_of(drawn, labels_);
    const LabelCounts weights = {weight_of(all_.positives, counts.positives),
                                 weight_of(all_.negatives, counts.negatives)};
    std::vector<TieGroup> groups;
    for (const std::size_t pair : order_)
      if (drawn[pair] > 0)
        count_pairs(groups, scores_[pair], labels_[pair],
                    drawn[pair] * (labels_[pair] == 1 ? weights.positives : weights.negatives));
    return measure_ranks(groups, {counts.positives * weights.positives, counts.negatives * weights.negatives});
  }

 private:
  std::span<const double> scores_;
  std::span<const std::uint8_t> labels_;
  LabelCounts all_;
  std::vector<std::size_t> order_;
};

// Between the order statistics around place q (n - 1).
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - std::floor(at)) * (sorted[above] - sorted[below]);
}

Interval interval_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {quantile(values, 0.025), quantile(values, 0.975)};
}

// Twice the smaller tail of resampled differences around zero.
double bootstrap_p(const std::vector<double>& differences) {
  const auto tail = [&](const auto& in_tail) {
    const auto count = std::count_if(differences.begin(), differences.end(), in_tail);
    return static_cast<double>(count + 1) / static_cast<double>(differences.size() + 1);
  };
  return std::min({1.0, 2 * tail([](double d) { return d <= 0; }), 2 * tail([](double d) { return d >= 0; })});
}

double mean_of(const std::vector<double>& values, const Multiplicity& drawn) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += static_cast<double>(drawn[i]) * values[i];
  return sum / static_cast<double>(values.size());
}

// How often exchanging the systems at random within queries moves the mean as far as it is from zero, or farther.
double randomisation_p(const std::vector<double>& differences, const Resampling& resampling) {
  const auto sum = [&](const auto& sign) {
    double total = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) total += sign(i) * differences[i];
    return std::abs(total);
  };
  // Sums of the same terms in other orders of sign differ by rounding, which must not undo equality.
  const double magnitude = std::accumulate(differences.begin(), differences.end(), 0.0,
                                           [](double total, double d) { return total + std::abs(d); });
  const double observed = sum([](std::size_t) { return 1.0; }) - 1e-12 * magnitude;
  std::int64_t as_far = 0;
  for (std::int64_t time = 0; time < resampling.times; ++time) {
    const RandomKey key = resampling.key.derive("exchange").derive(static_cast<std::uint64_t>(time));
    as_far += sum([&](std::size_t i) { return random_bits(key, i) >> 63 ? 1.0 : -1.0; }) >= observed ? 1 : 0;
  }
  return static_cast<double>(as_far + 1) / static_cast<double>(resampling.times + 1);
}

Difference compare_values(const std::vector<double>& differences, const Resampling& resampling) {
  std::vector<std::size_t> all(differences.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::vector<double> resampled;
  for (std::int64_t time = 0; time < resampling.times; ++time) {
    Multiplicity drawn(differences.size(), 0);
    draw(all, resampling.key.derive("queries").derive(static_cast<std::uint64_t>(time)), drawn);
    resampled.push_back(mean_of(differences, drawn));
  }
  return {mean_of(differences, Multiplicity(differences.size(), 1)), interval_of(std::move(resampled)),
          randomisation_p(differences, resampling)};
}

}  // namespace

void PairDocuments::add(const std::string& domain, const std::string& a, const std::string& b) {
  Domain& theirs = domains_[domain];
  const std::size_t first = number_of(a, theirs);
  pairs_.emplace_back(first, number_of(b, theirs));
}

std::size_t PairDocuments::number_of(const std::string& id, Domain& domain) {
  const auto [found, added] = domain.number_of.try_emplace(id, documents_);
  if (added) domain.members.push_back(documents_++);
  return found->second;
}

Multiplicity PairDocuments::draw(RandomKey key) const {
  Multiplicity times(documents_, 0);
  for (const auto& [name, domain] : domains_)
    for (const std::size_t document : domain.members)
      ++times[domain.members[random_below(key, document, domain.members.size())]];
  Multiplicity drawn;
  drawn.reserve(pairs_.size());
  for (const auto& [a, b] : pairs_) drawn.push_back(times[a] * times[b]);
  return drawn;
}

std::array<Interval, 3> bootstrap_pairs(std::span<const double> scores, std::span<const std::uint8_t> labels,
                                        const PairDocuments& documents, const Resampling& resampling) {
  const SortedPairs pairs(scores, labels);
  const PairDraws draws(labels, documents, resampling.key);
  std::array<std::vector<double>, 3> values;
  for (std::int64_t time = 0; time < resampling.times; ++time) {
    const PairMetrics metrics = pairs.measure(draws(time));
    for (std::size_t m = 0; m < values.size(); ++m) values[m].push_back(metrics.*kResampledMeasures[m].value);
  }
  std::array<Interval, 3> intervals;
  for (std::size_t m = 0; m < values.size(); ++m) intervals[m] = interval_of(std::move(values[m]));
  return intervals;
}

std::array<Difference, 3> compare_pairs(std::span<const double> first, std::span<const double> second,
                                        std::span<const std::uint8_t> labels, const PairDocuments& documents,
                                        const Resampling& resampling) {
  const SortedPairs one(first, labels);
  const SortedPairs two(second, labels);
  const PairDraws draws(labels, documents, resampling.key);
  const auto differences_of = [&](const Multiplicity& drawn) {
    const PairMetrics before = one.measure(drawn);
    const PairMetrics after = two.measure(drawn);
    std::array<double, 3> differences{};
    for (std::size_t m = 0; m < differences.size(); ++m)
      differences[m] = after.*kResampledMeasures[m].value - before.*kResampledMeasures[m].value;
    return differences;
  };
  std::array<std::vector<double>, 3> resampled;
  for (std::int64_t time = 0; time < resampling.times; ++time) {
    const auto differences = differences_of(draws(time));
    for (std::size_t m = 0; m < differences.size(); ++m) resampled[m].push_back(differences[m]);
  }
  const auto observed = differences_of(Multiplicity(labels.size(), 1));
  std::array<Difference, 3> result;
  for (std::size_t m = 0; m < result.size(); ++m)
    result[m] = {observed[m], interval_of(resampled[m]), bootstrap_p(resampled[m])};
  return result;
}

std::array<Difference, kRetrievalMeasures.size()> compare_queries(std::span<const QueryMetrics> first,
                                                                  std::span<const QueryMetrics> second,
                                                                  const Resampling& resampling) {
  const bool same = std::equal(first.begin(), first.end(), second.begin(), second.end(),
                               [](const QueryMetrics& x, const QueryMetrics& y) { return x.query == y.query; });
  if (!same)
    throw DataError(str("comparison: two runs must answer the same judged queries, got ", first.size(), " and ",
                        second.size(), ", not all in common"));
  std::array<Difference, kRetrievalMeasures.size()> result;
  for (std::size_t m = 0; m < result.size(); ++m) {
    std::vector<double> differences;
    for (std::size_t i = 0; i < first.size(); ++i)
      differences.push_back(second[i].metrics.*kRetrievalMeasures[m].value -
                            first[i].metrics.*kRetrievalMeasures[m].value);
    result[m] = compare_values(differences, resampling);
  }
  return result;
}

}  // namespace coterie::eval
