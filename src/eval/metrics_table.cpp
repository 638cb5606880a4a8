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
