// The table and the JSON of measures.
#include "eval/metrics_table.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

namespace coterie::eval {
namespace {

PairMetrics distinct_values() {
  return {.positives = 3,
          .negatives = 4,
          .f1 = .1,
          .precision = .2,
          .recall = .3,
          .threshold = .4,
          .sim_ratio = 5,
          .pos_sim = .6,
          .neg_sim = -.7,
          .roc_auc = .8,
          .average_precision = 1.0 / 3};
}

TEST(MetricsTable, has_every_measure_under_its_name) {
  const std::array<NamedMetrics, 1> rows = {{{"cisi", distinct_values()}}};

  const std::string text = metrics_table("domain", rows).markdown();

  EXPECT_EQ(
      text,
      "| domain | positives | negatives |     f1 | precision | recall | threshold | sim_ratio | pos_sim | neg_sim "
      "| roc_auc | average_precision |\n"
      "| ------ | --------: | --------: | -----: | --------: | -----: | --------: | --------: | ------: | ------: "
      "| ------: | ----------------: |\n"
      "| cisi   |         3 |         4 | 0.1000 |    0.2000 | 0.3000 |    0.4000 |    5.0000 |  0.6000 | -0.7000 "
      "|  0.8000 |            0.3333 |\n");
}

TEST(MetricsTable, has_one_row_for_each_subject) {
  const std::array<NamedMetrics, 2> rows = {{{"cisi", distinct_values()}, {"all", distinct_values()}}};

  EXPECT_EQ(metrics_table("domain", rows).rows(), 2u);
}

TEST(MetricsJson, has_every_measure_in_order_and_in_full_precision) {
  EXPECT_EQ(metrics_json(distinct_values()).dump(),
            R"({"positives":3,"negatives":4,"f1":0.1,"precision":0.2,"recall":0.3,"threshold":0.4,"sim_ratio":5.0,)"
            R"("pos_sim":0.6,"neg_sim":-0.7,"roc_auc":0.8,"average_precision":0.3333333333333333})");
}

TEST(MetricsJson, an_infinite_ratio_is_null) {
  PairMetrics metrics = distinct_values();
  metrics.sim_ratio = std::numeric_limits<double>::infinity();

  EXPECT_NE(metrics_json(metrics).dump().find(R"("sim_ratio":null)"), std::string::npos);
}

}  // namespace
}  // namespace coterie::eval
