// Measures of routers on tables small enough to see, and on a run's log.
#include "train/router_report.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/harness/shared_files.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_run.h"
#include "tests/harness/unsynced_file_ops.h"
#include "train/trainer.h"

namespace coterie::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Rows are domains, the last of them none.
RouterReport report_of(std::initializer_list<double> assigned, std::int64_t experts) {
  RouterSums sums;
  sums.layer = 3;
  sums.assigned_DE = at::tensor(std::vector<double>(assigned), at::kDouble).view({-1, experts});
  return router_report(sums);
}

TEST(RouterReport, of_an_expert_for_each_domain_has_all_the_information) {
  const RouterReport report = report_of({5, 0, 0, 5, 0, 0}, 2);

  EXPECT_EQ(report.layer, 3);
  EXPECT_THAT(report.load, ElementsAre(0.5, 0.5));
  EXPECT_DOUBLE_EQ(report.load_entropy_nats, std::log(2.0));
  EXPECT_DOUBLE_EQ(report.mutual_information_nats, std::log(2.0));
  EXPECT_DOUBLE_EQ(report.mutual_information_share, 1.0);
  EXPECT_EQ(report.dead_experts, 0);
  EXPECT_EQ(report.confidence, 1.0);
}

TEST(RouterReport, of_experts_that_do_not_look_at_the_domain_has_none) {
  const RouterReport report = report_of({2, 4, 1, 2, 0, 0}, 2);

  EXPECT_THAT(report.load, ElementsAre(3.0 / 9.0, 6.0 / 9.0));
  EXPECT_NEAR(report.mutual_information_nats, 0.0, 1e-15);
}

// By hand: P = 3/8 1/8 / 1/8 3/8, both margins 1/2.
TEST(RouterReport, in_between_is_what_the_formula_says) {
  const RouterReport report = report_of({3, 1, 1, 3, 0, 0}, 2);

  EXPECT_NEAR(report.mutual_information_nats, 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-15);
}

TEST(RouterReport, counts_dead_experts_and_leaves_texts_without_a_domain_out_of_the_information_only) {
  const RouterReport report = report_of({5, 0, 0, 0, 5, 0, 10, 0, 0}, 3);

  EXPECT_THAT(report.load, ElementsAre(0.75, 0.25, 0.0));
  EXPECT_EQ(report.dead_experts, 1);
  EXPECT_DOUBLE_EQ(report.mutual_information_nats, std::log(2.0));
  EXPECT_DOUBLE_EQ(report.mutual_information_share, 1.0);
}

TEST(RouterReport, of_one_domain_has_no_share_of_nothing) {
  EXPECT_EQ(report_of({5, 5, 0, 0}, 2).mutual_information_share, 0.0);
}

TEST(RouterTable, has_a_row_for_each_layer) {
  const std::string text = router_table({report_of({5, 0, 0, 5, 0, 0}, 2)}).text();

  EXPECT_THAT(text, HasSubstr("layer"));
  EXPECT_THAT(text, HasSubstr("0.6931"));
}

TEST(RouterLog, of_a_run_has_what_each_step_did) {
  test::TemporaryFolder temporary;
  test::write_tiny_inputs(temporary.path());
  RunOptions options = test::tiny_run_options(temporary.path(), "routed", 3);
  options.experts.router = experts::RouterKind::top_k_token;
  options.experts.count = 3;
  options.experts.top_k = 2;
  options.loss.auxiliary = {.load_balance = 0.1, .mutual_information = 0.1};
  dist::Mesh mesh = dist::Mesh::solo();

  const Outcome outcome = Trainer(options, "# config\n", mesh, test::unsynced_file_ops()).run();

  ASSERT_EQ(outcome.routers.size(), 2U);
  int steps = 0;
  std::vector<double> load(3, 0.0);
  double tokens = 0.0;
  for (const auto& line : test::read_json_lines(temporary.path() / "runs" / "routed" / "metrics.jsonl")) {
    if (!line.contains("loss")) continue;
    ++steps;
    const auto& routers = line.at("routers");
    ASSERT_EQ(routers.size(), 2U);
    EXPECT_EQ(routers[1].at("layer"), 1);
    const auto of_step = routers[1].at("load").get<std::vector<double>>();
    EXPECT_NEAR(std::accumulate(of_step.begin(), of_step.end(), 0.0), 1.0, 1e-12);
    for (std::size_t e = 0; e < 3; ++e) load[e] += of_step[e] * line.at("tokens").get<double>();
    tokens += line.at("tokens").get<double>();
    const auto& losses = line.at("auxiliary_losses");
    const double sum = losses.at("load_balance").get<double>() + losses.at("mutual_information").get<double>();
    EXPECT_NEAR(losses.at("total").get<double>(), 0.1 * sum, 1e-12);
    EXPECT_GE(losses.at("load_balance").get<double>(), 0.0);
    EXPECT_LE(losses.at("mutual_information").get<double>(), 0.0);
  }
  EXPECT_EQ(steps, 3);
  // The table at the end is over all steps, token by token.
  for (std::size_t e = 0; e < 3; ++e) EXPECT_NEAR(outcome.routers[1].load[e], load[e] / tokens, 1e-12);
}

}  // namespace
}  // namespace coterie::train
