// coterie bench: each of its commands on a tiny corpus, and what it tells.
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

/// A command, the ranks it runs on (0: without the launcher), and fields that it must tell, all of them above zero.
struct Case {
  std::string command;
  int ranks;
  std::vector<std::string> fields;
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.command; }

class Bench : public Workspace, public testing::WithParamInterface<Case> {
 protected:
  [[nodiscard]] Outcome bench(int ranks, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"bench", GetParam().command, "run.toml", "train.steps=1", "model.max_length=16"};
    words.insert(words.end(), more.begin(), more.end());
    return ranks == 0 ? coterie(words) : mpirun(ranks, words);
  }
};

INSTANTIATE_TEST_SUITE_P(
    Commands, Bench,
    testing::Values(Case{"step",
                         2,
                         {"pairs_per_s", "tokens_per_s", "gemm_gflop_per_s", "share_of_gemm", "peak_rss_mib_per_rank",
                          "step_ms", "load_ms", "forward_ms", "forward_share", "backward_ms", "update_ms"}},
                    Case{"layer", 2, {"experts", "rows_here", "bare_experts_ms", "layer_ms", "dense_mlp_ms"}},
                    Case{"dispatch", 2, {"experts", "plan_ms", "there_and_back_ms"}},
                    Case{"attention", 0, {"tokens", "gemm_gflop_per_s", "forward_ms", "forward_and_backward_ms"}},
                    Case{"loader", 0, {"pairs_per_s", "tokens_per_s", "batch_ms"}},
                    Case{"tokenizer", 0, {"documents_per_s", "tokens_per_s", "pass_ms"}}),
    [](const testing::TestParamInfo<Case>& each) { return each.param.command; });

TEST_P(Bench, tells_what_it_measured_in_a_table) {
  build_corpus();

  const Outcome outcome = bench(GetParam().ranks);

  ASSERT_EQ(outcome.code, 0) << outcome;
  for (const std::string& field : GetParam().fields) EXPECT_THAT(outcome.out, testing::HasSubstr(field));
}

TEST_P(Bench, writes_the_same_as_json) {
  const std::string version = coterie({"--version"}).out;
  if (count(version, "build Release,") + count(version, "sanitizers none") != 2)
    GTEST_SKIP() << "figures are kept of a Release build only";
  build_corpus();

  const Outcome outcome = bench(GetParam().ranks, {"json=out.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  const auto told = nlohmann::json::parse(read("out.json"));
  for (const std::string& field : GetParam().fields) {
    ASSERT_TRUE(told.contains(field)) << field;
    EXPECT_GT(told.at(field).get<double>(), 0.0) << field;
    EXPECT_TRUE(std::isfinite(told.at(field).get<double>())) << field;
  }
}

class BenchStep : public Workspace {};

TEST_F(BenchStep, traces_one_step_from_its_batch_to_its_update_on_the_first_rank) {
  build_corpus();
  const auto words = [](const std::string& trace) {
    return std::vector<std::string>{"bench", "step", "run.toml", "train.steps=1", "model.max_length=16", trace};
  };

  const Outcome outcome = mpirun(2, words("trace=step.json"));

  ASSERT_EQ(outcome.code, 0) << outcome;
  const auto trace = nlohmann::json::parse(read("step.json"));
  const auto times = [&](const std::string& name) {
    return std::count_if(trace.at("traceEvents").begin(), trace.at("traceEvents").end(),
                         [&](const auto& event) { return event.value("name", "") == name; });
  };
  // Words and places are looked up once in a step: a trace of two steps would have four.
  EXPECT_EQ(times("aten::embedding"), 2);
  EXPECT_GT(times("torch::autograd::AccumulateGrad"), 0);
  EXPECT_GT(times("aten::_fused_adamw_"), 0);
  expect_refused(words("trace=absent/step.json"), Exit::io, {"absent"});
}

class BenchComm : public Workspace {};

TEST_F(BenchComm, times_the_collectives_of_two_ranks_and_refuses_one) {
  build_corpus();

  const Outcome two = mpirun(2, {"bench", "comm", "run.toml", "train.steps=1"});
  const Outcome one = coterie({"bench", "comm", "run.toml", "train.steps=1"});

  EXPECT_EQ(two.code, 0) << two;
  EXPECT_EQ(one.code, 64) << one;
  EXPECT_THAT(one.err, testing::HasSubstr("at least 2 ranks, got 1"));
}

}  // namespace
}  // namespace coterie::test
