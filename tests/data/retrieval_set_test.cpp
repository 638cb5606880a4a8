// Retrieval collections: hand-written folders of both forms, the real ones, and one bad folder for each rule.
#include "data/retrieval_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "tests/data/import_fixture.h"
#include "tests/harness/shared_files.h"

namespace coterie::data {
namespace {

using testing::HasSubstr;

constexpr const char* kCorpus =
    "{\"_id\": \"d1\", \"title\": \"Stars\", \"text\": \"They shine.\", \"metadata\": {}}\n"
    "{\"_id\": 7, \"title\": \"\", \"text\": \"Cells\"}\n"
    "{\"_id\": \"d3\", \"text\": \"\"}\n";
constexpr const char* kQueries =
    "{\"_id\": \"q1\", \"text\": \" Which stars? \"}\n{\"_id\": \"q2\", \"text\": \"cells\"}\n"
    "{\"_id\": \"q3\", \"text\": \"nobody judged this\"}\n";
constexpr const char* kHeader = "query-id\tcorpus-id\tscore\n";

class Beir : public testing::Test {
 protected:
  Beir() {
    folder_.write("Small/corpus.jsonl", kCorpus);
    folder_.write("Small/queries.jsonl", kQueries);
    folder_.write("Small/qrels/train.tsv", str(kHeader, "q1\td1\t2\nq2\t7\t1\n"));
    folder_.write("Small/qrels/test.tsv", str(kHeader, "q2\td9\t0\n"));
  }

  [[nodiscard]] RetrievalSet read() const { return read_beir(folder_.path() / "Small"); }
  [[nodiscard]] std::string refusal() const {
    return message_of<DataError>([&] { (void)read(); });
  }

  SourceFolder folder_;
};

TEST_F(Beir, has_documents_queries_and_judgements) {
  const RetrievalSet set = read();

  EXPECT_EQ(set.name, "small");
  ASSERT_EQ(set.documents.size(), 3U);
  EXPECT_EQ(set.documents[0].text, "Stars. They shine.");
  EXPECT_EQ(set.documents[1].id, "7");
  EXPECT_EQ(set.documents[1].text, "Cells");
  EXPECT_EQ(set.documents[2].text, "");
  ASSERT_EQ(set.queries.size(), 3U);
  EXPECT_EQ(set.queries[0].text, "Which stars?");
  ASSERT_EQ(set.judgements.size(), 3U);
  EXPECT_EQ(set.judgements[0].query, 0U);
  EXPECT_EQ(set.judgements[0].document, "d1");
  EXPECT_EQ(set.judgements[0].grade, 2);
}

TEST_F(Beir, a_query_that_two_files_judge_is_of_the_test) {
  const RetrievalSet set = read();

  EXPECT_EQ(set.queries[0].split, Split::train);
  EXPECT_EQ(set.queries[1].split, Split::test);
  EXPECT_FALSE(set.queries[2].split.has_value());
}

TEST_F(Beir, bad_folders_are_named) {
  folder_.write("Small/qrels/test.tsv", str(kHeader, "q9\td1\t1\n"));
  EXPECT_THAT(refusal(), HasSubstr("must name a query"));
  folder_.write("Small/qrels/test.tsv", str(kHeader, "q1\td1\t1\n"));
  EXPECT_THAT(refusal(), HasSubstr("one grade"));
  folder_.write("Small/qrels/test.tsv", str(kHeader, "q1\td1\n"));
  EXPECT_THAT(refusal(), HasSubstr("test.tsv:2"));
  folder_.write("Small/qrels/test.tsv", kHeader);
  folder_.write("Small/corpus.jsonl", str(kCorpus, "{\"_id\": \"d1\", \"text\": \"again\"}\n"));
  EXPECT_THAT(refusal(), HasSubstr("first in line 1"));
}

TEST_F(Beir, a_folder_without_judgements_is_refused) {
  folder_.write("Small/qrels/train.tsv", kHeader);
  folder_.write("Small/qrels/test.tsv", kHeader);

  EXPECT_THAT(refusal(), HasSubstr("judgements are needed"));
}

TEST(Smart, has_every_record_and_numbers_without_leading_zeros) {
  const SourceFolder folder;
  folder.write("Tiny/TINY.ALL", ".I 1\n.T\nStars\n.W\nThey shine.\n.I 2\n.T\nCells\n");
  folder.write("Tiny/query.text", ".I 1\n.W\n Which stars?\n.N\n 1. Somebody\n");
  folder.write("Tiny/qrels.text", "01 0002  0 0\n");

  const RetrievalSet set = read_retrieval_set("smart:Tiny", folder.path());

  EXPECT_EQ(set.name, "tiny");
  ASSERT_EQ(set.documents.size(), 2U);
  EXPECT_EQ(set.documents[1].text, "Cells.");
  EXPECT_EQ(set.queries.at(0).text, "Which stars?");
  EXPECT_FALSE(set.queries.at(0).split.has_value());
  EXPECT_EQ(set.judgements.at(0).document, "2");
  EXPECT_EQ(set.judgements.at(0).grade, 1);
}

TEST(Smart, needs_each_file_once) {
  const SourceFolder folder;
  folder.write("tiny/tiny.all", ".I 1\n.T\nStars\n");

  EXPECT_THAT(message_of<DataError>([&] { (void)read_smart_set(folder.path() / "tiny"); }), HasSubstr("*.qry"));
}

TEST(RetrievalSource, must_be_of_a_known_format) {
  EXPECT_THAT(message_of<ConfigError>([] { (void)read_retrieval_set("trec:x", "."); }), HasSubstr("beir:PATH"));
  EXPECT_THAT(message_of<ConfigError>([] { (void)read_retrieval_set("beir:", "."); }), HasSubstr("beir:PATH"));
}

struct Sizes {
  std::size_t documents;
  std::size_t queries;
  std::size_t judgements;
  std::size_t judged;  // queries
};

void expect_sizes(const RetrievalSet& set, const Sizes& sizes) {
  std::set<std::uint32_t> judged;
  for (const Judgement& judgement : set.judgements) judged.insert(judgement.query);
  EXPECT_EQ(set.documents.size(), sizes.documents);
  EXPECT_EQ(set.queries.size(), sizes.queries);
  EXPECT_EQ(set.judgements.size(), sizes.judgements);
  EXPECT_EQ(judged.size(), sizes.judged);
}

TEST(RealRetrieval, cisi_is_whole) {
  COTERIE_REQUIRE_PATH(test::shared_path("data/cisi/CISI.QRY"));

  expect_sizes(read_smart_set(test::shared_path("data/cisi")),
               {.documents = 1460, .queries = 112, .judgements = 3114, .judged = 76});
}

TEST(RealRetrieval, cacm_is_whole) {
  COTERIE_REQUIRE_PATH(test::shared_path("data/cacm/query.text"));

  expect_sizes(read_smart_set(test::shared_path("data/cacm")),
               {.documents = 3204, .queries = 64, .judgements = 796, .judged = 52});
}

TEST(RealRetrieval, scifact_is_whole) {
  COTERIE_REQUIRE_PATH(test::shared_path("data/scifact/beir/corpus.jsonl"));

  const RetrievalSet set = read_beir(test::shared_path("data/scifact/beir"));

  expect_sizes(set, {.documents = 5183, .queries = 1109, .judgements = 919 + 339, .judged = 809 + 300});
  const auto tests = std::count_if(set.queries.begin(), set.queries.end(),
                                   [](const Document& query) { return query.split == Split::test; });
  EXPECT_EQ(tests, 300);
}

}  // namespace
}  // namespace coterie::data
