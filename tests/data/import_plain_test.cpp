// The plain form: documents.jsonl and pairs.jsonl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "data/import_formats.h"
#include "tests/data/import_fixture.h"

namespace coterie::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Triple = data::Pair;

constexpr const char* kDocuments = R"({"id": "a", "text": "A text"}
{"id": 2, "title": "T", "abstract": "abs", "year": 1999}
{"id": "c", "text": "C", "domain": "other"}
)";

class PlainImport : public testing::Test {
 protected:
  std::vector<Collection> read(std::string_view documents, std::string_view pairs) {
    folder_.write("mine/documents.jsonl", documents);
    folder_.write("mine/pairs.jsonl", pairs);
    return import_plain(folder_.path() / "mine");
  }
  std::string error(std::string_view documents, std::string_view pairs) {
    return message_of<DataError>([&] { (void)read(documents, pairs); });
  }

  SourceFolder folder_;
};

TEST_F(PlainImport, the_folder_names_the_domain_of_documents_without_one) {
  const auto collections = read(kDocuments, "");

  ASSERT_EQ(collections.size(), 2U);
  EXPECT_EQ(collections[0].domain, "mine");
  EXPECT_EQ(collections[1].domain, "other");
  EXPECT_EQ(collections[0].documents[0].text, "A text");
  EXPECT_EQ(collections[0].documents[1].id, "2");
  EXPECT_EQ(collections[0].documents[1].text, "T. abs");
}

TEST_F(PlainImport, a_pair_has_weight_one_unless_it_says_otherwise) {
  const auto collections =
      read("{\"id\": 0, \"text\": \"x\"}\r\n\r\n{\"id\": 1, \"text\": \"y\"}\r\n{\"id\": 2, \"text\": \"z\"}",
           R"({"a": 2, "b": 0, "weight": 7}
{"a": 0, "b": 1})");

  EXPECT_THAT(collections[0].pairs, ElementsAre(Triple{0, 1, 1}, Triple{0, 2, 7}));
}

TEST_F(PlainImport, pairs_across_domains_are_dropped_and_counted) {
  const auto collections = read(kDocuments, R"({"a": "c", "b": "a"})");

  EXPECT_TRUE(collections[0].pairs.empty() && collections[1].pairs.empty());
  EXPECT_THAT(collections[0].dropped, ElementsAre(testing::Pair("across domains", 1U)));
  EXPECT_TRUE(collections[1].dropped.empty());
}

TEST_F(PlainImport, a_split_has_four_spellings) {
  const auto collections = read(R"({"id": 1, "text": "a", "split": "train"}
{"id": 2, "text": "a", "split": "validation"}
{"id": 3, "text": "a", "split": "val"}
{"id": 4, "text": "a", "split": "test"})",
                                "");

  std::vector<Split> splits;
  for (const Document& document : collections[0].documents) splits.push_back(document.split.value());
  EXPECT_THAT(splits, ElementsAre(Split::train, Split::validation, Split::validation, Split::test));
}

struct BadLine {
  const char* line;
  const char* what;
};

class BadDocument : public PlainImport, public testing::WithParamInterface<BadLine> {};

TEST_P(BadDocument, names_the_line) {
  const std::string documents = str("{\"id\": \"a\", \"text\": \"A\"}\n", GetParam().line, "\n");

  EXPECT_THAT(error(documents, ""), AllOf(HasSubstr("documents.jsonl:2"), HasSubstr(GetParam().what)));
}

INSTANTIATE_TEST_SUITE_P(
    PlainImport, BadDocument,
    testing::Values(BadLine{R"({"id": "b", "text": })", "jsonl:2:21)"},  //
                    BadLine{R"({"id": "b", "text": "x"} {})", "json: "},
                    BadLine{"{\"id\": \"b\", \"text\": \"\xFF\"}", "UTF-8"},                 //
                    BadLine{R"({"id": "b", "text": 1e999})", "json: "},                      //
                    BadLine{R"(["b"])", "must be an object, got an array"},                  //
                    BadLine{R"({"text": "x"})", "field 'id' is missing, got 'text'"},        //
                    BadLine{R"({"id": "b"})", "field 'text' is missing"},                    //
                    BadLine{R"({"id": "b", "abstract": "x"})", "field 'title' is missing"},  //
                    BadLine{R"({"id": "b", "title": "x", "abstract": null})", "got null"},   //
                    BadLine{R"({"id": "b", "title": "x", "abstract": " "})", "'abstract' must not be empty"},
                    BadLine{R"({"id": "b", "text": "\u00a0"})", "'text' must not be empty"},   //
                    BadLine{R"({"id": "b", "text": "x", "abstract": "x"})", "got both"},       //
                    BadLine{R"({"id": 1.5, "text": "x"})", "got a number with a fraction"},    //
                    BadLine{R"({"id": "", "text": "x"})", "'id' must not be empty"},           //
                    BadLine{R"({"id": "a", "text": "x"})", "got 'a' again, first in line 1"},  //
                    BadLine{R"({"id": "b", "text": "x", "split": "dev"})", "got 'dev'"},       //
                    BadLine{R"({"id": "b", "text": "x", "domain": "a b"})", "got 'a b'"},      //
                    BadLine{R"({"id": "b", "text": "x", "domain": 3})", "must be a string, got an integer"}));

TEST_F(PlainImport, deep_nesting_is_an_error) {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');

  EXPECT_THAT(error("{\"id\": 1, \"text\": \"x\", \"more\": " + deep + "}", ""), HasSubstr("nested 64 deep"));
}

class BadPair : public PlainImport, public testing::WithParamInterface<BadLine> {};

TEST_P(BadPair, names_the_line) {
  const std::string pairs = str("{\"a\": \"a\", \"b\": 2}\n", GetParam().line, "\n");

  EXPECT_THAT(error(kDocuments, pairs), AllOf(HasSubstr("pairs.jsonl:2"), HasSubstr(GetParam().what)));
}

INSTANTIATE_TEST_SUITE_P(
    PlainImport, BadPair,
    testing::Values(BadLine{R"({"a": "a", "b": "zz"})", "'b' must be the id of a document, got 'zz'"},
                    BadLine{R"({"a": "a", "b": "a"})", "got 'a' twice"},
                    BadLine{R"({"a": "2", "b": "a"})", "first in line 1"},  //
                    BadLine{R"({"a": "a"})", "field 'b' is missing"},
                    BadLine{R"({"a": "a", "b": "c", "weight": -1})", "1..4294967295, got -1"},
                    BadLine{R"({"a": "a", "b": "c", "weight": 0})", "got 0"},
                    BadLine{R"({"a": "a", "b": "c", "weight": 18446744073709551615})", "got 18446744073709551615"},
                    BadLine{R"({"a": "a", "b": "c", "weight": 2.0})", "must be an integer, got a number"},
                    BadLine{R"({"a": "a", "b": "c", "weight": "2"})", "must be an integer, got a string"}));

TEST_F(PlainImport, no_document_is_an_error) { EXPECT_THAT(error("\n", ""), HasSubstr("got none")); }

TEST_F(PlainImport, a_folder_whose_name_is_no_domain_says_so) {
  folder_.write("my data/documents.jsonl", kDocuments);

  EXPECT_THAT(message_of<DataError>([&] { (void)import_plain(folder_.path() / "my data"); }),
              AllOf(HasSubstr("documents.jsonl:1)"), HasSubstr("got 'my data', the folder's name")));
}

}  // namespace
}  // namespace coterie::data
