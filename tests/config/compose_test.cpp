// The order in which struct defaults, groups, files and arguments are laid over each other.
#include "config/sections.h"
#include "sample.h"

namespace coterie::test {
namespace {

using Compose = ConfigTest;

TEST_F(Compose, an_empty_file_gives_the_defaults_of_the_structs) {
  write("train.toml", "");

  EXPECT_EQ(read("train.toml"), RootOptions{});
}

TEST_F(Compose, arguments_win_over_the_file_which_wins_over_its_groups_which_win_over_the_structs) {
  write("train.toml", "defaults = ['experts/a', 'experts/b']\n[experts]\ntop_k = 30\nscore = 'sigmoid'\n");
  write("experts/a.toml", "[experts]\nnum_experts = 10\ntop_k = 10\nlayers = ['a']\n");
  write("experts/b.toml", "[experts]\nnum_experts = 20\ntop_k = 20\n");

  const RootOptions options = read("train.toml", {"experts.top_k=4", "experts.top_k=5"});

  EXPECT_EQ(options.experts.layers, std::vector<std::string>{"a"});  // the left group alone
  EXPECT_EQ(options.experts.num_experts, 20);                        // the right group over the left
  EXPECT_EQ(options.experts.score, Score::sigmoid);                  // the file
  EXPECT_EQ(options.experts.top_k, 5);                               // the last argument
  EXPECT_EQ(options.experts.aux.balance, AuxOptions{}.balance);      // the struct
}

TEST_F(Compose, tables_merge_and_lists_replace) {
  write("train.toml", "defaults = ['experts/a']\n[experts]\nlayers = ['3']\n");
  write("experts/a.toml", "[experts]\nlayers = ['1', '2']\ntop_k = 1\n[experts.aux]\nbalance = 0.5\n");

  const RootOptions options = read("train.toml", {"experts.aux={balance = 0.25}"});

  EXPECT_EQ(options.experts.layers, std::vector<std::string>{"3"});
  EXPECT_EQ(options.experts.top_k, 1);
  EXPECT_EQ(options.experts.aux.balance, 0.25);
}

TEST_F(Compose, a_group_file_names_its_defaults_from_the_folder_of_the_root_file) {
  write("configs/train.toml", "defaults = ['experts/a']\n");
  write("configs/experts/a.toml", "defaults = ['optim/y', 'experts/base']\n[experts]\ntop_k = 1\n");
  write("configs/experts/base.toml", "[experts]\ntop_k = 3\nnum_experts = 4\n");
  write("configs/optim/y.toml", "[optim]\nlr = 0.5\n");

  const RootOptions options = read("configs/train.toml");

  EXPECT_EQ(options.optim.lr, 0.5);
  EXPECT_EQ(options.experts.num_experts, 4);
  EXPECT_EQ(options.experts.top_k, 1);
}

TEST_F(Compose, a_leading_parent_folder_moves_the_folder_for_the_named_file_too) {
  write("configs/sweep/k.toml", "defaults = ['../train']\n[experts]\ntop_k = 4\n");
  write("configs/train.toml", "defaults = ['experts/a']\n");
  write("configs/experts/a.toml", "[experts]\nnum_experts = 16\n");

  const RootOptions options = read("configs/sweep/k.toml");

  EXPECT_EQ(options.experts.num_experts, 16);
  EXPECT_EQ(options.experts.top_k, 4);
}

TEST_F(Compose, a_group_argument_replaces_the_entry_of_that_group) {
  write("train.toml", "defaults = ['experts/top2', 'optim/adamw']\n");
  write("experts/top2.toml", "[experts]\ntop_k = 2\nnum_experts = 32\n");
  write("experts/switch.toml", "[experts]\ntop_k = 1\n");
  write("optim/adamw.toml", "[optim]\nlr = 0.5\n");

  // The place of the argument does not matter: a group is chosen before any key is set.
  const RootOptions options = read("train.toml", {"experts.num_experts=3", "experts=switch"});

  EXPECT_EQ(options.experts.top_k, 1);
  EXPECT_EQ(options.experts.num_experts, 3);
  EXPECT_EQ(options.optim.lr, 0.5);
}

TEST_F(Compose, a_group_argument_reaches_entries_of_default_files_but_not_a_file_that_builds_on_its_own_group) {
  write("quick.toml", "defaults = ['train']\n");
  write("train.toml", "defaults = ['experts/top2']\n");
  write("experts/top2.toml", "[experts]\ntop_k = 2\nnum_experts = 32\n");
  write("experts/switch.toml", "defaults = ['experts/top2']\n[experts]\ntop_k = 1\n");

  const RootOptions options = read("quick.toml", {"experts=switch"});

  EXPECT_EQ(options.experts.top_k, 1);
  EXPECT_EQ(options.experts.num_experts, 32);
}

TEST_F(Compose, a_group_argument_without_an_entry_to_replace_is_an_unknown_key) {
  write("train.toml", "defaults = ['optim/adamw']\n");
  write("optim/adamw.toml", "");

  EXPECT_EQ(
      message("train.toml", {"experts=switch"}),
      "config: 1 problem\n"
      "  unknown key 'experts' (argument 'experts=switch'); no entry of defaults is of the group 'experts', and a "
      "section takes no value");
}

TEST_F(Compose, a_missing_group_file_names_the_argument_the_entry_and_the_choice_there_is) {
  write("train.toml", "defaults = ['experts/top2']\n");
  write("experts/top2.toml", "");
  write("experts/affine.toml", "");

  EXPECT_EQ(message("train.toml", {"experts=swich"}),
            "config: default 'experts/swich' is missing, no file experts/swich.toml (argument 'experts=swich' in place "
            "of 'experts/top2', train.toml:1:13); experts has affine, top2");
}

TEST_F(Compose, a_missing_default_names_both_files_and_the_place) {
  write("configs/train.toml", "run = 'x'\ndefaults = [\n  'optim/adam']\n");

  EXPECT_EQ(message("configs/train.toml"),
            "config: default 'optim/adam' is missing, no file configs/optim/adam.toml (configs/train.toml:3:3)");
}

TEST_F(Compose, a_cycle_names_both_files) {
  write("configs/a.toml", "defaults = ['b']\n");
  write("configs/b.toml", "defaults = ['c/x']\n");
  write("configs/c/x.toml", "defaults = ['a']\n");

  EXPECT_EQ(message("configs/a.toml"),
            "config: default 'a' of configs/c/x.toml leads back to configs/a.toml (configs/c/x.toml:1:13)");
}

TEST_F(Compose, a_file_that_names_itself_is_a_cycle) {
  write("a.toml", "defaults = ['a']\n");

  EXPECT_EQ(message("a.toml"), "config: default 'a' of a.toml leads back to a.toml (a.toml:1:13)");
}

TEST_F(Compose, a_file_may_be_reached_on_two_ways) {
  write("a.toml", "defaults = ['b', 'c']\n");
  write("b.toml", "defaults = ['d']\n");
  write("c.toml", "defaults = ['d']\n");
  write("d.toml", "seed = 3\n");

  EXPECT_EQ(read("a.toml").seed, 3);
}

// Each file names the next twice: without a bound, 2^40 files would be read.
TEST_F(Compose, defaults_that_double_at_every_level_end_in_an_error) {
  for (int i = 0; i < 40; ++i) write(str("f", i, ".toml"), str("defaults = ['f", i + 1, "', 'f", i + 1, "']\n"));
  write("f40.toml", "");

  EXPECT_EQ(message("f0.toml"), "config: more than 256 files through f0.toml");
}

TEST_F(Compose, a_missing_file_is_a_config_error_with_the_systems_reason) {
  EXPECT_EQ(message("nowhere.toml"), "config: cannot read 'nowhere.toml': No such file or directory (2)");
}

TEST_F(Compose, a_directory_is_not_a_config) {
  std::filesystem::create_directory("folder");

  EXPECT_EQ(message("folder"), "config: 'folder' is a directory");
}

TEST_F(Compose, arguments_alone_lie_over_the_structs) {
  const auto options = config::read<RootOptions>(config::compose({"seed=3"}));

  RootOptions expected;
  expected.seed = 3;
  EXPECT_EQ(options, expected);
}

TEST_F(Compose, a_text_is_read_like_a_file) {
  const auto tree = config::tree_of_text("seed = 4\n", "broadcast");

  EXPECT_EQ(config::read<RootOptions>(tree).seed, 4);
  EXPECT_EQ(tree.origin("seed"), "broadcast:1:8");
}

TEST_F(Compose, a_text_has_no_folder_so_defaults_is_no_key_of_it) {
  const auto tree = config::tree_of_text("defaults = ['experts/a']\n", "broadcast");

  EXPECT_THROW(static_cast<void>(config::read<RootOptions>(tree)), ConfigError);
}

TEST_F(Compose, every_value_keeps_the_place_it_was_written_at) {
  write("train.toml", "defaults = ['experts/a']\nseed = 3\nexperts.top_k = 1\n");
  write("experts/a.toml", "[experts]\nnum_experts = 16\ntop_k = 4\n");

  const config::Tree tree = config::compose("train.toml", {"run=x"});

  EXPECT_EQ(tree.origin("experts.num_experts"), "experts/a.toml:2:15");
  EXPECT_EQ(tree.origin("experts.top_k"), "train.toml:3:17");
  EXPECT_EQ(tree.origin("seed"), "train.toml:2:8");
  EXPECT_EQ(tree.origin("run"), "argument 'run=x'");
  EXPECT_EQ(tree.origin("optim.lr"), "default");
  EXPECT_EQ(tree.origin("run.below.a.string"), "default");
}

TEST_F(Compose, one_file_for_two_commands_is_taken_apart_by_its_keys) {
  write("train.toml", "seed = 3\n[sweep]\nname = 'x'\n");
  const config::Tree tree = config::compose("train.toml", {"run=x", "broken"});
  const std::array<std::string_view, 2> keys = {"sweep", "absent"};

  const config::Tree mine = config::only(tree, keys);
  const config::Tree rest = config::without(tree, keys);

  EXPECT_EQ(mine.origin("sweep.name"), "train.toml:3:8");
  EXPECT_EQ(mine.origin("seed"), "default");
  EXPECT_EQ(rest.origin("sweep.name"), "default");
  EXPECT_EQ(rest.origin("seed"), "train.toml:1:8");
  EXPECT_EQ(rest.origin("run"), "argument 'run=x'");
  // What could not be read belongs to both.
  EXPECT_EQ(mine.problems().size(), 1U);
  EXPECT_EQ(rest.problems().size(), 1U);
}

}  // namespace
}  // namespace coterie::test
