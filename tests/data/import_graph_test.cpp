// Co-citations from lists of references.
#include "data/import_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/data/import_fixture.h"

namespace coterie::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(CoCitations, count_the_lists_that_cite_both) {
  const auto pairs = co_citations({{"p", {3, 1, 1}}, {"q", {1, 3, 2}}, {"r", {0}}, {"s", {}}});

  EXPECT_THAT(pairs, ElementsAre(Pair{1, 2, 1}, Pair{1, 3, 2}, Pair{2, 3, 1}));
}

TEST(CoCitations, an_absurd_reference_list_is_an_error) {
  ReferenceList list{"paper 7", {}};
  for (std::uint32_t i = 0; i <= kMaxReferences; ++i) list.documents.push_back(i);

  EXPECT_THAT(message_of<DataError>([&] { (void)co_citations({list}); }), HasSubstr("paper 7 cites 5001"));
}

}  // namespace
}  // namespace coterie::data
