// The names and the order of the measures, for table and JSON alike.
#include "eval/metrics_table.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace coterie::eval {
namespace {

struct Column {
  std::string_view name;
  double PairMetrics::*value;
};

constexpr std::array<Column, 9> kColumns = {{
    {"f1", &PairMetrics::f1},
    {"precision", &PairMetrics::precision},
    {"recall", &PairMetrics::recall},
    {"threshold", &PairMetrics::threshold},
    {"sim_ratio", &PairMetrics::sim_ratio},
    {"pos_sim", &PairMetrics::pos_sim},
    {"neg_sim", &PairMetrics::neg_sim},
    {"roc_auc", &PairMetrics::roc_auc},
    {"average_precision", &PairMetrics::average_precision},
}};
constexpr int kDigits = 4;

}  // namespace

Table metrics_table(const std::string& subject, std::span<const NamedMetrics> rows) {
  std::vector<std::string> header = {subject, "positives", "negatives"};
  for (const Column& column : kColumns) header.emplace_back(column.name);
  Table table(std::move(header));
  for (const auto& [name, metrics] : rows) {
    std::vector<std::string> cells = {name, std::to_string(metrics.positives), std::to_string(metrics.negatives)};
    for (const Column& column : kColumns) cells.push_back(decimal(metrics.*column.value, kDigits));
    table.add_row(std::move(cells));
  }
  return table;
}

nlohmann::ordered_json metrics_json(const PairMetrics& metrics) {
  nlohmann::ordered_json out = {{"positives", metrics.positives}, {"negatives", metrics.negatives}};
  for (const Column& column : kColumns) out[std::string(column.name)] = metrics.*column.value;
  return out;
}

nlohmann::ordered_json binary_json(const BinaryMetrics& metrics) {
  return {{"accuracy", metrics.accuracy},
          {"accuracy_threshold", metrics.accuracy_threshold},
          {"f1", metrics.f1},
          {"f1_threshold", metrics.f1_threshold},
          {"precision", metrics.precision},
          {"recall", metrics.recall},
          {"mcc", metrics.mcc}};
}

nlohmann::ordered_json intervals_json(const std::array<Interval, 3>& intervals) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (std::size_t m = 0; m < intervals.size(); ++m)
    out[std::string(kResampledMeasures[m].name)] = {intervals[m].low, intervals[m].high};
  return out;
}

Table difference_table(std::span<const std::string_view> names, std::span<const Difference> differences) {
  Table table({"measure", "difference", "low", "high", "p"});
  for (std::size_t m = 0; m < names.size(); ++m)
    table.add_row({std::string(names[m]), decimal(differences[m].value, kDigits),
                   decimal(differences[m].interval.low, kDigits), decimal(differences[m].interval.high, kDigits),
                   probability(differences[m].p)});
  return table;
}

nlohmann::ordered_json difference_json(std::span<const std::string_view> names,
                                       std::span<const Difference> differences) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (std::size_t m = 0; m < names.size(); ++m)
    out[std::string(names[m])] = {{"difference", differences[m].value},
                                  {"low", differences[m].interval.low},
                                  {"high", differences[m].interval.high},
                                  {"p", differences[m].p}};
  return out;
}

Table retrieval_table(std::vector<std::string> subject, std::span<const NamedRetrieval> rows) {
  subject.emplace_back("queries");
  for (const RetrievalMeasure& measure : kRetrievalMeasures) subject.emplace_back(measure.name);
  Table table(std::move(subject));
  for (const NamedRetrieval& row : rows) {
    std::vector<std::string> cells = row.subject;
    cells.push_back(std::to_string(row.queries));
    for (const RetrievalMeasure& measure : kRetrievalMeasures)
      cells.push_back(decimal(row.means.*measure.value, kDigits));
    table.add_row(std::move(cells));
  }
  return table;
}

nlohmann::ordered_json retrieval_json(const NamedRetrieval& row) {
  nlohmann::ordered_json out = {{"queries", row.queries}};
  for (const RetrievalMeasure& measure : kRetrievalMeasures) out[std::string(measure.name)] = row.means.*measure.value;
  return out;
}

}  // namespace coterie::eval
