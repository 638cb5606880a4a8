// Retrieval examples: read, shown, refused.
#include "report/examples.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/error.h"
#include "base/str.h"
#include "tests/harness/messages.h"
#include "tests/harness/temporary_folder.h"
#include "tests/report/page_checks.h"

namespace coterie::report {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ExamplesFile : public testing::Test {
 protected:
  Examples read(const std::string& queries) {
    const auto path = temporary_.path() / "examples.m.c.json";
    std::ofstream(path) << R"({"model":"m","collection":"c","queries":)" << queries << "}";
    return read_examples(path);
  }
  std::string refused_document(const std::string& document) {
    return test::message_of<DataError>(
        [&] { (void)read(str(R"([{"id":"q","text":"t","found":[)", kDocument, ",", document, "]}]")); });
  }

  static constexpr const char* kDocument = R"({"id":"d","score":0.5,"text":"x","relevant":true})";
  test::TemporaryFolder temporary_;
};

TEST_F(ExamplesFile, is_read_field_by_field) {
  const Examples examples = read(str(R"([{"id":"q","text":"t","found":[)", kDocument, "]}]"));

  EXPECT_EQ(examples.model, "m");
  EXPECT_EQ(examples.collection, "c");
  ASSERT_EQ(examples.queries.size(), 1U);
  EXPECT_EQ(examples.queries[0].text, "t");
  ASSERT_EQ(examples.queries[0].found.size(), 1U);
  EXPECT_EQ(examples.queries[0].found[0].score, 0.5);
  EXPECT_TRUE(examples.queries[0].found[0].relevant);
}

TEST_F(ExamplesFile, that_is_damaged_is_refused_with_query_and_document) {
  EXPECT_THAT(refused_document(R"({"id":"d","score":null,"text":"x","relevant":true})"),
              AllOf(HasSubstr("'score' must be a finite number, got 'null'"),
                    HasSubstr("examples.m.c.json, query 1, document 2)")));
  EXPECT_THAT(refused_document(R"({"id":"d","score":1,"text":"x","relevant":1})"),
              HasSubstr("'relevant' must be true or false, got '1'"));
  EXPECT_THAT(refused_document(R"({"id":3,"score":1,"text":"x","relevant":true})"),
              HasSubstr("'id' must be text, got '3'"));
  EXPECT_THAT(refused_document(R"({"id":"d","score":1,"relevant":true})"), HasSubstr("'text' is missing"));
  EXPECT_THAT(refused_document("7"), HasSubstr("there must be an object with 'id', got number"));
  EXPECT_THAT(test::message_of<DataError>([&] { (void)read("{}"); }), HasSubstr("'queries' must be a list, got '{}'"));
}

TEST(ExamplesTable, has_the_query_beside_its_best_document) {
  const std::string html =
      examples_table({.model = "m",
                      .collection = "c",
                      .queries = {{"q1", "a?", {{"d<", 0.75, "x", true}, {"e", 0.5, "y", false}}}, {"q2", "b?", {}}}});

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_THAT(html, HasSubstr("<caption>c, m: the best documents"));
  EXPECT_THAT(html, HasSubstr("<td>q1: a?</td><td class=\"number\">1</td><td>d&lt;</td>"
                              "<td class=\"number\">0.7500</td><td>yes</td><td>x</td>"));
  EXPECT_THAT(html, HasSubstr("<td></td><td class=\"number\">2</td><td>e</td>"
                              "<td class=\"number\">0.5000</td><td>no</td><td>y</td>"));
  EXPECT_THAT(html, HasSubstr("<td>q2: b?</td>"));
  EXPECT_THAT(html, HasSubstr("nothing was found"));
  EXPECT_EQ(examples_table({.model = "m", .collection = "c", .queries = {}}), "");
}

}  // namespace
}  // namespace coterie::report
