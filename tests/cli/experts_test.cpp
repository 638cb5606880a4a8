// What a run with experts says: the table at its end, numbers of experts that do not fit its ranks, and texts that do
// not say whose they are.
#include <sstream>

#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

class ExpertsOfARun : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (!IsSkipped()) build_corpus();
  }
  // The cells of each row of the table at the end, its header first; none if there is no table.
  [[nodiscard]] static std::vector<std::vector<std::string>> table_of(const std::string& out) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) {
      if (rows.empty() && !line.starts_with("layer ")) continue;
      if (line.starts_with("-")) continue;
      // Two blanks at least stand between columns, at most one within a name.
      std::vector<std::string> cells;
      for (std::size_t at = line.find_first_not_of(' '); at != std::string::npos;) {
        const std::size_t end = line.find("  ", at);
        cells.push_back(line.substr(at, end - at));
        at = end == std::string::npos ? end : line.find_first_not_of(' ', end);
      }
      rows.push_back(cells);
    }
    return rows;
  }
};

TEST_F(ExpertsOfARun, end_in_a_table_with_a_row_for_each_layer_and_the_head) {
  const Outcome outcome = coterie({"train", "run.toml", "head.kind=sb_moe", "head.experts=3"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("experts, over the steps since the start or the last resumption"));
  const auto rows = table_of(outcome.out);
  ASSERT_EQ(rows.size(), 4U) << outcome;
  EXPECT_EQ(rows[0], (std::vector<std::string>{"layer", "experts", "least load", "most load", "entropy", "information",
                                               "of the most", "dead a step", "confidence"}));
  for (const std::size_t row : {1U, 2U}) {
    EXPECT_EQ(rows[row][0], str(row - 1));
    EXPECT_EQ(rows[row][1], "2");
    EXPECT_EQ(rows[row][6], "1.0000") << "an expert for each domain";
    EXPECT_EQ(rows[row][7], "0.00");
    EXPECT_EQ(rows[row][8], "1.0000");
  }
  EXPECT_EQ(rows[3][0], "head");
  EXPECT_EQ(rows[3][1], "3");
}

// Said by a config that has a head, by the command line, and by neither.
TEST_F(ExpertsOfARun, behind_pooling_answer_as_the_command_says_and_what_it_changes_or_ignores_is_told) {
  ASSERT_EQ(coterie({"train", "run.toml", "head.kind=sb_moe", "head.experts=3"}).code, 0);
  write("all.toml", read("run.toml") + "\n[head]\nkind = \"sb_moe\"\nexperts = 3\ninference = \"all\"\n");
  std::string said;
  const auto measured = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", "runs/tiny"});
    more.insert(more.end(), {"json=head.json", "eval.save=''", "eval.untouched=false"});
    const Outcome outcome = coterie(more);
    EXPECT_EQ(outcome.code, 0) << outcome;
    said = outcome.err;
    return nlohmann::json::parse(read("head.json")).at("trained");
  };

  const auto by_config = measured({"all.toml"});
  EXPECT_EQ(count(said, "the head answers by 'all', as the config says; its run said 'top1'"), 1) << said;
  EXPECT_EQ(measured({"head.inference=all"}), by_config);
  EXPECT_EQ(count(said, "the head answers"), 0) << said;
  const auto by_run = measured({"run.toml"});
  EXPECT_EQ(count(said, "the head answers") + count(said, "is ignored"), 0) << said;
  EXPECT_NE(by_run, by_config);
  EXPECT_EQ(measured({"model.max_length=4", "model.normalize=false"}), by_run);
  EXPECT_EQ(count(said, "model.max_length is ignored"), 1) << said;
  EXPECT_EQ(count(said, "model.normalize is ignored"), 1) << said;
  expect_refused({"eval", "hf", "run.toml", "head.inference=all"}, Exit::config, {"head.inference", "got one without"});
  write("in.txt", "gene\n");
  expect_refused({"embed", "hf", "in.txt", "out.npy", "head.inference=all"}, Exit::config, {"head.inference"});
}

TEST_F(ExpertsOfARun, in_bf16_without_instructions_for_it_are_warned_of) {
  const auto evaluated = [&](const std::string& precision) {
    const Outcome outcome =
        shell("COTERIE_INSTRUCTIONS=sse2 \"$COTERIE_BINARY\" eval hf run.toml model.precision=" + precision);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return count(outcome.err, "model.precision=bf16 is slower than fp32 here");
  };
  EXPECT_EQ(evaluated("bf16"), 1);
  EXPECT_EQ(evaluated("fp32"), 0);
}

TEST_F(ExpertsOfARun, end_in_no_table_where_there_are_none) {
  const Outcome outcome = coterie({"train", "run.toml", "experts.router=none", "experts.domain_tokens=false"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_TRUE(table_of(outcome.out).empty()) << outcome;
}

TEST_F(ExpertsOfARun, that_the_expert_axis_does_not_divide_are_64_and_named_by_their_key) {
  const Outcome layers =
      mpirun(2, {"train", "run.toml", "parallel.expert=2", "experts.router=switch_sentence", "experts.count=3"});
  EXPECT_EQ(layers.code, 64) << layers;
  EXPECT_EQ(count(layers.err,
                  "expert axis (2) must divide the number of experts (3) (parallel.expert); experts.count says how "
                  "many experts there are"),
            1)
      << layers;

  const Outcome head = mpirun(2, {"train", "run.toml", "parallel.expert=2", "head.kind=sb_moe", "head.experts=3"});
  EXPECT_EQ(head.code, 64) << head;
  EXPECT_EQ(count(head.err,
                  "expert axis (2) must divide the number of experts (3) (parallel.expert); head.experts says how many "
                  "experts there are"),
            1)
      << head;
  EXPECT_FALSE(exists("runs"));
}

TEST_F(ExpertsOfARun, by_index_refuse_texts_that_name_none_wherever_they_come_from) {
  write_tiny_collection_with_experts(root() / "named");
  const std::vector<std::string> settings = {
      "run.toml",  "data.sources=[\"plain:named\"]", "data.corpus=named.h5",
      "run=named", "experts.router=index",           "experts.domain_tokens=false"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), settings.begin(), settings.end());
    return coterie(words);
  };
  ASSERT_EQ(with({"data", "build"}).code, 0);
  ASSERT_EQ(with({"train"}).code, 0);
  write("biology/corpus.jsonl", "{\"_id\": \"d\", \"text\": \"gene paper\"}\n");
  write("biology/queries.jsonl", "{\"_id\": \"q\", \"text\": \"gene\"}\n");
  write("biology/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\td\t1\n");

  const char* said = "experts.router 'index' needs texts that name an 'expert', got texts that name none";
  expect_refused({"embed", "runs/named", "corpora/tiny.h5", "out.npy"}, Exit::data, {said});
  expect_refused({"eval", "runs/named", "data.corpus=corpora/tiny.h5"}, Exit::data,
                 {"eval: experts.router 'index' needs texts that name an 'expert'", "corpora/tiny.h5"});
  expect_refused({"eval", "runs/named", "eval.pairs=false", "eval.retrieval=beir:biology"}, Exit::config,
                 {"'index' needs texts that name an 'expert', got collections, which name none (eval.retrieval)"});
}

TEST_F(ExpertsOfARun, by_token_type_refuse_a_document_with_more_segments_before_the_first_step) {
  std::string documents = read("source/documents.jsonl");
  documents.replace(documents.find("gene paper"), 10, "gene [SEP] paper [SEP]");
  write("parts/documents.jsonl", documents);
  write("parts/pairs.jsonl", read("source/pairs.jsonl"));
  const std::vector<std::string> settings = {"run.toml", "data.sources=[\"plain:parts\"]", "data.corpus=parts.h5",
                                             "experts.router=token_type"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), settings.begin(), settings.end());
    return words;
  };
  ASSERT_EQ(coterie(with({"data", "build"})).code, 0);

  expect_refused(with({"train"}), Exit::data,
                 {"document 'biology:biology0' must have at most 2 segments, which end in [SEP], got 3",
                  "experts.router 'token_type'"});
  auto more = with({"train"});
  more.push_back("experts.count=3");
  EXPECT_EQ(coterie(more).code, 0);
}

}  // namespace
}  // namespace coterie::test
