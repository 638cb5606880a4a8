// Tables of what an evaluation measured.
#include "report/evaluation.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/report/page_checks.h"

namespace coterie::report {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const json kEvaluation = json::parse(R"({
  "trained": {
    "cisi": {"positives": 2, "roc_auc": 0.5, "average_precision": 0.25, "f1": 0.125, "threshold": 0.0625,
             "validation_threshold": null, "f1_at_validation_threshold": null},
    "all": {"positives": 3, "roc_auc": 0.75, "intervals": {"roc_auc": [0.5, 0.875], "average_precision": [0.25, 0.375],
            "f1": [0.625, 0.6875]}}},
  "cross_domain": {"trained": {"cisi": {"cacm": 0.5, "cisi": 0.625}, "all": {"cacm": 0.25, "cisi": 0.75}}},
  "retrieval": {
    "bm25": {"a<b": {"documents": 10, "queries": 4, "nDCG@3": 0.5, "nDCG@10": 0.25, "MRR@10": 0.125, "MAP@100": 0.0625,
                     "Recall@100": 1.0, "P@1": 0.75}},
    "trained": {"a<b": {"documents": 10, "queries": 4, "nDCG@3": 0.875, "nDCG@10": null}}}})");

/// Cells of a row.
std::string row(const std::vector<std::string>& texts, const std::vector<std::string>& numbers) {
  std::string html = "<tr>";
  for (const std::string& text : texts) html += "<td>" + text + "</td>";
  for (const std::string& number : numbers) html += "<td class=\"number\">" + number + "</td>";
  return html + "</tr>";
}

TEST(PairTables, have_the_pooled_row_first_and_dashes_for_what_was_not_measured) {
  const std::string html = pair_tables(kEvaluation);

  EXPECT_EQ(nesting_problem(html), "");
  const std::string all = row({"trained", "all"}, {"3", "0.7500", "-", "-", "-", "-", "-"});
  const std::string cisi = row({"trained", "cisi"}, {"2", "0.5000", "0.2500", "0.1250", "0.0625", "-", "-"});
  EXPECT_THAT(html, HasSubstr(all));
  EXPECT_THAT(html, HasSubstr(cisi));
  EXPECT_LT(html.find(all), html.find(cisi));
}

TEST(PairTables, have_intervals_of_what_was_resampled) {
  const std::string html = pair_tables(kEvaluation);

  EXPECT_THAT(html, HasSubstr("95 % intervals: bootstrap percentiles over documents"));
  EXPECT_THAT(html, HasSubstr(row({"trained", "all"}, {"0.5000", "0.8750", "0.2500", "0.3750", "0.6250", "0.6875"})));
}

TEST(PairTables, have_each_domain_as_each_other) {
  const std::string html = pair_tables(kEvaluation);

  EXPECT_THAT(html, HasSubstr("embedded by the trained model as of each domain"));
  EXPECT_THAT(html, HasSubstr(row({"all"}, {"0.2500", "0.7500"})));
  EXPECT_THAT(html, HasSubstr(row({"cisi"}, {"0.5000", "0.6250"})));
  EXPECT_LT(html.find("as cacm"), html.find("as cisi"));
}

TEST(PairTables, leave_out_what_an_evaluation_lacks) {
  json pairs = {{"trained", kEvaluation["trained"]}};
  pairs["trained"].erase("all");

  const std::string html = pair_tables(pairs);

  EXPECT_EQ(count(html, "<table"), 1);
  EXPECT_EQ(pair_tables({{"retrieval", kEvaluation["retrieval"]}}), "");
  EXPECT_EQ(pair_tables(json()), "");
}

TEST(PairTables, of_something_else_throw) {
  json damaged = kEvaluation;
  damaged["trained"]["all"]["intervals"] = {{"roc_auc", 0.5}};
  EXPECT_THROW((void)pair_tables(damaged), json::exception);
  damaged = kEvaluation;
  damaged["cross_domain"]["trained"]["cisi"] = json::object();
  EXPECT_THROW((void)pair_tables(damaged), json::exception);
}

TEST(RetrievalTable, has_each_collection_by_each_model) {
  const std::string html = retrieval_table(kEvaluation);

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_THAT(html, HasSubstr(row({"bm25", "a&lt;b"},
                                  {"10", "4", "0.5000", "0.2500", "0.1250", "0.0625", "1.0000", "0.7500"})));
  EXPECT_THAT(html, HasSubstr(row({"trained", "a&lt;b"}, {"10", "4", "0.8750", "-", "-", "-", "-", "-"})));
  EXPECT_EQ(retrieval_table({{"trained", kEvaluation["trained"]}}), "");
}

}  // namespace
}  // namespace coterie::report
