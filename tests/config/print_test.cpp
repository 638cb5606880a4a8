// `--print-config`, `--help-config`, and how values that were printed differ.
#include "base/utf8.h"
#include "config/spelling.h"
#include "sample.h"

namespace coterie::test {
namespace {

using Print = ConfigTest;

TEST_F(Print, shows_every_key_with_doc_range_and_origin) {
  write("train.toml", "[experts]\nnum_experts = 16\n");
  const config::Tree tree = config::compose("train.toml", {"experts.top_k=1"});

  EXPECT_EQ(config::print(config::read<RootOptions>(tree), tree),
            "run = \"run\"  # name of the run [default]\n"
            "seed = 7  # seed of everything random; at least 0 [default]\n"
            "\n"
            "[experts]  # experts and their router\n"
            "num_experts = 16  # experts in the layer, E; 1..4096 [train.toml:2:15]\n"
            "top_k = 1  # experts per token, K; 1..64 [argument 'experts.top_k=1']\n"
            "score = \"softmax\"  # gate non-linearity; one of softmax, sigmoid [default]\n"
            "layers = [\"all\"]  # layers that get experts [default]\n"
            "\n"
            "[experts.aux]  # auxiliary losses\n"
            "balance = 0.01  # weight of the balance loss; at least 0 [default]\n"
            "\n"
            "[optim]  # optimizer\n"
            "lr = 2e-05  # learning rate [default]\n"
            "momentum = 0.9  # first moment; 0..1 [default]\n"
            "foreach = false  # all tensors at once [default]\n");
}

TEST_F(Print, what_is_written_loads_back_to_equal_options) {
  RootOptions options;
  options.run = "a \"quoted\" \\ 'name' #\n\t\r\x01\x7F caf\xC3\xA9 \xF0\x9F\x98\x80";
  options.seed = std::numeric_limits<std::int64_t>::max();
  options.experts = {.num_experts = 4096,
                     .top_k = 64,
                     .score = Score::sigmoid,
                     .layers = {"", "a, b", "]", "#", "\""},
                     .aux = {.balance = std::numeric_limits<double>::infinity()}};
  options.optim = {.lr = 1.0 / 3.0, .momentum = 5e-324, .foreach = true};

  const std::string text = config::print(options, config::compose({}));

  EXPECT_EQ(config::read<RootOptions>(config::tree_of_text(text, "again")), options) << text;
}

TEST_F(Print, an_empty_list_loads_back_as_one) {
  RootOptions options;
  options.experts.layers.clear();

  const std::string text = config::print(options, config::compose({}));

  EXPECT_EQ(config::read<RootOptions>(config::tree_of_text(text, "again")), options);
}

TEST_F(Print, an_origin_cannot_break_out_of_its_comment) {
  const config::Tree tree = config::compose({"run=a\nseed = 3"});

  const std::string text = config::print(config::read<RootOptions>(tree), tree);

  EXPECT_EQ(config::read<RootOptions>(config::tree_of_text(text, "again")).run, "a\nseed = 3");
  EXPECT_EQ(config::read<RootOptions>(config::tree_of_text(text, "again")).seed, 7);
}

TEST_F(Print, a_saved_config_repeats_the_run_and_takes_new_arguments) {
  write("train.toml", "defaults = ['experts/a']\n");
  write("experts/a.toml", "[experts]\ntop_k = 5\n");
  const config::Tree tree = config::compose("train.toml", {"optim.lr=1"});
  write("runs/config.toml", config::print(config::read<RootOptions>(tree), tree));

  const RootOptions again = read("runs/config.toml", {"run=new"});

  RootOptions expected = read("train.toml", {"optim.lr=1"});
  expected.run = "new";
  EXPECT_EQ(again, expected);
}

TEST_F(Print, help_gives_key_default_type_range_and_doc) {
  const std::string help = config::help<RootOptions>();

  EXPECT_EQ(help.substr(0, help.find("\n# optim")),
            "run = \"run\"  # string; name of the run\n"
            "seed = 7  # integer, at least 0; seed of everything random\n"
            "\n"
            "# experts: experts and their router\n"
            "experts.num_experts = 8  # integer, 1..4096; experts in the layer, E\n"
            "experts.top_k = 2  # integer, 1..64; experts per token, K\n"
            "experts.score = \"softmax\"  # choice, one of softmax, sigmoid; gate non-linearity\n"
            "experts.layers = [\"all\"]  # list of strings; layers that get experts\n"
            "\n"
            "# experts.aux: auxiliary losses\n"
            "experts.aux.balance = 0.01  # number, at least 0; weight of the balance loss\n");
}

TEST_F(Print, help_is_a_config_that_changes_nothing) {
  write("help.toml", config::help<RootOptions>());

  EXPECT_EQ(read("help.toml"), RootOptions{});
}

TEST(Differences, are_listed_in_the_order_of_keys) {
  EXPECT_EQ(config::differences({{"a", "1"}, {"b", "2"}, {"gone", "3"}}, {{"a", "1"}, {"b", "4"}, {"new", "5"}}, {}),
            "\n  b was 2, got 4\n  gone was 3, got nothing\n  new was nothing, got 5");
}

TEST(Differences, count_a_key_that_was_not_known_yet_as_its_default) {
  const auto defaults = config::values(RootOptions{});

  EXPECT_EQ(config::differences({}, {{"seed", "7"}, {"optim.momentum", "0.9"}}, defaults), "");
  EXPECT_EQ(config::differences({}, {{"seed", "8"}, {"sha256", "ab"}}, defaults),
            "\n  seed was 7, got 8\n  sha256 was nothing, got ab");
}

TEST(TomlNumber, is_short_a_float_and_exact) {
  EXPECT_EQ(config::toml_number(1.0), "1.0");
  EXPECT_EQ(config::toml_number(-0.0), "-0.0");
  EXPECT_EQ(config::toml_number(0.1), "0.1");
  EXPECT_EQ(config::toml_number(1e300), "1e+300");
  EXPECT_EQ(config::toml_number(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(Utf8, follows_the_standards_table_of_well_formed_sequences) {
  for (const std::string good :
       {"", "a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_utf8(good));
  for (const std::string bad : {"\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                                "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82"})
    EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace coterie::test
