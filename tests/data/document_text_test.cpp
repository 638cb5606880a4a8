// How title and abstract become one text.
#include "data/document_text.h"

#include <gtest/gtest.h>

namespace coterie::data {
namespace {

TEST(DocumentText, joins_title_and_abstract_with_one_full_stop) {
  EXPECT_EQ(document_text("Title", "abstract"), "Title. abstract");
  EXPECT_EQ(document_text(" Title. ", " abstract "), "Title. abstract");
  EXPECT_EQ(document_text("Why?", "abstract"), "Why?. abstract");
  EXPECT_EQ(document_text(" ", " abstract "), "abstract");
}

}  // namespace
}  // namespace coterie::data
