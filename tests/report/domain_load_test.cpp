// Where the tokens of each domain went: read from metrics, and refused where it cannot be so.
#include "report/domain_load.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/harness/messages.h"
#include "tests/report/page_checks.h"

namespace coterie::report {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

json line(std::int64_t step, std::int64_t steps, const std::string& layers) {
  return {{"step", step}, {"domain_load", {{"steps", steps}, {"layers", json::parse(layers)}}}};
}

const std::string kLayers = R"([{"layer":4,"domains":["a","b"],"load":[[0.25,0.75,0],[1,0,0]]},)"
                            R"({"layer":7,"domains":["a","b"],"load":[[0,0,1],[0.5,0.5,0]]}])";

TEST(LastDomainLoad, is_that_of_the_last_line_that_has_one) {
  const auto load = last_domain_load({line(10, 10, "[]"), line(20, 5, kLayers), {{"step", 21}}}, "m");

  EXPECT_EQ(load.first, 16);
  EXPECT_EQ(load.last, 20);
  ASSERT_EQ(load.layers.size(), 2U);
  EXPECT_EQ(load.layers[1].name, "layer 7");
  EXPECT_THAT(load.layers[0].domains, ElementsAre("a", "b"));
  EXPECT_THAT(load.layers[0].load[0], ElementsAre(0.25, 0.75, 0.0));
  EXPECT_TRUE(last_domain_load({}, "m").layers.empty());
}

TEST(LastDomainLoad, that_cannot_be_is_refused_with_step_and_layer) {
  const auto refused = [](const std::string& layers) {
    return test::message_of<DataError>([&] { (void)last_domain_load({line(20, 5, layers)}, "m.jsonl"); });
  };
  const auto layer = [&](const std::string& domains, const std::string& load) {
    return refused(R"([{"layer":4,"domains":)" + domains + R"(,"load":)" + load + "}]");
  };

  EXPECT_THAT(layer(R"(["a","b"])", "[[1]]"),
              AllOf(HasSubstr("for each of 2 domains, got 1"), HasSubstr("(m.jsonl, step 20, domain_load, layer 4)")));
  EXPECT_THAT(layer(R"(["a","b"])", "[[1],[0.5,0.5]]"), HasSubstr("1 experts like the first, got 2"));
  EXPECT_THAT(layer(R"(["a"])", "[[0.5,0.25]]"), HasSubstr("sum to 1, got 0.75"));
  EXPECT_THAT(layer(R"(["a"])", "[[1.5,-0.5]]"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(layer(R"(["a"])", "[[null,1]]"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(layer(R"(["a"])", "[[]]"), HasSubstr("sum to 1"));
  EXPECT_THAT(layer(R"(["a"])", "[7]"), HasSubstr("rows of numbers"));
  EXPECT_THAT(layer("[1]", "[[1]]"), HasSubstr("'domains' must be names"));
  EXPECT_THAT(layer("{}", "[[1]]"), HasSubstr("'domains' must be a list, got '{}'"));
  EXPECT_THAT(refused("[3]"), HasSubstr("there must be an object with 'layer'"));
  EXPECT_THAT(refused(R"([{"layer":0.5}])"), HasSubstr("'layer' must be an integer, got '0.5'"));
}

TEST(LastDomainLoad, of_the_head_stands_last_and_is_checked_likewise) {
  json with_head = line(20, 5, kLayers);
  with_head["domain_load"]["head"] = json::parse(R"({"domains":["a"],"load":[[0.25,0.75]]})");

  const auto load = last_domain_load({with_head}, "m.jsonl");

  ASSERT_EQ(load.layers.size(), 3U);
  EXPECT_EQ(load.layers[2].name, "the head");
  EXPECT_THAT(load.layers[2].load[0], ElementsAre(0.25, 0.75));
  with_head["domain_load"]["head"]["load"] = json::parse("[]");
  EXPECT_THAT(test::message_of<DataError>([&] { (void)last_domain_load({with_head}, "m.jsonl"); }),
              AllOf(HasSubstr("for each of 1 domains, got 0"), HasSubstr("(m.jsonl, step 20, domain_load, the head)")));
}

TEST(LastDomainLoad, is_over_at_least_one_step_and_no_more_than_there_were) {
  for (const std::int64_t steps : {0, 21, -1})
    EXPECT_THAT(test::message_of<DataError>([&] { (void)last_domain_load({line(20, steps, kLayers)}, "m.jsonl"); }),
                HasSubstr("must be in 1..20"));
}

TEST(DomainLoadFigures, are_one_for_each_layer_with_a_row_for_each_domain) {
  const std::string html = domain_load_figures(last_domain_load({line(20, 5, kLayers)}, "m"));

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_EQ(count(html, "<figure>"), 2);
  EXPECT_EQ(count(html, "<rect"), 12);
  EXPECT_THAT(html, HasSubstr("<figcaption>Experts of each domain in layer 4, steps 16 to 20</figcaption>"));
  EXPECT_THAT(html, HasSubstr("a: 0 0.25; 1 0.75; 2 0.00; b: 0 1.00;"));
  EXPECT_THAT(domain_load_figures(last_domain_load({line(20, 1, kLayers)}, "m")), HasSubstr("in layer 4, step 20<"));
  EXPECT_EQ(domain_load_figures({}), "");
}

}  // namespace
}  // namespace coterie::report
