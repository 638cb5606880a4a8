// Training pairs from retrieval collections: what is paired, how queries are split, and the corpus of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/str.h"
#include "data/build.h"
#include "data/hard_negatives.h"
#include "data/import_formats.h"
#include "data/inspect.h"
#include "data/pair_sampler.h"
#include "data/split.h"
#include "tests/data/import_fixture.h"
#include "tests/harness/shared_files.h"

namespace coterie::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kHeader = "query-id\tcorpus-id\tscore\n";

std::array<int, kSplits> queries_by_split(const Collection& collection) {
  std::array<int, kSplits> counts{};
  for (const Document& document : collection.documents)
    if (document.split != Split::every) ++counts[static_cast<std::size_t>(*document.split)];
  return counts;
}

// Query i (0..39) has the relevant documents i and i + 1 of 42; documents 41 and up answer nothing. Queries below 30
// are in train.tsv, the others in test.tsv.
class Queries : public testing::Test {
 protected:
  Queries() {
    std::string documents;
    std::string queries;
    std::string train = kHeader;
    std::string test = kHeader;
    for (int i = 0; i < 42; ++i)
      documents += str(R"({"_id": "d)", i, R"(", "title": "", "text": "document )", i, "\"}\n");
    for (int i = 0; i < 40; ++i) {
      queries += str(R"({"_id": "d)", i, R"(", "text": "query )", i, "\"}\n");
      (i < 30 ? train : test) += str("d", i, "\td", i, "\t1\nd", i, "\td", i + 1, "\t2\n");
    }
    folder_.write("set/corpus.jsonl", documents);
    folder_.write("set/queries.jsonl", queries + "{\"_id\": \"x\", \"text\": \"not judged\"}\n");
    folder_.write("set/qrels/train.tsv", train + "d0\tabsent\t1\nd0\td5\t0\n");
    folder_.write("set/qrels/test.tsv", test);
  }

  [[nodiscard]] std::vector<Collection> split() const {
    auto collections = import_beir(folder_.path() / "set");
    assign_splits(collections, {.validation = 0.1, .test = 0.2}, {5});
    return collections;
  }

  [[nodiscard]] Corpus make_corpus() const {
    const TextEncoder encoder{[](std::string_view text) {
                                std::vector<std::int32_t> ids(text.begin(), text.end());
                                return ids;
                              },
                              "bytes", 256};
    write_corpus(folder_.path() / "corpus.h5", build_content(split(), encoder, {}, {6}).content);
    return Corpus(folder_.path() / "corpus.h5");
  }

  SourceFolder folder_;
};

TEST_F(Queries, are_paired_with_their_relevant_documents_and_stand_first) {
  const auto collections = import_beir(folder_.path() / "set");

  ASSERT_EQ(collections.size(), 1U);
  const Collection& set = collections[0];
  EXPECT_EQ(set.domain, "set");
  ASSERT_EQ(set.documents.size(), 40U + 41U);
  EXPECT_EQ(set.documents[0].id, "query:d0");
  EXPECT_EQ(set.documents[0].text, "query 0");
  EXPECT_EQ(set.documents[40].id, "d0");
  EXPECT_EQ(set.documents[40].split, Split::every);
  ASSERT_EQ(set.pairs.size(), 80U);
  EXPECT_EQ(set.pairs[1], (data::Pair{0, 41, 2}));
  EXPECT_THAT(set.dropped, ElementsAre(testing::Pair("document not in the collection", 1U)));
}

TEST_F(Queries, of_training_are_held_out_for_validation_where_no_file_names_any) {
  const auto collections = split();

  EXPECT_THAT(queries_by_split(collections[0]), ElementsAre(27, 3, 10));
  for (int i = 30; i < 40; ++i) EXPECT_EQ(collections[0].documents[static_cast<std::size_t>(i)].split, Split::test);
}

TEST_F(Queries, without_files_for_the_splits_are_split_at_random) {
  folder_.write("smart/x.all", ".I 1\n.W\none\n.I 2\n.W\ntwo\n");
  std::string queries;
  std::string judged;
  for (int i = 1; i <= 20; ++i) {
    queries += str(".I ", i, "\n.W\nquery ", i, "\n");
    judged += str(i, " ", 1 + i % 2, " 0 0\n");
  }
  folder_.write("smart/x.qry", queries);
  folder_.write("smart/x.rel", judged);
  auto collections = import_smart(folder_.path() / "smart");

  assign_splits(collections, {.validation = 0.1, .test = 0.2}, {5});

  EXPECT_THAT(queries_by_split(collections[0]), ElementsAre(14, 2, 4));
}

TEST_F(Queries, take_their_pairs_into_their_split_and_are_drawn_with_documents_only) {
  const Corpus corpus = make_corpus();

  EXPECT_EQ(corpus.positives(Split::train).size(), 54U);
  EXPECT_EQ(corpus.positives(Split::validation).size(), 6U);
  EXPECT_EQ(corpus.positives(Split::test).size(), 20U);
  for (const Split part : {Split::validation, Split::test}) {
    EXPECT_EQ(corpus.negatives(part).size(), corpus.positives(part).size());
    for (const data::Pair& pair : corpus.negatives(part)) {
      EXPECT_EQ(corpus.split(pair.a), part);
      EXPECT_EQ(corpus.split(pair.b), Split::every);
      EXPECT_FALSE(corpus.co_cited(pair.a, pair.b));
    }
  }
  EXPECT_THAT(inspect(folder_.path() / "corpus.h5"), HasSubstr("leak check: nothing found"));
}

TEST_F(Queries, are_never_swapped_with_their_documents) {
  const Corpus corpus = make_corpus();
  PairSampler sampler(corpus, {7}, {.batch_pairs = 4, .window_pairs = 100});

  for (int i = 0; i < 40; ++i) {
    const GlobalBatch batch = sampler.next();
    for (std::size_t pair = 0; pair < batch.a.size(); ++pair) {
      EXPECT_EQ(corpus.split(batch.a[pair]), Split::train);
      EXPECT_EQ(corpus.split(batch.b[pair]), Split::every);
    }
  }
}

// What shares a document with a query is another query, which must not stand among the documents.
TEST_F(Queries, have_no_hard_negatives) {
  const Corpus corpus = make_corpus();
  PairSampler sampler(corpus, {7}, {.batch_pairs = 4, .window_pairs = 100});

  for (int i = 0; i < 12; ++i) {
    GlobalBatch batch = sampler.next();
    add_hard_negatives(corpus, batch, 2, {8});

    EXPECT_TRUE(batch.negatives.empty());
    EXPECT_TRUE(batch.negative_of.empty());
  }
}

TEST(SharedSplit, is_that_of_both_or_of_the_one_that_has_one) {
  EXPECT_EQ(shared_split(Split::test, Split::test), Split::test);
  EXPECT_EQ(shared_split(Split::test, Split::every), Split::test);
  EXPECT_EQ(shared_split(Split::every, Split::train), Split::train);
  EXPECT_EQ(shared_split(Split::train, Split::test), std::nullopt);
  EXPECT_EQ(shared_split(Split::every, Split::every), std::nullopt);
}

TEST(RealQueries, of_scifact_keep_the_splits_of_their_files) {
  COTERIE_REQUIRE_PATH(test::shared_path("data/scifact/beir/corpus.jsonl"));

  auto collections = import_beir(test::shared_path("data/scifact/beir"));
  assign_splits(collections, {.validation = 0.05, .test = 0.2}, {5});

  // 5 % of 809 training queries.
  EXPECT_THAT(queries_by_split(collections[0]), ElementsAre(769, 40, 300));
  EXPECT_EQ(collections[0].pairs.size(), 919U + 339U);
}

}  // namespace
}  // namespace coterie::data
