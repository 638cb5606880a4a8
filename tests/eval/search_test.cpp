// Search against a full sort of all scores, at any number of ranks and in blocks of any size.
#include "eval/search.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "base/error.h"
#include "dist/mesh.h"

namespace coterie::eval {
namespace {

constexpr std::int64_t kQueries = 150;  // more than two blocks of queries, the last one short
constexpr std::int64_t kDocuments = 333;

// Small integers: every sum is exact, and many documents tie.
at::Tensor integers(std::int64_t rows, std::uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randint(-2, 3, {rows, 5}, generator, at::kFloat);
}

std::vector<std::vector<Hit>> sorted_scores(const at::Tensor& queries_QD, const at::Tensor& documents_ND,
                                            std::size_t depth) {
  std::vector<std::vector<Hit>> all;
  for (std::int64_t q = 0; q < queries_QD.size(0); ++q) {
    std::vector<Hit> hits;
    for (std::int64_t n = 0; n < documents_ND.size(0); ++n) {
      double score = 0;
      for (std::int64_t d = 0; d < queries_QD.size(1); ++d)
        score += double{queries_QD[q][d].item<float>()} * double{documents_ND[n][d].item<float>()};
      hits.push_back({static_cast<float>(score), static_cast<std::uint32_t>(n)});
    }
    std::stable_sort(hits.begin(), hits.end(), [](const Hit& x, const Hit& y) { return x.score > y.score; });
    hits.resize(std::min(depth, hits.size()));
    all.push_back(std::move(hits));
  }
  return all;
}

class SearchTest : public testing::Test {
 protected:
  std::vector<std::vector<Hit>> search_in_blocks(const at::Tensor& queries_QD, const at::Tensor& documents_ND,
                                                 std::size_t depth, std::int64_t block_rows = kDocuments) {
    Search search(queries_QD, depth, mesh_.world());
    std::vector<std::uint32_t> numbers(static_cast<std::size_t>(documents_ND.size(0)));
    std::iota(numbers.begin(), numbers.end(), 0U);
    for (std::int64_t first = 0; first < documents_ND.size(0); first += block_rows) {
      const at::Tensor block_ND = documents_ND.slice(0, first, first + block_rows);
      search.offer(block_ND, std::span(numbers).subspan(static_cast<std::size_t>(first),
                                                        static_cast<std::size_t>(block_ND.size(0))));
    }
    return search.take();
  }

  dist::Mesh mesh_{{}, {.timeout_s = 60}};
};

TEST_F(SearchTest, finds_what_a_full_sort_finds_in_blocks_of_any_size) {
  const at::Tensor queries_QD = integers(kQueries, 1);
  const at::Tensor documents_ND = integers(kDocuments, 2);
  const auto expected = sorted_scores(queries_QD, documents_ND, 17);

  for (const std::int64_t block_rows : {1, 7, 64, 333, 1000}) {
    EXPECT_EQ(search_in_blocks(queries_QD, documents_ND, 17, block_rows), expected) << block_rows;
  }
}

TEST_F(SearchTest, gives_all_documents_where_there_are_fewer_than_wanted) {
  const at::Tensor queries_QD = integers(3, 1);
  const at::Tensor documents_ND = integers(4, 2);

  const auto hits = search_in_blocks(queries_QD, documents_ND, 100);

  EXPECT_EQ(hits, sorted_scores(queries_QD, documents_ND, 100));
}

// As where the documents of several collections are offered to one index.
TEST_F(SearchTest, ranks_by_the_numbers_of_documents_in_whatever_order_they_come) {
  const at::Tensor queries_QD = integers(kQueries, 1);
  const at::Tensor documents_ND = integers(kDocuments, 2);
  const std::int64_t half = kDocuments / 2;
  std::vector<std::uint32_t> numbers(kDocuments);
  std::iota(numbers.begin(), numbers.end(), 0U);
  const auto middle = static_cast<std::size_t>(half);

  Search search(queries_QD, 17, mesh_.world());
  search.offer(documents_ND.slice(0, half), std::span(numbers).subspan(middle));
  search.offer(documents_ND.slice(0, 0, half), std::span(numbers).first(middle));

  EXPECT_EQ(search.take(), sorted_scores(queries_QD, documents_ND, 17));
}

// With more ranks than blocks of queries some ranks answer none.
TEST_F(SearchTest, answers_a_single_query) {
  const at::Tensor queries_QD = integers(1, 1);
  const at::Tensor documents_ND = integers(kDocuments, 2);

  const auto hits = search_in_blocks(queries_QD, documents_ND, 5);

  EXPECT_EQ(hits, sorted_scores(queries_QD, documents_ND, 5));
}

// In fp32 the order of a sum of 384 products depends on where in a block its row stands.
TEST_F(SearchTest, equal_embeddings_tie_wherever_they_stand) {
  const at::Generator generator = at::detail::createCPUGenerator(3);
  const at::Tensor row_D = at::randn({1, 384}, generator, at::kFloat);
  const at::Tensor queries_QD = at::randn({70, 384}, generator, at::kFloat);

  const auto hits = search_in_blocks(queries_QD, row_D.repeat({kDocuments, 1}), 400, 50);

  for (const auto& of_query : hits) {
    ASSERT_EQ(of_query.size(), static_cast<std::size_t>(kDocuments));
    for (std::size_t i = 0; i < of_query.size(); ++i) EXPECT_EQ(of_query[i].document, i);
  }
}

TEST_F(SearchTest, a_score_that_is_no_number_is_refused) {
  const at::Tensor queries_QD = at::full({64 * mesh_.world().size(), 2}, std::numeric_limits<float>::quiet_NaN());

  EXPECT_THROW((void)search_in_blocks(queries_QD, at::ones({3, 2}), 1), DataError);
}

TEST(TopKTest, keeps_the_best_whatever_the_order_and_nothing_where_nothing_is_wanted) {
  TopK best(2);
  TopK none(0);
  for (const Hit hit : {Hit{1, 5}, Hit{3, 9}, Hit{3, 2}, Hit{2, 0}}) {
    best.offer(hit);
    none.offer(hit);
  }

  EXPECT_EQ(best.take(), (std::vector<Hit>{{3, 2}, {3, 9}}));
  EXPECT_TRUE(best.take().empty());
  EXPECT_TRUE(none.take().empty());
}

}  // namespace
}  // namespace coterie::eval
