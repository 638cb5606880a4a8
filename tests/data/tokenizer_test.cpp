// The tokenizer on a vocabulary small enough to read; the goldens hold it to the reference on the real one.
#include "data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/file_ops.h"
#include "base/str.h"
#include "data/unicode.h"
#include "data/unicode_tables.h"
#include "data/wordpiece.h"

namespace coterie::data {
namespace {

using testing::ElementsAre;
using Words = std::vector<std::string>;

/// A folder for the files of one test, removed with it.
class TokenizerTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / str("tokenizer_test_", info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// A tokenizer over [PAD] [UNK] [CLS] [SEP] [MASK] (ids 0..4) and `tokens`.
  Tokenizer make(const Words& tokens, TokenizerOptions options = {}) {
    names_ = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    names_.insert(names_.end(), tokens.begin(), tokens.end());
    std::ofstream out(folder_ / "vocab.txt", std::ios::binary);
    for (const std::string& name : names_) out << name << '\n';
    out.close();
    return Tokenizer::from_vocabulary(folder_ / "vocab.txt", options);
  }

  /// The tokens of a text, without the [CLS] and [SEP] around it.
  Words tokens(const Tokenizer& tokenizer, std::string_view text) {
    auto ids = tokenizer.encode(text);
    EXPECT_GE(ids.size(), 2u);
    EXPECT_EQ(ids.front(), tokenizer.cls_id());
    EXPECT_EQ(ids.back(), tokenizer.sep_id());
    Words result;
    for (std::size_t i = 1; i + 1 < ids.size(); ++i) result.push_back(names_.at(static_cast<std::size_t>(ids[i])));
    return result;
  }

  fs::path folder_;
  Words names_;
};

TEST_F(TokenizerTest, an_empty_text_is_cls_and_sep) {
  const auto tokenizer = make({"a"});

  EXPECT_THAT(tokenizer.encode(""), ElementsAre(2, 3));
  EXPECT_THAT(tokenizer.encode(" \n\t "), ElementsAre(2, 3));
}

TEST_F(TokenizerTest, ids_of_special_tokens_come_from_the_vocabulary) {
  std::ofstream(folder_ / "other.txt") << "x\n[SEP]\n[UNK]\n[PAD]\n[CLS]\n";

  const auto tokenizer = Tokenizer::from_vocabulary(folder_ / "other.txt", {});

  EXPECT_EQ(tokenizer.sep_id(), 1);
  EXPECT_EQ(tokenizer.unk_id(), 2);
  EXPECT_EQ(tokenizer.pad_id(), 3);
  EXPECT_EQ(tokenizer.cls_id(), 4);
  EXPECT_EQ(tokenizer.mask_id(), -1);
  EXPECT_EQ(tokenizer.vocabulary_size(), 5);
  EXPECT_THAT(tokenizer.encode("x y"), ElementsAre(4, 0, 2, 1));
}

TEST_F(TokenizerTest, the_longest_piece_wins_and_is_not_taken_back) {
  const auto tokenizer = make({"un", "una", "##able", "##ble", "##b"});

  EXPECT_EQ(tokens(tokenizer, "unable"), (Words{"una", "##ble"}));
  // After "una" nothing matches "d", although "un" could have gone on: the word is unknown as a whole.
  EXPECT_EQ(tokens(tokenizer, "unad un"), (Words{"[UNK]", "un"}));
}

TEST_F(TokenizerTest, a_piece_without_prefix_does_not_continue_a_word) {
  const auto tokenizer = make({"a", "b", "##a"});

  EXPECT_EQ(tokens(tokenizer, "aa ab a b"), (Words{"a", "##a", "[UNK]", "a", "b"}));
}

TEST_F(TokenizerTest, a_word_of_101_code_points_is_unknown) {
  const auto tokenizer = make({"a", "##a", "\u00df", "##\u00df"});
  std::string sharp;
  for (int i = 0; i < 100; ++i) sharp += "\u00df";

  EXPECT_EQ(tokenizer.encode(std::string(100, 'a')).size(), 102u);
  EXPECT_EQ(tokens(tokenizer, str(std::string(101, 'a'), " a")), (Words{"[UNK]", "a"}));
  EXPECT_EQ(tokenizer.encode(sharp).size(), 102u);
  EXPECT_EQ(tokens(tokenizer, sharp + "\u00df"), (Words{"[UNK]"}));
}

TEST_F(TokenizerTest, punctuation_stands_alone) {
  const auto tokenizer = make({"a", ".", "$", "\u2014", "##a"});

  EXPECT_EQ(tokens(tokenizer, "a.a$a\u2014a"), (Words{"a", ".", "a", "$", "a", "\u2014", "a"}));
}

TEST_F(TokenizerTest, special_tokens_in_the_text_become_their_ids) {
  const auto tokenizer = make({"a", "[", "]", "sep"});

  EXPECT_EQ(tokens(tokenizer, "a[SEP]a [MASK]"), (Words{"a", "[SEP]", "a", "[MASK]"}));
  EXPECT_EQ(tokens(tokenizer, "[sep] [[SEP]"), (Words{"[", "sep", "]", "[", "[SEP]"}));
}

TEST_F(TokenizerTest, clean_text_drops_controls_and_so_joins_words) {
  const Words vocabulary{"a", "##b", "b", "##\u0007", "##\u200b"};
  TokenizerOptions dirty;
  dirty.clean_text = false;

  const auto clean = make(vocabulary);
  EXPECT_EQ(tokens(clean, "a\u0007b"), (Words{"a", "##b"}));
  EXPECT_EQ(tokens(clean, "a\u200bb"), (Words{"a", "##b"}));
  EXPECT_EQ(tokens(clean, std::string_view("a\0b", 3)), (Words{"a", "##b"}));
  // \v, \f and U+0085 are white space as well as controls: dropping comes first.
  EXPECT_EQ(tokens(clean, "a\vb a\fb a\u0085b"), (Words{"a", "##b", "a", "##b", "a", "##b"}));
  const auto raw = make(vocabulary, dirty);
  EXPECT_EQ(tokens(raw, "a\u0007b"), (Words{"a", "##\u0007", "##b"}));
  EXPECT_EQ(tokens(raw, "a\u200bb"), (Words{"a", "##\u200b", "##b"}));
  EXPECT_EQ(tokens(raw, "a\vb a\u0085b"), (Words{"a", "b", "a", "b"}));
}

TEST_F(TokenizerTest, every_kind_of_white_space_separates) {
  const auto tokenizer = make({"a", "b"});

  for (const char* space : {" ", "\t", "\n", "\r", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u3000"})
    EXPECT_EQ(tokens(tokenizer, str("a", space, "b")), (Words{"a", "b"})) << space;
}

TEST_F(TokenizerTest, chinese_characters_are_words_if_asked) {
  const Words vocabulary{"a", "\u4e2d", "##\u4e2d", "##a"};
  TokenizerOptions together;
  together.handle_chinese_chars = false;

  const auto apart = make(vocabulary);
  EXPECT_EQ(tokens(apart, "a\u4e2d\u4e2da"), (Words{"a", "\u4e2d", "\u4e2d", "a"}));
  const auto joined = make(vocabulary, together);
  EXPECT_EQ(tokens(joined, "a\u4e2d\u4e2da"), (Words{"a", "##\u4e2d", "##\u4e2d", "##a"}));
}

TEST_F(TokenizerTest, accents_go_with_lower_case_unless_said_otherwise) {
  const Words vocabulary{"e", "\u00e9", "E", "\u00c9"};
  const auto with = [&](bool lowercase, std::optional<bool> strip) {
    const auto tokenizer = make(vocabulary, {true, true, lowercase, strip});
    return tokens(tokenizer, "\u00c9 E");
  };

  EXPECT_EQ(with(true, std::nullopt), (Words{"e", "e"}));
  EXPECT_EQ(with(true, false), (Words{"\u00e9", "e"}));
  EXPECT_EQ(with(false, std::nullopt), (Words{"\u00c9", "E"}));
  EXPECT_EQ(with(false, true), (Words{"E", "E"}));
}

TEST_F(TokenizerTest, the_dotted_capital_i_keeps_its_dot_only_with_accents) {
  const Words vocabulary{"i", "##\u0307"};

  const auto stripped = make(vocabulary);
  EXPECT_EQ(tokens(stripped, "\u0130"), (Words{"i"}));
  const auto kept = make(vocabulary, {true, true, true, false});
  EXPECT_EQ(tokens(kept, "\u0130"), (Words{"i", "##\u0307"}));
}

TEST_F(TokenizerTest, a_final_sigma_is_lowered_like_any_other) {
  const auto tokenizer = make({"\u03b1\u03c3", "\u03b1\u03c2"});

  EXPECT_EQ(tokens(tokenizer, "\u0391\u03a3"), (Words{"\u03b1\u03c3"}));
}

TEST_F(TokenizerTest, marks_that_remain_are_put_into_canonical_order) {
  // U+302E (class 224, Mc) and U+08D4 (class 230, younger than the category tables) remain; U+0301 (Mn) does not.
  const auto tokenizer = make({"a", "##\u302e", "##\u08d4"});

  EXPECT_EQ(tokens(tokenizer, "a\u08d4\u302e"), (Words{"a", "##\u302e", "##\u08d4"}));
  EXPECT_EQ(tokens(tokenizer, "a\u08d4\u0301\u302e"), (Words{"a", "##\u302e", "##\u08d4"}));
  EXPECT_EQ(tokens(tokenizer, "a\u08d4\u0007\u302e"), (Words{"a", "##\u302e", "##\u08d4"}));
  // A starter in between keeps them apart, even one that is dropped (U+0941 is Mn, of class 0).
  EXPECT_EQ(tokens(tokenizer, "a\u08d4\u0941\u302e"), (Words{"a", "##\u08d4", "##\u302e"}));
}

TEST_F(TokenizerTest, hangul_syllables_fall_into_jamo) {
  const auto tokenizer = make({"\u1112", "##\u1161", "##\u11ab"});

  EXPECT_EQ(tokens(tokenizer, "\ud55c"), (Words{"\u1112", "##\u1161", "##\u11ab"}));
}

TEST_F(TokenizerTest, bytes_that_are_not_utf8_are_dropped_as_replacement_characters) {
  const auto clean = make({"a", "##b", "##\ufffd"});
  EXPECT_EQ(tokens(clean,
                   "a\xff\xc3"
                   "b"),
            (Words{"a", "##b"}));
  EXPECT_EQ(tokens(clean, "a\xe4\xb8"), (Words{"a"}));

  const auto raw = make({"a", "##b", "##\ufffd"}, {false, true, true, std::nullopt});
  EXPECT_EQ(tokens(raw,
                   "a\xe4\xb8\xff"
                   "b"),
            (Words{"a", "##\ufffd", "##\ufffd", "##b"}));
}

TEST_F(TokenizerTest, threads_may_share_a_tokenizer) {
  const auto tokenizer = make({"a", "##b", "e", "."});
  const std::string text = "ab. \u00c9 [SEP] a\u08d4\u302e ab ";
  const auto expected = tokenizer.encode(text);
  std::vector<std::vector<std::int32_t>> results(4);

  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) result = tokenizer.encode(text);
    });
  for (auto& thread : threads) thread.join();

  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST_F(TokenizerTest, the_fingerprint_tells_vocabularies_and_options_apart) {
  const auto one = make({"a", "b"});
  const auto same = make({"a", "b"});
  std::set<std::string> prints{one.fingerprint()};

  prints.insert(make({"a", "c"}).fingerprint());
  prints.insert(make({"ab"}).fingerprint());
  prints.insert(make({"b", "a"}).fingerprint());
  prints.insert(make({"a", "b"}, {false, true, true, std::nullopt}).fingerprint());
  prints.insert(make({"a", "b"}, {true, false, true, std::nullopt}).fingerprint());
  prints.insert(make({"a", "b"}, {true, true, false, std::nullopt}).fingerprint());
  prints.insert(make({"a", "b"}, {true, true, true, false}).fingerprint());

  EXPECT_EQ(one.fingerprint().size(), 64u);
  EXPECT_EQ(one.fingerprint(), same.fingerprint());
  EXPECT_EQ(prints.size(), 8u);
  // Saying what the default means is no other tokenizer.
  EXPECT_EQ(make({"a", "b"}, {true, true, true, true}).fingerprint(), one.fingerprint());
}

TEST(WordPiece, finds_every_token_of_a_vocabulary_with_all_bytes) {
  std::vector<Piece> pieces;
  for (int a = 0; a < 256; a += 3)
    for (int b = 0; b < 256; b += 5)
      pieces.push_back({{static_cast<char>(a), static_cast<char>(b)}, static_cast<std::int32_t>(pieces.size())});
  const WordPiece word_piece(pieces, "##", -7);

  for (const Piece& piece : pieces) {
    std::vector<std::int32_t> ids;
    word_piece.append_ids(piece.token, ids);
    ASSERT_THAT(ids, ElementsAre(piece.id));
  }
  std::vector<std::int32_t> ids{5};
  word_piece.append_ids(std::string("\x01\x05"), ids);
  EXPECT_THAT(ids, ElementsAre(5, -7));
}

TEST(WordPiece, an_empty_prefix_continues_with_any_piece) {
  const std::vector<Piece> pieces{{"ab", 0}, {"c", 1}};
  const WordPiece word_piece(pieces, "", 9);
  std::vector<std::int32_t> ids;

  word_piece.append_ids("abcab", ids);

  EXPECT_THAT(ids, ElementsAre(0, 1, 0));
}

TEST(WordPiece, the_bare_prefix_is_no_piece_of_a_word) {
  const std::vector<Piece> pieces{{"##", 0}, {"a", 1}};
  const WordPiece word_piece(pieces, "##", 9);
  std::vector<std::int32_t> ids;

  word_piece.append_ids("ax", ids);

  EXPECT_THAT(ids, ElementsAre(9));
}

TEST(Unicode, decoding_gives_back_every_code_point) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    std::string text;
    append_char(text, c);
    const DecodedChar decoded = decode_char(text);
    ASSERT_EQ(decoded.value, c);
    ASSERT_EQ(decoded.bytes, text.size());
    ASSERT_TRUE(is_utf8(text));
  }
}

TEST(Unicode, a_maximal_bad_subpart_is_one_replacement_character) {
  // Lone continuation, overlong forms, surrogate, beyond U+10FFFF, cut sequences: bytes taken as one U+FFFD.
  const std::vector<std::pair<std::string, std::size_t>> cases{
      {"\x80", 1},         {"\xc0\x80", 1},     {"\xc1\xbf", 1},         {"\xe0\x80\x80", 1}, {"\xed\xa0\x80", 1},
      {"\xf0\x80\x80", 1}, {"\xf4\x90\x80", 1}, {"\xf5\x80\x80\x80", 1}, {"\xff", 1},         {"\xc3", 1},
      {"\xe4\xb8", 2},     {"\xe4\xb8x", 2},    {"\xf0\x9f\x98", 3},     {"\xf0\x9f\x98z", 3}};

  for (const auto& [text, bytes] : cases) {
    EXPECT_EQ(decode_char(text).value, kReplacementChar);
    EXPECT_EQ(decode_char(text).bytes, bytes);
    EXPECT_FALSE(is_utf8("ab" + text));
  }
  EXPECT_TRUE(is_utf8("\ufffd"));
}

TEST(Unicode, tables_ascend_and_do_not_overlap) {
  for (const auto table : {removed_characters(), white_space(), han_characters(), punctuation(), nonspacing_marks(),
                           late_decompositions()}) {
    char32_t next = 0;
    for (const CharRange& range : table) {
      EXPECT_GE(range.first, next);
      EXPECT_GE(range.last, range.first);
      next = range.last + 1;
    }
    EXPECT_LE(next, 0x110000u);
  }
}

TEST(Unicode, classes_agree_with_the_ranges_of_unicode_8) {
  const CharClasses classes;
  std::map<std::uint8_t, std::size_t> counts;

  for (char32_t c = 0; c < 0x110000; ++c)
    for (const std::uint8_t bit : {char_class::white, char_class::mark, char_class::punctuation})
      counts[bit] += (classes.of(c) & bit) != 0 ? 1u : 0u;

  // 726 and 1567 in the reference's tables; White_Space has 25 code points.
  EXPECT_EQ(counts[char_class::punctuation], 726u);
  EXPECT_EQ(counts[char_class::mark], 1567u);
  EXPECT_EQ(counts[char_class::white], 25u);
  EXPECT_EQ(classes.of(0x166d), char_class::punctuation);  // no longer punctuation in Unicode 12
  EXPECT_EQ(classes.of(0x2b820) & char_class::han, 0);     // the reference begins extension E at 2B920
  EXPECT_EQ(classes.of(0x2b920) & char_class::han, char_class::han);
}

TEST(Unicode, decompositions_younger_than_the_reference_are_left_alone) {
  EXPECT_EQ(decompose(0x11938).size, 1u);
  EXPECT_EQ(decompose(0x105c9).size, 1u);
  EXPECT_EQ(decompose(0x1e69).size, 3u);
  EXPECT_EQ(decompose(0x1f82).size, 4u);
}

TEST(Unicode, lower_case_knows_letters_younger_than_the_library) {
  EXPECT_EQ(lower_case(0x1c89).parts[0], 0x1c8au);
  EXPECT_EQ(lower_case(0xa7cb).parts[0], 0x264u);
  EXPECT_EQ(lower_case(0x16eb8).parts[0], 0x16ed3u);
  EXPECT_EQ(lower_case(0x1e9e).parts[0], 0xdfu);
  EXPECT_EQ(lower_case(0x130).size, 2u);
}

}  // namespace
}  // namespace coterie::data
