// Tasks made from collections, and what the tiny model finds in them.
#include "eval/retrieval.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "data/pack_text.h"
#include "kernels/pooling.h"
#include "model/sentence_encoder.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_run.h"

namespace coterie::eval {
namespace {

using data::Split;

data::RetrievalSet small_set(const std::string& name) {
  return {.name = name,
          .documents = {{"d1", "gene a", {}}, {"d10", "star b c", {}}, {"d9", "gene a", {}}, {"e", "", {}}},
          .queries = {{"train", "a gene", Split::train},
                      {"test", "b star", Split::test},
                      {"any", "paper", {}},
                      {"unjudged", "cell", Split::test}},
          .judgements = {{0, "d1", 1}, {1, "d10", 2}, {1, "absent", 1}, {2, "d9", 1}}};
}

std::vector<std::string> ids(const std::vector<RetrievalText>& texts) {
  std::vector<std::string> all;
  for (const RetrievalText& text : texts) all.push_back(text.id);
  return all;
}

TEST(RetrievalTaskTest, has_the_judged_queries_of_its_split_and_those_of_none) {
  const data::RetrievalSet set = small_set("x");

  const RetrievalTask task = make_task(set, Split::test, {});

  EXPECT_THAT(ids(task.queries), testing::ElementsAre("test", "any"));
  EXPECT_THAT(ids(task.documents), testing::ElementsAre("e", "d9", "d10", "d1"));
  EXPECT_EQ(task.qrels.queries.size(), 2U);
  EXPECT_EQ(task.qrels.queries.at("test").at("absent"), 1);
}

TEST(RetrievalTaskTest, leaves_out_queries_that_the_corpus_has_in_another_split) {
  const data::RetrievalSet set = small_set("x");

  const RetrievalTask task =
      make_task(set, Split::validation, {{"paper", Split::train}, {"a gene", Split::validation}});

  EXPECT_THAT(ids(task.queries), testing::ElementsAre("train"));
  EXPECT_THROW((void)make_task(set, Split::test, {{"paper", Split::train}, {"b star", Split::train}}), DataError);
}

TEST(RetrievalTaskTest, mixed_has_all_documents_and_queries_without_a_domain) {
  const data::RetrievalSet x = small_set("x");
  const data::RetrievalSet y = small_set("y");
  const std::vector<RetrievalTask> tasks = {make_task(x, Split::test, {}), make_task(y, Split::test, {})};

  const auto [mixed, numbers] = mixed_task(tasks);

  EXPECT_THAT(ids(mixed.queries), testing::ElementsAre("x:test", "x:any", "y:test", "y:any"));
  EXPECT_THAT(ids(mixed.documents),
              testing::ElementsAre("y:e", "y:d9", "y:d10", "y:d1", "x:e", "x:d9", "x:d10", "x:d1"));
  EXPECT_EQ(mixed.documents[0].domain, "y");
  EXPECT_EQ(mixed.queries[0].domain, "");
  EXPECT_EQ(mixed.qrels.queries.at("y:any").at("y:d9"), 1);
  EXPECT_THAT(numbers, testing::ElementsAre(testing::ElementsAre(4, 5, 6, 7), testing::ElementsAre(0, 1, 2, 3)));
}

// ':' < 'x' < '~': the ids of one collection stand between those of the other.
TEST(RetrievalTaskTest, mixed_numbers_documents_by_id_where_one_name_begins_another) {
  const data::RetrievalSet x = small_set("x");
  const data::RetrievalSet y = small_set("x:d2");
  const std::vector<RetrievalTask> tasks = {make_task(x, Split::test, {}), make_task(y, Split::test, {})};

  const auto [mixed, numbers] = mixed_task(tasks);

  EXPECT_THAT(ids(mixed.documents),
              testing::ElementsAre("x:e", "x:d9", "x:d2:e", "x:d2:d9", "x:d2:d10", "x:d2:d1", "x:d10", "x:d1"));
  EXPECT_THAT(numbers, testing::ElementsAre(testing::ElementsAre(0, 1, 6, 7), testing::ElementsAre(2, 3, 4, 5)));
}

/// A random model with 8 channels, and its tokenizer.
class Retrieve : public testing::TestWithParam<bool> {
 protected:
  Retrieve() {
    test::write_tiny_checkpoint(folder_.path() / "model");
    auto source = model::ModelSource::open(folder_.path() / "model");
    source.spec.normalize = false;
    model_ = model::make_sentence_encoder(source.spec, source.read({}), mesh_, at::kFloat);
    tokenizer_.emplace(source.tokenizer());
  }

  [[nodiscard]] TextView view() const {
    return {*tokenizer_, [](const std::string&) { return -1; }, model_.spec.max_length, 64, {}, GetParam()};
  }

  test::TemporaryFolder folder_;
  dist::Mesh mesh_ = dist::Mesh::solo();
  model::SentenceEncoder model_;
  std::optional<data::Tokenizer> tokenizer_;
};

INSTANTIATE_TEST_SUITE_P(cosine, Retrieve, testing::Values(true));
INSTANTIATE_TEST_SUITE_P(dot_product, Retrieve, testing::Values(false));

TEST_P(Retrieve, ranks_by_what_compares_the_embeddings) {
  const data::RetrievalSet set = small_set("x");
  const RetrievalTask task = make_task(set, Split::test, {});

  const Ranking run = retrieve(*model_.encoder, view(), task, {.depth = 3, .block_rows = 3}, mesh_);

  const auto embedding = [&](std::string_view text) {
    data::PackedSequences one;
    data::append_text(one, *tokenizer_, text, model_.spec.max_length, -1);
    const at::Tensor rows_ND = model_.encoder->embed(one, {});
    return (GetParam() ? kernels::normalize_rows(rows_ND) : rows_ND)[0];
  };
  ASSERT_EQ(run.queries.size(), 2U);
  for (const RetrievalText& query : task.queries) {
    std::vector<Found> expected;
    for (const RetrievalText& document : task.documents)
      expected.push_back({document.id, (embedding(query.text) * embedding(document.text)).sum().item<float>()});
    std::sort(expected.begin(), expected.end(), ranks_before);
    const auto& found = run.queries.at(query.id);
    ASSERT_EQ(found.size(), 3U);
    for (std::size_t i = 0; i < found.size(); ++i) {
      // d9 and d1 have equal texts, so they tie exactly and d9 is first; sums of eight products in fp32.
      EXPECT_EQ(found[i].document, expected[i].document) << query.id << ' ' << i;
      EXPECT_NEAR(found[i].score, expected[i].score, 1e-6);
    }
  }
}

TEST_P(Retrieve, embeds_no_more_than_a_block_at_a_time) {
  const data::RetrievalSet set = small_set("x");
  const RetrievalTask task = make_task(set, Split::test, {});
  std::vector<std::int64_t> at_a_time;
  TextView watched = view();
  watched.place_unknown = [&](data::PackedSequences& texts) { at_a_time.push_back(texts.sequences()); };

  (void)retrieve(*model_.encoder, watched, task, {.depth = 1, .block_rows = 3}, mesh_);

  // Two queries, then four documents.
  EXPECT_THAT(at_a_time, testing::ElementsAre(2, 3, 1));
}

TEST_P(Retrieve, refuses_a_larger_index_with_numbers_for_other_documents) {
  const data::RetrievalSet x = small_set("x");
  const RetrievalTask task = make_task(x, Split::test, {});
  Search search = begin_search(*model_.encoder, view(), task, {}, mesh_);
  const std::vector<std::uint32_t> one_number = {0};
  const LargerIndex larger{search, one_number};

  EXPECT_THROW((void)retrieve(*model_.encoder, view(), task, {}, mesh_, &larger), ShapeError);
}

TEST_P(Retrieve, finds_in_a_larger_index_what_a_search_of_it_alone_finds) {
  const data::RetrievalSet x = small_set("x");
  const data::RetrievalSet y = small_set("y");
  const std::vector<RetrievalTask> tasks = {make_task(x, Split::test, {}), make_task(y, Split::test, {})};
  const auto [mixed, numbers] = mixed_task(tasks);
  const SearchOptions options{.depth = 6, .block_rows = 3};

  Search search = begin_search(*model_.encoder, view(), mixed, options, mesh_);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const LargerIndex larger{search, numbers[i]};
    const Ranking beside = retrieve(*model_.encoder, view(), tasks[i], options, mesh_, &larger);
    EXPECT_EQ(beside.queries, retrieve(*model_.encoder, view(), tasks[i], options, mesh_).queries);
  }

  EXPECT_EQ(ranking_of(mixed, search.take()).queries, retrieve(*model_.encoder, view(), mixed, options, mesh_).queries);
}

// A document's expert does not depend on the block that it is embedded in, but on the key.
TEST_P(Retrieve, draws_random_routes_by_key_and_place) {
  model::ModelSpec spec = test::tiny_spec({}, {0, 1});
  spec.router = experts::RouterKind::random;
  spec.expert_count = 4;
  const auto random = model::make_sentence_encoder(spec, test::tiny_weights(spec, 1), mesh_, at::kFloat);
  const data::RetrievalSet set = small_set("x");
  const RetrievalTask task = make_task(set, Split::test, {});
  const auto found = [&](std::int64_t block_rows, std::uint64_t key) {
    TextView drawn = view();
    drawn.key = RandomKey{key};
    return retrieve(*random.encoder, drawn, task, {.depth = 4, .block_rows = block_rows}, mesh_).queries;
  };

  const auto expect_near = [&](const auto& one, const auto& other) {
    for (const auto& [query, documents] : one)
      for (std::size_t i = 0; i < documents.size(); ++i) {
        EXPECT_EQ(documents[i].document, other.at(query)[i].document);
        EXPECT_NEAR(documents[i].score, other.at(query)[i].score, 1e-5);
      }
  };
  expect_near(found(1, 5), found(4, 5));
  EXPECT_GT(std::abs(found(4, 5).at("any")[0].score - found(4, 6).at("any")[0].score), 1e-3);
}

TEST(KnownSplitsTest, are_of_queries_alone_and_of_training_before_others) {
  const test::TemporaryFolder folder;
  data::CorpusContent content;
  content.domains = {"x"};
  content.ids = {"x:1", "x:2", "x:3", "x:4"};
  content.texts = {"paper", "a gene", "a gene", "gene a"};
  content.domain = {0, 0, 0, 0};
  content.split = {Split::every, Split::test, Split::train, Split::validation};
  content.tokens = {{2, 3}, {2, 3}, {2, 3}, {2, 3}};
  content.vocabulary = 4;
  data::write_corpus(folder.path() / "c.h5", content);

  const std::vector<data::RetrievalSet> sets = {small_set("x")};
  const KnownSplits known = known_splits(data::Corpus(folder.path() / "c.h5"), sets);

  EXPECT_EQ(known, (KnownSplits{{"a gene", Split::train}}));
}

}  // namespace
}  // namespace coterie::eval
