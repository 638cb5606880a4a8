// Every measure of a query from one walk down its documents.
#include "eval/retrieval_metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"

namespace coterie::eval {
namespace {

double discount(std::size_t rank) { return 1.0 / std::log2(static_cast<double>(rank) + 1.0); }

// Discounted gains of the best order there is, after each rank up to `depth`.
double ideal_gain(const std::vector<std::int64_t>& descending, std::size_t depth) {
  double gain = 0;
  for (std::size_t rank = 1; rank <= std::min(depth, descending.size()); ++rank)
    gain += static_cast<double>(descending[rank - 1]) * discount(rank);
  return gain;
}

RetrievalMetrics measure(const std::vector<Found>& found, const std::map<std::string, std::int64_t>& grades) {
  std::vector<std::int64_t> relevant;
  for (const auto& [document, grade] : grades)
    if (grade >= 1) relevant.push_back(grade);
  std::sort(relevant.begin(), relevant.end(), std::greater<>());
  RetrievalMetrics out;
  if (relevant.empty()) return out;

  const auto all = static_cast<double>(relevant.size());
  double hits = 0;
  for (std::size_t rank = 1; rank <= std::min<std::size_t>(found.size(), 100); ++rank) {
    const auto judged = grades.find(found[rank - 1].document);
    if (judged == grades.end() || judged->second < 1) continue;
    hits += 1;
    const double gain = static_cast<double>(judged->second) * discount(rank);
    if (rank <= 3) out.ndcg_3 += gain;
    if (rank <= 10) out.ndcg_10 += gain;
    if (rank <= 10 && hits == 1) out.mrr_10 = 1.0 / static_cast<double>(rank);
    if (rank == 1) out.p_1 = 1;
    out.map_100 += hits / static_cast<double>(rank) / all;
  }
  out.recall_100 = hits / all;
  out.ndcg_3 /= ideal_gain(relevant, 3);
  out.ndcg_10 /= ideal_gain(relevant, 10);
  return out;
}

}  // namespace

std::vector<QueryMetrics> measure_queries(const Ranking& run, const Qrels& qrels) {
  std::vector<QueryMetrics> measured;
  for (const auto& [query, found] : run.queries) {
    const auto judged = qrels.queries.find(query);
    if (judged != qrels.queries.end()) measured.push_back({query, measure(found, judged->second)});
  }
  if (measured.empty())
    throw DataError(str("retrieval: a run must answer a query that is judged, got ", run.queries.size(),
                        " queries and ", qrels.queries.size(), " judged ones, none in common"));
  return measured;
}

RetrievalMetrics mean(const std::vector<QueryMetrics>& queries) {
  COTERIE_CHECK(ShapeError, !queries.empty(), "retrieval: a mean needs a query");
  RetrievalMetrics means;
  for (const RetrievalMeasure& measure : kRetrievalMeasures) {
    for (const QueryMetrics& query : queries) means.*measure.value += query.metrics.*measure.value;
    means.*measure.value /= static_cast<double>(queries.size());
  }
  return means;
}

}  // namespace coterie::eval
