// Numbers in JSON, by names with and without dots.
#include "base/json_path.h"

#include <gtest/gtest.h>

namespace coterie {
namespace {

TEST(JsonPath, finds_names_with_dots_and_nothing_else) {
  const auto object = nlohmann::json::parse(R"({"a": {"b.c": {"d": 1}, "b": 2}, "e": "text"})");

  EXPECT_EQ(number_at(object, "a.b.c.d"), 1.0);
  EXPECT_EQ(number_at(object, "a.b"), 2.0);
  EXPECT_FALSE(number_at(object, "a").has_value());
  EXPECT_FALSE(number_at(object, "e").has_value());
  EXPECT_FALSE(number_at(object, "a.bb").has_value());
}

}  // namespace
}  // namespace coterie
