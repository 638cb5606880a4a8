// Where the tokens of each domain went: on counts small enough to see, and in a run's log.
#include "train/domain_load.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "tests/harness/shared_files.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_run.h"
#include "tests/harness/unsynced_file_ops.h"
#include "train/trainer.h"

namespace coterie::train {
namespace {

using testing::ElementsAre;

// Rows are domains, the last of them none.
std::vector<RouterSums> step_of(std::initializer_list<double> assigned, std::int64_t experts) {
  std::vector<RouterSums> step(1);
  step[0].layer = 3;
  step[0].assigned_DE = at::tensor(std::vector<double>(assigned), at::kDouble).view({-1, experts});
  return step;
}

TEST(DomainLoads, are_shares_over_all_steps_since_they_were_taken) {
  DomainLoads loads({"a", "b"});
  loads.add(step_of({1, 0, 3, 1, 0, 9}, 2));
  loads.add(step_of({2, 1, 3, 1, 5, 0}, 2));

  const DomainLoad load = loads.take();

  EXPECT_EQ(load.steps, 2);
  ASSERT_EQ(load.layers.size(), 1U);
  EXPECT_EQ(load.layers[0].layer, 3);
  EXPECT_THAT(load.layers[0].domains, ElementsAre("a", "b"));
  EXPECT_THAT(load.layers[0].load, ElementsAre(ElementsAre(0.75, 0.25), ElementsAre(0.75, 0.25)));
  loads.add(step_of({0, 4, 1, 3, 0, 0}, 2));
  const DomainLoad next = loads.take();
  EXPECT_EQ(next.steps, 1);
  EXPECT_THAT(next.layers.at(0).load, ElementsAre(ElementsAre(0.0, 1.0), ElementsAre(0.25, 0.75)));
  EXPECT_TRUE(loads.take().layers.empty());
}

TEST(DomainLoads, leave_out_domains_without_a_token) {
  DomainLoads loads({"a", "b", "c"});
  loads.add(step_of({1, 1, 0, 0, 0, 2, 7, 0}, 2));

  const DomainLoad load = loads.take();

  EXPECT_THAT(load.layers.at(0).domains, ElementsAre("a", "c"));
  EXPECT_THAT(load.layers.at(0).load, ElementsAre(ElementsAre(0.5, 0.5), ElementsAre(0.0, 1.0)));
}

TEST(DomainLoads, of_sums_of_other_domains_are_refused) {
  DomainLoads loads({"a", "b"});

  EXPECT_THROW(loads.add(step_of({1, 1, 0, 0}, 2)), ShapeError);
}

/// The lines of a run's log that say where the tokens went, by step.
class DomainLoadLog : public testing::Test {
 protected:
  DomainLoadLog() {
    test::write_tiny_inputs(temporary_.path());
    options_ = test::tiny_run_options(temporary_.path(), "routed", 5);
    options_.train.eval_every = 2;
  }

  void run(const std::function<bool()>& stopping) {
    dist::Mesh mesh = dist::Mesh::solo();
    (void)Trainer(options_, "# config\n", mesh, test::unsynced_file_ops(), stopping).run();
  }
  [[nodiscard]] std::map<std::int64_t, nlohmann::json> lines() const {
    std::map<std::int64_t, nlohmann::json> all;
    for (const auto& line : test::read_json_lines(temporary_.path() / "runs" / "routed" / "metrics.jsonl")) {
      if (!line.contains("domain_load")) continue;
      EXPECT_TRUE(all.emplace(line.at("step"), line.at("domain_load")).second);
    }
    return all;
  }

  test::TemporaryFolder temporary_;
  RunOptions options_;
};

TEST_F(DomainLoadLog, has_a_line_at_each_evaluation_with_every_domain_at_its_own_expert) {
  run([] { return false; });

  const auto all = lines();

  std::vector<std::int64_t> steps;
  for (const auto& [step, load] : all) {
    steps.push_back(step);
    EXPECT_EQ(load.at("steps"), step == 5 ? 1 : 2);
    ASSERT_EQ(load.at("layers").size(), 2U);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      EXPECT_EQ(load.at("layers")[layer].at("layer"), layer);
      EXPECT_EQ(load.at("layers")[layer].at("domains").size(), 2U);
      EXPECT_EQ(load.at("layers")[layer].at("load"), nlohmann::json::parse("[[1.0,0.0],[0.0,1.0]]"));
    }
  }
  EXPECT_THAT(steps, ElementsAre(2, 4, 5));
}

// Life by life the steps are the same, however the evaluation of a step is put off to the next life.
TEST_F(DomainLoadLog, of_a_run_that_is_preempted_after_every_step_has_what_each_life_saw) {
  for (int life = 0; life < 6; ++life) run([] { return true; });

  const auto all = lines();

  ASSERT_EQ(all.size(), 3U);
  for (const auto& [step, load] : all) EXPECT_EQ(load.at("steps"), 1) << step;
}

TEST_F(DomainLoadLog, of_a_head_has_where_the_texts_of_each_domain_went) {
  options_.head = {.kind = experts::HeadKind::sb_moe, .experts = 3};
  run([] { return false; });

  for (const auto& [step, load] : lines()) {
    EXPECT_EQ(load.at("layers").size(), 2U) << step;
    const auto& head = load.at("head");
    EXPECT_EQ(head.at("domains").size(), 2U);
    for (const auto& row : head.at("load")) {
      ASSERT_EQ(row.size(), 3U);
      EXPECT_NEAR(row[0].get<double>() + row[1].get<double>() + row[2].get<double>(), 1.0, 1e-12);
    }
  }
}

TEST_F(DomainLoadLog, of_a_run_without_experts_has_none) {
  options_.experts.router = experts::RouterKind::none;
  run([] { return false; });

  EXPECT_TRUE(lines().empty());
}

}  // namespace
}  // namespace coterie::train
