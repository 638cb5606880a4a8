// Measures of routers on tables small enough to see, and on a run's log.
#include "train/router_report.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "tests/harness/packing.h"
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
RouterSums sums_of(const std::vector<double>& assigned, std::int64_t experts) {
  RouterSums sums;
  sums.layer = 3;
  sums.assigned_DE = at::tensor(assigned, at::kDouble).view({-1, experts});
  return sums;
}

RouterReport report_of(const std::vector<double>& assigned, std::int64_t experts) {
  return router_report(sums_of(assigned, experts));
}

// Of one text, each of whose tokens has one of three experts, as a router whose bias may overrule its probabilities.
RouterSums sums_of_tokens(const std::vector<double>& probabilities, const std::vector<std::int64_t>& chosen) {
  data::PackedSequences text;
  test::append(text, std::vector<std::int32_t>(chosen.size(), 7), 16, 0, 0);
  const at::Tensor chosen_U = at::tensor(chosen, at::kLong);
  experts::RouterRecord record;
  record.layer = 3;
  record.scores.probability_UE = at::tensor(probabilities, at::kDouble).view({-1, 3});
  record.scores.logits_UE = record.scores.probability_UE.log();
  record.scores.sequence_U = at::zeros_like(chosen_U);
  record.scores.expert_UK = chosen_U.unsqueeze(1);
  record.choice = {at::arange(chosen_U.size(0), at::kLong), chosen_U};
  return router_sums(record, text, 2, 3);
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

// (1/2 + 5/8 + 3/4) / 3: of units, not of pieces, and of the largest probability, also where another was chosen.
TEST(RouterReport, has_as_confidence_the_mean_over_all_units_of_the_largest_probability) {
  std::vector<RouterSums> sums;
  add(sums, {sums_of_tokens({0.5, 0.25, 0.25, 0.125, 0.625, 0.25}, {0, 1})});
  add(sums, {sums_of_tokens({0.125, 0.125, 0.75}, {0})});

  const RouterReport report = router_report(sums.at(0));

  EXPECT_DOUBLE_EQ(report.confidence, 0.625);
  EXPECT_THAT(report.load, ElementsAre(2.0 / 3.0, 1.0 / 3.0, 0.0));
}

// An expert that one stray text reached long ago is dead all the same.
TEST(RouterHistory, counts_dead_experts_batch_by_batch) {
  RouterHistory history;
  for (const auto& assigned : {std::vector<double>{1, 1, 0, 0, 0, 0}, {5, 0, 0, 0, 0, 0}, {0, 0, 5, 0, 0, 0}})
    history.add({sums_of(assigned, 2)});

  const std::vector<RouterReport> reports = history.reports();

  ASSERT_EQ(reports.size(), 1U);
  EXPECT_DOUBLE_EQ(reports[0].dead_experts, 2.0 / 3.0);
  EXPECT_THAT(reports[0].load, ElementsAre(11.0 / 12.0, 1.0 / 12.0));
  EXPECT_THAT(router_table(reports).text(), HasSubstr(" 0.67 "));
}

TEST(RouterTable, has_a_row_for_each_layer) {
  const std::string text = router_table({report_of({5, 0, 0, 5, 0, 0}, 2)}).text();

  EXPECT_THAT(text, HasSubstr("layer"));
  EXPECT_THAT(text, HasSubstr("0.6931"));
}

TEST(RouterTable, names_the_head) {
  RouterReport head = report_of({5, 0, 0, 5, 0, 0}, 2);
  head.layer = experts::kHeadLayer;

  EXPECT_THAT(router_table({report_of({1, 1, 0, 0}, 2), head}).text(), HasSubstr("\nhead "));
}

/// A short run of the tiny model, and what it wrote.
class RouterLog : public testing::Test {
 protected:
  RouterLog() {
    test::write_tiny_inputs(temporary_.path());
    options_ = test::tiny_run_options(temporary_.path(), "routed", 3);
  }
  Outcome run() {
    dist::Mesh mesh = dist::Mesh::solo();
    return Trainer(options_, "# config\n", mesh, test::unsynced_file_ops()).run();
  }
  [[nodiscard]] fs::path folder() const { return temporary_.path() / "runs" / "routed"; }
  // The lines of the steps.
  [[nodiscard]] std::vector<nlohmann::json> steps() const {
    std::vector<nlohmann::json> lines;
    for (const auto& line : test::read_json_lines(folder() / "metrics.jsonl"))
      if (line.contains("loss")) lines.push_back(line);
    return lines;
  }
  // TensorBoard's records, whose tags are plain text in them.
  [[nodiscard]] std::string events() const {
    std::string all;
    for (const auto& entry : fs::directory_iterator(folder()))
      if (entry.path().filename().string().starts_with("events.")) all += read_file(entry.path());
    return all;
  }
  // The values of a tag, step by step: behind each tag stand the mark of a 32-bit field and four bytes.
  [[nodiscard]] std::vector<float> on_board(const std::string& tag) const {
    const std::string written = events();
    const std::string mark = tag + '\x15';
    std::vector<float> values;
    for (std::size_t found = written.find(mark); found != std::string::npos; found = written.find(mark, found + 1)) {
      float value = 0.0F;
      std::memcpy(&value, written.data() + found + mark.size(), sizeof(value));
      values.push_back(value);
    }
    return values;
  }
  void expect_tags(const std::string& place, std::size_t experts) const {
    const std::string written = events();
    for (const char* measure : {"load_entropy_nats", "mutual_information_nats", "dead_experts", "confidence"})
      EXPECT_THAT(written, HasSubstr(str("experts/", place, "/", measure)));
    for (std::size_t e = 0; e < experts; ++e) EXPECT_THAT(written, HasSubstr(str("experts/", place, "/load/", e)));
    EXPECT_THAT(written, testing::Not(HasSubstr(str("experts/", place, "/load/", experts))));
  }
  // Every measure of one layer or the head, within what it can be.
  static void expect_measures(const nlohmann::json& router, std::size_t experts) {
    const auto load = router.at("load").get<std::vector<double>>();
    ASSERT_EQ(load.size(), experts);
    EXPECT_NEAR(std::accumulate(load.begin(), load.end(), 0.0), 1.0, 1e-12);
    EXPECT_EQ(router.at("dead_experts"), std::count(load.begin(), load.end(), 0.0));
    double entropy = 0.0;
    for (const double share : load) entropy -= share > 0.0 ? share * std::log(share) : 0.0;
    EXPECT_NEAR(router.at("load_entropy_nats").get<double>(), entropy, 1e-12);
    for (const char* measure : {"mutual_information_nats", "mutual_information_share"})
      EXPECT_GE(router.at(measure).get<double>(), 0.0);
    EXPECT_LE(router.at("mutual_information_share").get<double>(), 1.0 + 1e-12);
    // The largest of E probabilities.
    EXPECT_GE(router.at("confidence").get<double>(), 1.0 / static_cast<double>(experts));
    EXPECT_LE(router.at("confidence").get<double>(), 1.0 + 1e-12);
  }

  test::TemporaryFolder temporary_;
  RunOptions options_;
};

TEST_F(RouterLog, of_a_head_has_its_load_by_sequences_under_its_name) {
  options_.experts = {.router = experts::RouterKind::none, .domain_tokens = false};
  options_.head = {.kind = experts::HeadKind::sb_moe, .experts = 3};

  const Outcome outcome = run();

  ASSERT_EQ(outcome.routers.size(), 1U);
  EXPECT_TRUE(outcome.routers[0].of_head());
  std::vector<double> load(3, 0.0);
  const auto lines = steps();
  ASSERT_EQ(lines.size(), 3U);
  for (const auto& line : lines) {
    expect_measures(line.at("head"), 3);
    EXPECT_FALSE(line.contains("routers"));
    EXPECT_FALSE(line.contains("auxiliary_losses"));
    for (std::size_t e = 0; e < 3; ++e) {
      const double sequences = line.at("head").at("load")[e].get<double>() * 16.0;
      EXPECT_NEAR(sequences, std::round(sequences), 1e-9) << "of two sides of eight pairs";
      load[e] += sequences / (3.0 * 16.0);
    }
  }
  for (std::size_t e = 0; e < 3; ++e) EXPECT_NEAR(outcome.routers[0].load[e], load[e], 1e-12);
  expect_tags("head", 3);
}

TEST_F(RouterLog, of_a_head_beside_routed_layers_has_both) {
  options_.head = {.kind = experts::HeadKind::sb_moe, .experts = 3};

  const Outcome outcome = run();

  ASSERT_EQ(outcome.routers.size(), 3U);
  EXPECT_EQ(outcome.routers[0].layer, 0);
  EXPECT_EQ(outcome.routers[1].layer, 1);
  EXPECT_TRUE(outcome.routers[2].of_head());
  for (const auto& line : steps()) {
    ASSERT_EQ(line.at("routers").size(), 2U);
    expect_measures(line.at("routers")[1], 2);
    EXPECT_EQ(line.at("routers")[1].at("mutual_information_share"), 1.0) << "an expert for each domain";
    expect_measures(line.at("head"), 3);
  }
  expect_tags("layer_1", 2);
  expect_tags("head", 3);
}

TEST_F(RouterLog, of_a_run_has_what_each_step_did) {
  options_.experts.router = experts::RouterKind::top_k_token;
  options_.experts.count = 3;
  options_.experts.top_k = 2;
  options_.loss.auxiliary = {.load_balance = 0.1, .mutual_information = 0.1};

  const Outcome outcome = run();

  ASSERT_EQ(outcome.routers.size(), 2U);
  expect_tags("layer_0", 3);
  expect_tags("layer_1", 3);
  int steps = 0;
  std::vector<double> load(3, 0.0);
  double tokens = 0.0;
  double confidence = 0.0;
  std::vector<float> confidence_of_steps;
  for (const auto& line : this->steps()) {
    ++steps;
    expect_measures(line.at("routers")[0], 3);
    const auto& routers = line.at("routers");
    ASSERT_EQ(routers.size(), 2U);
    EXPECT_EQ(routers[1].at("layer"), 1);
    const auto of_step = routers[1].at("load").get<std::vector<double>>();
    EXPECT_NEAR(std::accumulate(of_step.begin(), of_step.end(), 0.0), 1.0, 1e-12);
    for (std::size_t e = 0; e < 3; ++e) load[e] += of_step[e] * line.at("tokens").get<double>();
    tokens += line.at("tokens").get<double>();
    const auto of_units = routers[1].at("confidence").get<double>();
    confidence += of_units * line.at("tokens").get<double>();
    confidence_of_steps.push_back(static_cast<float>(of_units));
    const auto& losses = line.at("auxiliary_losses");
    const double sum = losses.at("load_balance").get<double>() + losses.at("mutual_information").get<double>();
    EXPECT_NEAR(losses.at("total").get<double>(), 0.1 * sum, 1e-12);
    EXPECT_GE(losses.at("load_balance").get<double>(), 0.0);
    EXPECT_LE(losses.at("mutual_information").get<double>(), 0.0);
  }
  EXPECT_EQ(steps, 3);
  // The table at the end is over all steps, token by token.
  for (std::size_t e = 0; e < 3; ++e) EXPECT_NEAR(outcome.routers[1].load[e], load[e] / tokens, 1e-12);
  EXPECT_NEAR(outcome.routers[1].confidence, confidence / tokens, 1e-12);
  EXPECT_EQ(on_board("experts/layer_1/confidence"), confidence_of_steps);
}

}  // namespace
}  // namespace coterie::train
