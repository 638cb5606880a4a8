#include "report/evaluation.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/table.h"
#include "report/html.h"

namespace coterie::report {
namespace {

using nlohmann::json;

constexpr int kDigits = 4;

/// A measure's name in the evaluation and in tables.
struct Measure {
  const char* key;
  const char* header;
};

constexpr auto kPairMeasures = std::to_array<Measure>({{"roc_auc", "ROC-AUC"},
                                                       {"average_precision", "AP"},
                                                       {"f1", "F1max"},
                                                       {"threshold", "threshold"},
                                                       {"f1_at_validation_threshold", "F1@val"},
                                                       {"validation_threshold", "val threshold"}});
constexpr auto kIntervals =
    std::to_array<Measure>({{"roc_auc", "ROC-AUC"}, {"average_precision", "AP"}, {"f1", "F1max"}});
constexpr auto kRetrievalMeasures =
    std::to_array<const char*>({"documents", "queries", "nDCG@3", "nDCG@10", "MRR@10", "MAP@100", "Recall@100", "P@1"});

std::string text_of(const json& object, const char* key) {
  const auto& fields = object.get_ref<const json::object_t&>();
  const auto field = fields.find(key);
  if (field == fields.end() || !field->second.is_number()) return "-";
  const json& value = field->second;
  return value.is_number_integer() ? str(value.get<std::int64_t>()) : decimal(value.get<double>(), kDigits);
}

/// The fields of an object, `all` first.
std::vector<std::pair<std::string, const json*>> pooled_first(const json& object) {
  std::vector<std::pair<std::string, const json*>> fields;
  for (const auto& [name, value] : object.items()) fields.emplace_back(name, &value);
  std::stable_partition(fields.begin(), fields.end(), [](const auto& field) { return field.first == "all"; });
  return fields;
}

/// The measures of one domain by one model.
struct Row {
  std::string model;
  std::string domain;
  const json* measures;
};

/// What has measures of pairs; what is no object of domains belongs to other tables.
std::vector<Row> rows_of(const json& evaluation) {
  std::vector<Row> rows;
  if (!evaluation.is_object()) return rows;
  for (const auto& [model, domains] : evaluation.items()) {
    if (!domains.is_object()) continue;
    for (const auto& [domain, measures] : pooled_first(domains))
      if (measures->is_object() && measures->contains("roc_auc")) rows.push_back({model, domain, measures});
  }
  return rows;
}

std::string measures_table(const std::vector<Row>& rows) {
  std::vector<std::string> header = {"model", "domain", "pairs"};
  for (const Measure& measure : kPairMeasures) header.emplace_back(measure.header);
  Table table(std::move(header));
  for (const Row& row : rows) {
    std::vector<std::string> cells = {row.model, row.domain, text_of(*row.measures, "positives")};
    for (const Measure& measure : kPairMeasures) cells.push_back(text_of(*row.measures, measure.key));
    table.add_row(std::move(cells));
  }
  return table.rows() == 0 ? std::string() : html_table(table, "Pair classification: co-cited against random pairs");
}

std::string intervals_table(const std::vector<Row>& rows) {
  std::vector<std::string> header = {"model", "domain"};
  for (const Measure& measure : kIntervals) {
    header.push_back(str(measure.header, ", low"));
    header.push_back(str(measure.header, ", high"));
  }
  Table table(std::move(header));
  for (const Row& row : rows) {
    if (!row.measures->contains("intervals")) continue;
    std::vector<std::string> cells = {row.model, row.domain};
    for (const Measure& measure : kIntervals)
      for (const std::size_t end : {0U, 1U})
        cells.push_back(decimal(row.measures->at("intervals").at(measure.key).at(end).get<double>(), kDigits));
    table.add_row(std::move(cells));
  }
  if (table.rows() == 0) return {};
  return html_table(table, "95 % intervals: bootstrap percentiles over documents") +
         paragraph(
             "Documents are drawn domain by domain, because pairs that share one are not independent. Where few "
             "pairs share a document, the intervals are up to 1.7 times as wide as need be.");
}

std::string cross_domain_tables(const json& evaluation) {
  std::string tables;
  if (!evaluation.is_object() || !evaluation.contains("cross_domain")) return tables;
  for (const auto& [model, domains] : evaluation.at("cross_domain").items()) {
    if (domains.empty()) continue;
    std::vector<std::string> header = {"pairs"};
    for (const auto& [as, ignored] : domains.front().items()) header.push_back(str("as ", as));
    Table table(std::move(header));
    for (const auto& [domain, values] : pooled_first(domains)) {
      std::vector<std::string> cells = {domain};
      for (const auto& [as, ignored] : domains.front().items())
        cells.push_back(decimal(values->at(as).template get<double>(), kDigits));
      table.add_row(std::move(cells));
    }
    tables += html_table(
        table, str("Average precision of each domain's pairs, embedded by the ", model, " model as of each domain"));
  }
  return tables;
}

}  // namespace

std::string pair_tables(const json& evaluation) {
  const std::vector<Row> rows = rows_of(evaluation);
  return measures_table(rows) + intervals_table(rows) + cross_domain_tables(evaluation);
}

std::string retrieval_table(const json& evaluation) {
  if (!evaluation.is_object() || !evaluation.contains("retrieval")) return {};
  std::vector<std::string> header = {"model", "collection"};
  header.insert(header.end(), kRetrievalMeasures.begin(), kRetrievalMeasures.end());
  Table table(std::move(header));
  for (const auto& [model, collections] : evaluation.at("retrieval").items())
    for (const auto& [collection, measures] : collections.items()) {
      std::vector<std::string> cells = {model, collection};
      for (const char* measure : kRetrievalMeasures) cells.push_back(text_of(measures, measure));
      table.add_row(std::move(cells));
    }
  return table.rows() == 0 ? std::string() : html_table(table, "Search: means over the judged queries");
}

}  // namespace coterie::report
