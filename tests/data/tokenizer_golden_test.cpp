// The tokenizer against Hugging Face tokenizers: documents, nasty strings, all options, every code point of Unicode.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/sha256.h"
#include "data/tokenizer.h"
#include "data/unicode.h"
#include "tests/harness/shared_files.h"

namespace coterie::data {
namespace {

using Ids = std::vector<std::int32_t>;

class TokenizerGolden : public testing::Test {
 protected:
  void SetUp() override {
    COTERIE_REQUIRE_PATH(golden_);
    COTERIE_REQUIRE_PATH(model_);
  }

  /// Compares a file of `{text, ids}` lines; returns how many it had.
  static std::size_t compare_lines(const Tokenizer& tokenizer, const fs::path& path) {
    std::size_t count = 0;
    for (const auto& expected : test::read_json_lines(path)) {
      ++count;
      EXPECT_EQ(tokenizer.encode(expected["text"].get<std::string>()), expected["ids"].get<Ids>())
          << path << ':' << count << ": " << expected["text"];
    }
    return count;
  }

  const fs::path golden_ = test::shared_path("golden/tokenizer");
  const fs::path model_ = test::minilm_path();
};

TEST_F(TokenizerGolden, documents_have_the_reference_ids) {
  const auto tokenizer = Tokenizer::from_directory(model_);

  EXPECT_EQ(compare_lines(tokenizer, golden_ / "documents.jsonl"), 2076u);
}

TEST_F(TokenizerGolden, nasty_strings_have_the_reference_ids) {
  const auto tokenizer = Tokenizer::from_directory(model_);

  EXPECT_EQ(compare_lines(tokenizer, golden_ / "strings.jsonl"), 3095u);
}

TEST_F(TokenizerGolden, every_combination_of_options_has_the_reference_ids) {
  const auto golden = nlohmann::json::parse(read_file(golden_ / "options.json"));
  const auto texts = golden["texts"].get<std::vector<std::string>>();
  ASSERT_EQ(golden["options"].size(), 24u);

  for (const auto& entry : golden["options"]) {
    TokenizerOptions options{entry["clean_text"], entry["handle_chinese_chars"], entry["lowercase"], std::nullopt};
    if (!entry["strip_accents"].is_null()) options.strip_accents = entry["strip_accents"].get<bool>();
    const auto tokenizer = Tokenizer::from_vocabulary(model_ / "vocab.txt", options);
    ASSERT_EQ(entry["ids"].size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(tokenizer.encode(texts[i]), entry["ids"][i].get<Ids>()) << nlohmann::json(texts[i]) << entry;
  }
}

TEST_F(TokenizerGolden, every_code_point_has_the_reference_ids) {
  const auto tokenizer = Tokenizer::from_directory(model_);
  std::ifstream in(golden_ / "code_points.tsv");
  std::string line;
  std::getline(in, line);
  std::size_t blocks = 0;

  for (; std::getline(in, line); ++blocks) {
    std::istringstream fields(line);
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::string digest;
    fields >> std::hex >> first >> last >> digest;
    Sha256 hash;
    for (std::uint32_t c = first; c <= last; ++c) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      std::string text = "a";
      append_char(text, c);
      text += 'b';
      for (const std::int32_t id : tokenizer.encode(text)) {
        std::string bytes;
        for (unsigned shift = 0; shift < 32; shift += 8)
          bytes += static_cast<char>((static_cast<std::uint32_t>(id) >> shift) & 0xffU);
        hash.update(bytes);
      }
    }
    EXPECT_EQ(hash.hex(), digest) << "code points " << std::hex << first << ".." << last;
  }
  // 0x1100 blocks of 256 code points, less the 8 of surrogates.
  EXPECT_EQ(blocks, 0x1100u - 8u);
}

TEST_F(TokenizerGolden, vocab_txt_and_tokenizer_json_are_the_same_tokenizer) {
  const auto from_json = Tokenizer::from_directory(model_);
  const auto from_lines = Tokenizer::from_vocabulary(model_ / "vocab.txt", {});

  EXPECT_EQ(from_json.fingerprint(), from_lines.fingerprint());
  EXPECT_EQ(from_json.vocabulary_size(), 30522);
}

}  // namespace
}  // namespace coterie::data
