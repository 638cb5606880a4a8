// A run whose vocabulary was extended: built, trained, continued, evaluated, exported.
#include <nlohmann/json.hpp>

#include "base/npy.h"
#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

/// The tiny collection with a word, `genome`, that the checkpoint's vocabulary lacks.
class ExtendedRun : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (IsSkipped()) return;
    std::string documents = read("source/documents.jsonl");
    for (std::size_t at = 0; (at = documents.find("gene ", at)) != std::string::npos; at += 7)
      documents.replace(at, 5, "genome ");
    write("source/documents.jsonl", documents);
    write("words.txt", "genome\n");
    write("in.txt", "genome paper a b\nstar model c\n");
    const Outcome built = coterie({"data", "build", "run.toml", kAdded});
    ASSERT_EQ(built.code, 0) << built;
    const Outcome trained = coterie({"train", "run.toml", kAdded, "train.steps=2"});
    ASSERT_EQ(trained.code, 0) << trained;
  }

  NpyArray embed(const std::string& model, const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"embed", model, "in.txt", "out.npy"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    fs::remove(root() / "out.npy");
    const Outcome outcome = coterie(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return outcome.code == 0 ? read_npy(root() / "out.npy") : NpyArray{};
  }

  static constexpr const char* kAdded = "model.added_tokens=words.txt";
};

TEST_F(ExtendedRun, keeps_its_words_in_checkpoint_and_export) {
  const Outcome exported = coterie({"export", "runs/tiny", "out", "domain=biology"});

  ASSERT_EQ(exported.code, 0) << exported;
  EXPECT_THAT(read_file(checkpoint(2) / "vocab.txt"), EndsWith("\nz\ngenome\n"));
  EXPECT_THAT(read("out/vocab.txt"), EndsWith("\nz\ngenome\n"));
  EXPECT_EQ(nlohmann::json::parse(read("out/config.json")).at("vocab_size"), 41);
  const NpyArray routed = embed("runs/tiny", {"experts.unknown_domain=biology"});
  const NpyArray dense = embed("out", {});
  ASSERT_EQ(routed.values.size(), dense.values.size());
  // Another order of the same sums in fp32, on unit vectors.
  for (std::size_t i = 0; i < dense.values.size(); ++i) EXPECT_NEAR(routed.values[i], dense.values[i], 1e-6);
}

TEST_F(ExtendedRun, continues_and_is_evaluated_beside_the_extended_untouched_model) {
  const Outcome continued = coterie({"train", "run.toml", kAdded, "train.steps=4"});
  const Outcome evaluated = coterie({"eval", "runs/tiny"});

  EXPECT_EQ(continued.code, 0) << continued;
  EXPECT_THAT(continued.err, HasSubstr("continuing at step 2"));
  EXPECT_EQ(evaluated.code, 0) << evaluated;
  EXPECT_THAT(evaluated.out, HasSubstr("untouched"));
}

TEST_F(ExtendedRun, that_was_cut_goes_on_bit_for_bit) {
  const std::vector<std::string> longer = {"train", "run.toml", kAdded, "run=whole", "train.steps=4", "train.keep=9"};
  ASSERT_EQ(coterie(longer).code, 0);
  const fs::path checkpoints = root() / "runs" / "whole" / "checkpoints";
  // The hashes of weights, moments, tokenizer and state.
  const std::string last = read_file(checkpoints / "step-00000004" / "MANIFEST");
  fs::remove_all(checkpoints / "step-00000004");
  ASSERT_TRUE(fs::exists(checkpoints / "step-00000002"));

  const Outcome resumed = coterie(longer);

  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr("continuing at step 2"));
  EXPECT_EQ(read_file(checkpoints / "step-00000004" / "MANIFEST"), last);
}

TEST_F(ExtendedRun, does_not_continue_with_other_words) {
  write("words.txt", "genome\nphage\n");
  const Outcome other = coterie({"train", "run.toml", kAdded, "train.steps=4"});

  EXPECT_EQ(other.code, static_cast<int>(Exit::data)) << other;
  EXPECT_THAT(other.err, HasSubstr("build the corpus again with this model.checkpoint and model.added_tokens"));
}

TEST_F(ExtendedRun, needs_the_words_that_its_corpus_was_built_with) {
  expect_refused({"train", "run.toml", "run=plain"}, Exit::data, {"its ids are of another tokenizer"});
}

}  // namespace
}  // namespace coterie::test
