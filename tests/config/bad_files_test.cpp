// Bad config files, one for each rule: each ends as a ConfigError with file, line and column, never in a crash.
#include <gmock/gmock.h>

#include <ostream>

#include "base/random.h"
#include "sample.h"

namespace coterie::test {
namespace {

struct BadFile {
  std::string name;  // of the test
  std::string text;
  std::string place;   // the line, and the column where it is ours to say rather than the library's
  std::string reason;  // what the message contains
};

std::ostream& operator<<(std::ostream& out, const BadFile& file) { return out << file.name; }

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

class BadFiles : public ConfigTest, public testing::WithParamInterface<BadFile> {};

TEST_P(BadFiles, ends_as_an_error_with_a_place) {
  write("bad.toml", GetParam().text);

  const std::string got = message("bad.toml");

  EXPECT_THAT(got, testing::ContainsRegex("\\(bad[.]toml:[0-9]+:[0-9]+\\)$"));
  EXPECT_NE(got.find("(bad.toml" + GetParam().place), std::string::npos) << got;
  EXPECT_NE(got.find(GetParam().reason), std::string::npos) << got;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadFiles,
    testing::Values(
        BadFile{"assertion_of_the_parser", "[a]\nd=[1,[1,5,}\x0e", ":2:11)", "could not determine value type"},
        BadFile{"no_value", "seed = 1\nrun =\n", ":2:", "value"},
        BadFile{"no_equals", "seed 1\n", ":1:", "expected '='"},
        BadFile{"bare_word", "run = demo\n", ":1:", "could not determine value type"},
        BadFile{"open_string", "run = \"demo\n", ":1:", "string"},
        BadFile{"open_long_string", "run = '''demo\n\n", ":2:", "string"},
        BadFile{"open_list", "[experts]\nlayers = ['a',\n", ":2:", "array"},
        BadFile{"open_table_header", "[experts\nseed = 1\n", ":1:", "table"},
        BadFile{"duplicate_key", "seed = 1\nseed = 2\n", ":2:", "cannot redefine"},
        BadFile{"duplicate_table", "[optim]\nlr = 1\n[optim]\n", ":3:", "cannot redefine"},
        BadFile{"key_into_a_scalar", "seed = 1\nseed.x = 2\n", ":2:", "redefine"},
        BadFile{"integer_of_65_bits", "seed = 9223372036854775808\n", ":1:", "64 bits"},
        BadFile{"leading_zero", "seed = 01\n", ":1:", "leading zeroes"},
        BadFile{"unknown_escape", "run = \"\\q\"\n", ":1:9)", "escape"},
        BadFile{"invalid_date", "run = 2023-02-30\n", ":1:", "day"},
        BadFile{"not_utf8", "# fine\nrun = \"\xC3\x28\"\n", ":2:", "utf-8"},
        BadFile{"zero_byte", std::string("seed = 1\n\0\n", 11), ":2:", "key"},
        BadFile{"control_character", "run = \"a\x01\"\n", ":1:", "control"},
        BadFile{"gzip", "\x1F\x8B\x08\x08\xA5\x9C\x1F", ":1:", ""},
        BadFile{"html", "<!DOCTYPE html>\n<html>\n", ":1:", ""},
        BadFile{"lfs_pointer", "version https://git-lfs.github.com/spec/v1\n", ":1:", "expected '='"},
        BadFile{"json", "{\"seed\": 1}\n", ":1:", ""}, BadFile{"yaml", "optim:\n  lr: 1\n", ":1:", "expected '='"},
        BadFile{"deep_list", "run = " + repeated("[", 100000), ":1:39)", "nested deeper than 32 levels"},
        BadFile{"deep_inline_table", "run = " + repeated("{a=", 100000), ":1:103)", "nested deeper than 32 levels"},
        BadFile{"deep_header", "seed = 1\n[" + repeated("a.", 300000) + "a]\n", ":2:65)",
                "nested deeper than 32 levels"},
        BadFile{"deep_key", "'é.é' = 1\n" + repeated("é . ", 10000) + "a = 1\n", ":2:127)",
                "nested deeper than 32 levels"},
        BadFile{"defaults_not_a_list", "defaults = 'experts/a'\n", ":1:12)", "must be a list of strings"},
        BadFile{"defaults_of_numbers", "defaults = [\n1]\n", ":2:1)", "defaults has 1, must be 'group/name'"},
        BadFile{"absolute_default", "defaults = ['/etc/x']\n", ":1:13)", "must be 'group/name'"},
        BadFile{"empty_default", "defaults = ['']\n", ":1:13)", "must be 'group/name'"},
        BadFile{"section_that_is_a_list", "[[optim]]\nlr = 1\n", ":1:1)", "optim is a list, must be a table"},
        BadFile{"section_that_is_a_scalar", "optim = 'adamw'\n", ":1:9)", "optim is 'adamw', must be a table"}),
    [](const auto& instance) { return instance.param.name; });

using FileSize = ConfigTest;

TEST_F(FileSize, is_bounded) {
  write("big.toml", "# " + std::string(std::size_t{1} << 20, 'x'));

  EXPECT_EQ(message("big.toml"), "config: 'big.toml' is larger than 1048576 bytes");
}

TEST_F(FileSize, of_an_endless_file_is_bounded_too) {
  EXPECT_EQ(message("/dev/zero"), "config: '/dev/zero' is larger than 1048576 bytes");
}

using Mutations = ConfigTest;

// Anything but a ConfigError would end the test: another exception, a crash, an assertion of the library.
TEST_F(Mutations, of_a_config_either_load_or_end_as_a_config_error) {
  const std::string seed =
      "run = \"a\\u00e9\"\nseed = 0x1F\n[experts]\nlayers = ['a', \"\"\"b\"\"\", 1.5]\n"
      "aux = {balance = 1e-3}\n[optim]\nlr = 3e-4\n";
  const std::string letters = "[]{}=,.\"'#\\\n\r\t \x0e\xC3\xFF-+_0179:TZuxeainf" + std::string(1, '\0');
  int loaded = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    std::string text = seed;
    for (std::uint64_t edit = 0; edit <= i % 4; ++edit) {
      const std::uint64_t bits = random_bits({i}, edit);
      const std::size_t at = bits % text.size();
      const char letter = letters[(bits >> 32) % letters.size()];
      if (bits >> 63)
        text[at] = letter;
      else
        text.insert(at, 1 + (bits >> 60), letter);
    }
    try {
      static_cast<void>(config::read<RootOptions>(config::tree_of_text(text, "mutated")));
      ++loaded;
    } catch (const ConfigError&) {
    }
  }

  // Some edits are harmless, most are not: otherwise the mutations would test nothing.
  EXPECT_GT(loaded, 100);
  EXPECT_LT(loaded, 2000);
}

using Nesting = ConfigTest;

TEST_F(Nesting, is_not_counted_in_strings_and_comments_or_over_separate_values) {
  const std::string dots = repeated(".", 100);
  const std::string brackets = repeated("[", 100);
  write("a.toml", "# " + dots + brackets + "\nrun = \"\\\"" + dots + brackets + "\"  # " + brackets + "\n[experts]\n" +
                      "layers = ['" + brackets + "', '''" + dots + "''''', \"\"\"\\\"\"\"" + brackets + "\"\"\"," +
                      repeated("1.5, ", 100) + "[], []]\n");

  // The last two items are lists: the message proves that everything before was read as text.
  EXPECT_NE(message("a.toml").find("experts.layers is a list with a list"), std::string::npos) << message("a.toml");
}

}  // namespace
}  // namespace coterie::test
