// Words as scikit-learn 1.9.1's default analyser cuts them.
#include "data/terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coterie::data {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Terms, are_runs_of_two_or_more_letters_numerals_and_underscores_in_lower_case) {
  EXPECT_THAT(terms("A dog's x_1, X86: 42 a b."), ElementsAre("dog", "x_1", "x86", "42"));
  EXPECT_THAT(terms(""), IsEmpty());
  EXPECT_THAT(terms("a , b"), IsEmpty());
}

TEST(Terms, are_those_of_scikit_learn_beyond_ascii) {
  EXPECT_THAT(terms("Ünïcode ÉCOLE x² ½a a1_b"), ElementsAre("ünïcode", "école", "x²", "½a", "a1_b"));
  EXPECT_THAT(terms("naïve-café İstanbul it's"), ElementsAre("naïve", "café", "stanbul", "it"));
  EXPECT_THAT(terms("日本語 テキスト a b cd"), ElementsAre("日本語", "テキスト", "cd"));
  EXPECT_THAT(terms("e\u0301tude ⅷ Ⅷx"), ElementsAre("tude", "ⅷx"));
}

TEST(Terms, are_cut_at_bytes_that_are_no_text) {
  EXPECT_THAT(terms("ab\xff"
                    "cd"),
              ElementsAre("ab", "cd"));
}

}  // namespace
}  // namespace coterie::data
