// Help, version, config printing, and every way to misuse the command line.
#include <nlohmann/json.hpp>

#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

class Usage : public Workspace {};

/// The text without comments and trailing blanks: origins differ between a file and its print.
std::string without_comments(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    line.resize(std::min(line.size(), line.find(" #")));
    if (!line.starts_with('#')) out += line + "\n";
  }
  return out;
}

TEST_F(Usage, version_names_commit_compiler_and_libraries) {
  const Outcome outcome = coterie({"--version"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  for (const char* word : {"coterie ", "commit ", "compiler ", "torch ", "mpi ", "hdf5 "})
    EXPECT_THAT(outcome.out, HasSubstr(word));
}

TEST_F(Usage, help_lists_the_subcommands) {
  const Outcome outcome = coterie({"--help"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  for (const char* word : {"train", "eval", "embed", "export", "score", "sweep", "report", "data"})
    EXPECT_THAT(outcome.out, HasSubstr(word));
}

TEST_F(Usage, every_subcommand_has_help_with_its_usage) {
  const std::vector<std::vector<std::string>> commands = {
      {"train"},  {"eval"},   {"embed"},         {"score"},         {"sweep"},
      {"report"}, {"export"}, {"data", "build"}, {"data", "synth"}, {"data", "inspect"}};
  for (auto words : commands) {
    std::string usage = "usage: coterie";
    for (const std::string& word : words) usage += " " + word;
    words.emplace_back("--help");
    const Outcome outcome = coterie(words);
    EXPECT_EQ(outcome.code, 0) << outcome;
    EXPECT_THAT(outcome.out, HasSubstr(usage));
  }
}

TEST_F(Usage, help_config_lists_keys_with_defaults_and_docs) {
  const Outcome outcome = coterie({"train", "--help-config"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  for (const char* key : {"batch_pairs", "learn_scale", "domain_tokens", "save_every"})
    EXPECT_THAT(outcome.out, HasSubstr(key));
  EXPECT_FALSE(exists("runs"));
}

TEST_F(Usage, printed_config_says_where_values_come_from_and_loads_back) {
  const Outcome first = coterie({"train", "run.toml", "optim.lr=0.25", "--print-config"});
  ASSERT_EQ(first.code, 0) << first;
  EXPECT_THAT(first.out, HasSubstr("run.toml:6:"));
  EXPECT_THAT(first.out, HasSubstr("argument 'optim.lr=0.25'"));
  write("printed.toml", first.out);

  const Outcome second = coterie({"train", "printed.toml", "--print-config"});

  ASSERT_EQ(second.code, 0) << second;
  EXPECT_EQ(without_comments(second.out), without_comments(first.out));
  EXPECT_THAT(without_comments(second.out), HasSubstr("lr = 0.25"));
  EXPECT_FALSE(exists("runs"));
}

TEST_F(Usage, no_subcommand_or_an_unknown_one_is_64) {
  EXPECT_EQ(coterie({}).code, 64);
  EXPECT_EQ(coterie({"data"}).code, 64);
  const Outcome outcome = coterie({"trian"});
  EXPECT_EQ(outcome.code, 64) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("trian"));
}

TEST_F(Usage, an_unknown_flag_is_64) {
  expect_refused({"train", "--resume"}, Exit::config, {"--resume"});
  expect_refused({"score", "a.csv", "--print-config"}, Exit::config, {"--print-config"});
}

TEST_F(Usage, a_wrong_number_of_arguments_is_64_with_the_usage) {
  expect_refused({"train", "a.toml", "b.toml"}, Exit::config, {"0 to 1 expected", "got 2", "usage: coterie train"});
  expect_refused({"eval"}, Exit::config, {"1 to 2 expected", "got 0", "usage: coterie eval"});
  expect_refused({"embed", "hf", "in.txt"}, Exit::config, {"3 expected", "got 2", "usage: coterie embed"});
  expect_refused({"export", "hf"}, Exit::config, {"2 expected", "got 1", "usage: coterie export"});
  expect_refused({"score"}, Exit::config, {"1 to 3 expected", "got 0", "usage: coterie score"});
  expect_refused({"data", "build", "a", "b"}, Exit::config, {"0 to 1 expected", "usage: coterie data build"});
  expect_refused({"data", "inspect"}, Exit::config, {"1 expected", "usage: coterie data inspect"});
}

TEST_F(Usage, an_unknown_key_is_64_with_a_suggestion) {
  expect_refused({"train", "run.toml", "optim.lrr=1"}, Exit::config,
                 {"unknown key 'optim.lrr' (argument 'optim.lrr=1'); did you mean 'optim.lr'?"});
  write("bad.toml", "[train]\nstep = 4\n");
  expect_refused({"train", "bad.toml"}, Exit::config,
                 {"unknown key 'train.step' (bad.toml:2:", "did you mean 'train.steps'?"});
}

// A word with '=' is a setting, whatever its key looks like; a file of such a name is given with its folder.
TEST_F(Usage, a_misspelt_key_is_not_taken_for_a_file) {
  expect_refused({"train", "run.toml", "batch-pairs=64"}, Exit::config, {"unknown key 'batch-pairs'"});
  expect_refused({"train", "run.toml", "data.batch-pairs=64"}, Exit::config,
                 {"unknown key 'data.batch-pairs'", "did you mean 'data.batch_pairs'?"});
  expect_refused({"train", "run.toml", "=64"}, Exit::config, {"argument '=64' has an empty key"});
  write("a=b.toml", read("run.toml"));
  EXPECT_EQ(coterie({"train", "./a=b.toml", "--print-config"}).code, 0);
}

TEST_F(Usage, all_problems_are_told_at_once) {
  expect_refused({"train", "run.toml", "optim.lr=-1", "train.steps=0", "nonsense=1"}, Exit::config,
                 {"3 problems", "optim.lr", "train.steps", "nonsense"});
}

TEST_F(Usage, a_bad_value_is_64_with_file_line_and_column) {
  write("bad.toml", "run = \"x\"\n[optim]\nlr = \"fast\"\n");
  expect_refused({"train", "bad.toml"}, Exit::config, {"optim.lr", "fast", "bad.toml:3:6"});
  write("bad.toml", "[train\n");
  expect_refused({"data", "build", "bad.toml"}, Exit::config, {"bad.toml:1:"});
}

TEST_F(Usage, a_comma_list_is_refused_outside_a_sweep) {
  expect_refused({"train", "run.toml", "optim.lr=1e-3,1e-4"}, Exit::config,
                 {"optim.lr is '1e-3,1e-4', must be one value; only `coterie sweep` takes lists"});
}

// What the command line names must be there: a wrong argument, whatever the system says of it.
TEST_F(Usage, a_missing_config_file_is_64) {
  expect_refused({"train", "absent.toml"}, Exit::config, {"absent.toml"});
  expect_refused({"train", "absent.toml", "--print-config"}, Exit::config, {"absent.toml"});
  expect_refused({"data", "build", "absent.toml"}, Exit::config, {"absent.toml"});
}

TEST_F(Usage, a_missing_model_is_64) {
  expect_refused({"export", "absent", "out"}, Exit::config, {"'absent'"});
  write("in.txt", "a b c\n");
  expect_refused({"embed", "absent", "in.txt", "out.npy"}, Exit::config, {"'absent'"});
}

// The system refuses to read a data file.
TEST_F(Usage, a_missing_data_file_is_74) {
  expect_refused({"score", "absent.csv"}, Exit::io, {"absent.csv"});
  expect_refused({"embed", "hf", "absent.txt", "out.npy"}, Exit::io, {"absent.txt"});
}

TEST_F(Usage, a_run_that_is_no_plain_folder_name_is_64) {
  expect_refused({"train", "run.toml", "run='../x'"}, Exit::config, {"run", "plain folder name"});
  expect_refused({"train", "run.toml", "run=''"}, Exit::config, {"run", "plain folder name"});
}

TEST_F(Usage, a_length_without_room_for_a_word_is_64) {
  expect_refused({"eval", "hf", "run.toml", "model.max_length=2"}, Exit::config, {"model.max_length", "at least 3"});
}

TEST_F(Usage, an_expert_axis_that_does_not_divide_the_ranks_is_64) {
  build_corpus();
  expect_refused({"train", "run.toml", "parallel.expert=2"}, Exit::config,
                 {"expert axis (2) must divide the number of ranks (1) (parallel.expert)"});
}

TEST_F(Usage, score_prints_the_measures_and_writes_json) {
  write("pairs.csv", "prediction,label\n0.9,1\n0.2,0\n0.7,1\n0.4,0\n");

  const Outcome outcome = coterie({"score", "pairs.csv", "json=out.json"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("1.0000"));
  EXPECT_THAT(read("out.json"), HasSubstr("\"roc_auc\": 1.0"));
}

/// Two files of the same five pairs: in `x` the second is better, in `y` it is worse, and `z` has one label.
class ScorePairFiles : public Usage {
 protected:
  void SetUp() override {
    Usage::SetUp();
    if (IsSkipped()) return;
    const std::string pairs[] = {"1,x,p,q", "0,x,q,r", "1,y,s,t", "0,y,t,u", "1,z,v,w"};
    const std::string first[] = {"0.2", "0.5", "0.75", "0.25", "0.5"};
    const std::string second[] = {"0.75", "0.5", "0.2", "0.25", "0.5"};
    std::string one = "prediction,label,domain,a,b\n";
    std::string two = one;
    for (std::size_t i = 0; i < std::size(pairs); ++i) {
      one += first[i] + "," + pairs[i] + "\n";
      two += second[i] + "," + pairs[i] + "\n";
    }
    write("one.csv", one);
    write("two.csv", two);
  }
};

TEST_F(ScorePairFiles, are_compared_in_all_and_in_each_domain_that_has_both_labels) {
  const Outcome outcome = coterie({"score", "one.csv", "two.csv", "resamples=20", "json=out.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  const auto json = nlohmann::json::parse(read("out.json"));
  EXPECT_TRUE(json.at("roc_auc").contains("p"));
  EXPECT_EQ(json.at("domains").size(), 2U);
  EXPECT_EQ(json.at("domains").at("x").at("roc_auc").at("difference"), 1.0);
  EXPECT_EQ(json.at("domains").at("y").at("roc_auc").at("difference"), -1.0);
  for (const char* row : {"all ", "x  ", "y  "}) EXPECT_EQ(count(outcome.out, str("\n", row)), 3) << outcome;
}

TEST_F(ScorePairFiles, are_resampled_by_document_where_they_name_them) {
  const Outcome outcome = coterie({"score", "one.csv", "two.csv", "resamples=20", "json=out.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("resampled: documents\n"));
  EXPECT_EQ(nlohmann::json::parse(read("out.json")).at("resampled"), "documents");
}

TEST_F(ScorePairFiles, without_documents_say_that_pairs_are_resampled) {
  write("bare.csv", "prediction,label\n0.9,1\n0.2,0\n0.7,1\n0.4,0\n");

  const Outcome outcome = coterie({"score", "bare.csv", "bare.csv", "resamples=20", "json=out.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("resampled: pairs, no columns a and b"));
  const auto json = nlohmann::json::parse(read("out.json"));
  EXPECT_EQ(json.at("resampled"), "pairs");
  EXPECT_FALSE(json.contains("domains"));
}

TEST_F(ScorePairFiles, of_other_domains_are_refused) {
  std::string other = read("two.csv");
  other.replace(other.find(",z,"), 3, ",x,");
  write("other.csv", other);

  expect_refused({"score", "one.csv", "other.csv"}, Exit::data, {"same pairs"});
}

TEST_F(Usage, a_result_that_cannot_be_printed_is_74) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this system";
  write("pairs.csv", "prediction,label\n0.9,1\n0.2,0\n");

  for (const std::string arguments : {"score pairs.csv", "--version", "train --help-config"}) {
    const Outcome outcome = shell("\"$COTERIE_BINARY\" " + arguments + " > /dev/full");

    EXPECT_EQ(outcome.code, 74) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr("cannot write to standard output"));
  }
}

TEST_F(Usage, json_may_go_to_standard_output_behind_the_table) {
  write("pairs.csv", "prediction,label\n0.9,1\n0.2,0\n");

  const Outcome outcome = coterie({"score", "pairs.csv", "json=/dev/stdout"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_LT(outcome.out.find("pairs.csv"), outcome.out.find("\"roc_auc\": 1.0")) << outcome;
}

TEST_F(Usage, a_result_file_that_cannot_be_written_is_74_before_the_work_but_no_matter_for_printing) {
  expect_refused({"data", "build", "run.toml", "json=absent/out.json"}, Exit::io, {"absent/out.json"});
  expect_refused({"train", "run.toml", "json=absent/out.json"}, Exit::io, {"absent/out.json"});
  EXPECT_EQ(coterie({"train", "run.toml", "json=absent/out.json", "--print-config"}).code, 0);
}

TEST_F(Usage, the_work_of_one_process_is_not_done_by_two) {
  const Outcome outcome = mpirun(2, {"data", "build", "run.toml"});

  EXPECT_EQ(outcome.code, 64) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("data build is the work of one process, got 2 (OMPI_COMM_WORLD_SIZE)"));
  EXPECT_FALSE(exists("corpora"));
}

TEST_F(Usage, figures_are_kept_of_a_release_build_only) {
  build_corpus();
  const std::string version = coterie({"--version"}).out;
  const bool release = count(version, "build Release,") + count(version, "sanitizers none") == 2;

  const Outcome outcome = coterie({"bench", "tokenizer", "run.toml", "json=out.json"});

  EXPECT_EQ(outcome.code, release ? 0 : 64) << outcome;
  EXPECT_EQ(exists("out.json"), release);
  if (release) {
    EXPECT_THAT(read("out.json"), HasSubstr("\"pass_least_ms\""));
  } else {
    EXPECT_THAT(outcome.err, HasSubstr("of a Release build without sanitizers, got"));
  }
}

TEST_F(Usage, score_of_a_malformed_file_is_65_with_the_line) {
  write("pairs.csv", "prediction,label\n0.9,1\n0.2,maybe\n");

  expect_refused({"score", "pairs.csv"}, Exit::data, {"pairs.csv:3", "maybe"});
}

}  // namespace
}  // namespace coterie::test
