// The surface of the config: every field is described, and it changes only on purpose.
#include "train/run_options.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/file_ops.h"
#include "tests/harness/described.h"

namespace coterie::train {
namespace {

TEST(RunOptions, every_member_of_every_section_is_described) { EXPECT_EQ(test::undescribed<RunOptions>(), ""); }

TEST(RunOptions, the_help_text_is_the_one_on_record) {
  const char* source = std::getenv("COTERIE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);

  const std::string expected = read_file(fs::path(source) / "tests" / "golden" / "options.txt");

  EXPECT_EQ(config::help<RunOptions>(), expected) << "after a change on purpose: coterie train --help-config > "
                                                     "tests/golden/options.txt";
}

TEST(RunOptions, of_a_choice_between_true_false_and_a_word_takes_booleans_and_words) {
  const auto normalize = [](const std::string& value) {
    return config::read<RunOptions>(config::compose({"model.normalize=" + value})).model.normalize;
  };

  EXPECT_EQ(normalize("true"), model::Normalize::yes);
  EXPECT_EQ(normalize("false"), model::Normalize::no);
  EXPECT_EQ(normalize("'false'"), model::Normalize::no) << "as it is printed";
  EXPECT_EQ(normalize("checkpoint"), model::Normalize::checkpoint);
}

TEST(RunOptions, conditions_across_fields_are_reported_together) {
  const auto tree = config::compose(
      {"run='a/b'", "data.window_pairs=10", "data.batch_pairs=20", "optim.warmup_steps=200", "data.test_fraction=0.9"});

  try {
    (void)config::read<RunOptions>(tree);
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    for (const char* key : {"run is", "data.window_pairs is 10", "optim.warmup_steps is 200", "data.test_fraction is"})
      EXPECT_NE(text.find(key), std::string::npos) << text;
  }
}

TEST(RunOptions, every_config_of_the_project_resolves) {
  const char* source = std::getenv("COTERIE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(source) / "configs")) {
    if (entry.path().extension() != ".toml") continue;
    ++files;
    EXPECT_NO_THROW((void)config::read<RunOptions>(config::compose(entry.path(), {}))) << entry.path();
  }
  EXPECT_GE(files, 3);
}

TEST(RunOptions, every_choice_of_experts_and_loss_resolves) {
  const char* source = std::getenv("COTERIE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const fs::path configs = fs::path(source) / "configs";
  for (const auto& [group, least] : {std::pair{"experts", 14}, std::pair{"loss", 9}}) {
    int files = 0;
    for (const auto& entry : fs::directory_iterator(configs / group)) {
      ++files;
      const std::string choice = str(group, "=", entry.path().stem().string());
      EXPECT_NO_THROW((void)config::read<RunOptions>(config::compose(configs / "train.toml", {choice}))) << choice;
    }
    EXPECT_GE(files, least) << group;
  }
}

TEST(RunOptions, the_losses_of_the_papers_compare_embeddings_that_keep_their_length) {
  const char* source = std::getenv("COTERIE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  for (const auto& [choice, kept] : {std::pair{"loss=mnr_plus", true}, std::pair{"loss=query_to_document", true},
                                     std::pair{"loss=symmetric", false}, std::pair{"loss=mnr", false}}) {
    const auto options =
        config::read<RunOptions>(config::compose(fs::path(source) / "configs" / "train.toml", {choice}));

    EXPECT_EQ(options.model.normalize, kept ? model::Normalize::no : model::Normalize::checkpoint) << choice;
    EXPECT_EQ(options.loss.similarity, kept ? Similarity::dot : Similarity::cosine) << choice;
  }
}

}  // namespace
}  // namespace coterie::train
