// Documents in the plane: read, drawn, thinned.
#include "report/projection.h"

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
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kHeader = "x,y,domain,id,x_share,y_share\n";

class ProjectionFile : public testing::Test {
 protected:
  Projection read(const std::string& text) {
    const auto path = temporary_.path() / "projection.m.csv";
    std::ofstream(path) << text;
    return read_projection(path, "m");
  }
  std::string refused(const std::string& rows) {
    return test::message_of<DataError>([&] { (void)read(kHeader + rows); });
  }

  test::TemporaryFolder temporary_;
};

TEST_F(ProjectionFile, is_read_with_domains_in_their_order) {
  const Projection plane = read(kHeader + "1,2,b,b:1,0.5,0.25\n-1,-2.5,\"a, or\",a:1,0.5,0.25\n3,4,b,b:2,0.5,0.25\n");

  EXPECT_THAT(plane.domains, ElementsAre("b", "a, or"));
  ASSERT_EQ(plane.documents.size(), 3U);
  EXPECT_EQ(plane.documents[1].at.y, -2.5);
  EXPECT_EQ(plane.documents[1].domain, 1U);
  EXPECT_EQ(plane.documents[2].domain, 0U);
  EXPECT_EQ(plane.x_share, 0.5);
  EXPECT_EQ(plane.y_share, 0.25);
}

TEST_F(ProjectionFile, that_is_damaged_is_refused_with_its_line) {
  EXPECT_THAT(refused("1,2,a,i,0.5,0.25\n1,inf,a,i,0.5,0.25\n"),
              AllOf(HasSubstr("finite numbers, got 'inf'"), HasSubstr("projection.m.csv:3:3)")));
  EXPECT_THAT(refused("1,,a,i,0.5,0.25\n"), HasSubstr("got ''"));
  EXPECT_THAT(refused("1,2,a,i,1.5,0.25\n"), HasSubstr("in 0..1, got '1.5'"));
  EXPECT_THAT(refused("1,2,a,i,0.5,0.25\n1,2,a,i,0.5,0.5\n"), HasSubstr("must be 0.5 and 0.25 on every line"));
  EXPECT_THAT(refused("1,2,a\n"), HasSubstr("6 cells"));
  EXPECT_THAT(test::message_of<DataError>([&] { (void)read("x,y\n1,2\n"); }), HasSubstr("column 'domain' is missing"));
}

TEST(ProjectionFigure, has_a_dot_for_each_document_and_a_name_for_each_domain) {
  const Projection plane{.model = "trained",
                         .domains = {"a<", "b"},
                         .documents = {{{0, 0}, 0}, {{1, 1}, 1}, {{2, 0}, 0}},
                         .x_share = 0.2134,
                         .y_share = 0.1};

  const std::string html = projection_figure(plane);

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_EQ(count(html, "M305.0"), 1);
  EXPECT_THAT(html, HasSubstr("<figcaption>Embeddings of documents, trained</figcaption>"));
  EXPECT_THAT(html, HasSubstr("first component, 21.3 % of the variance"));
  EXPECT_THAT(html, HasSubstr("second component, 10.0 % of the variance"));
  EXPECT_THAT(html, HasSubstr("a&lt;: 2 dots around 1 and 0,"));
  EXPECT_EQ(count(html, "<li>"), 2);
  EXPECT_EQ(projection_figure({.model = "m", .domains = {}, .documents = {}}), "");
}

TEST(ProjectionFigure, of_many_documents_has_some_and_says_so) {
  Projection plane{.model = "m", .domains = {"a", "b"}, .documents = {}};
  for (std::size_t i = 0; i < 5000; ++i) plane.documents.push_back({{static_cast<double>(i), 1.0}, i < 1000 ? 0U : 1U});

  const std::string html = projection_figure(plane);

  EXPECT_THAT(html, HasSubstr("m, 2000 of 5000 documents, evenly by their order</figcaption>"));
  EXPECT_THAT(html, HasSubstr("a: 400 dots"));
  EXPECT_THAT(html, HasSubstr("b: 1600 dots"));
}

}  // namespace
}  // namespace coterie::report
