// The importers: what each reads, and the place that each names for malformed input.
#include "data/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "data/import_formats.h"
#include "tests/data/import_fixture.h"
#include "tests/harness/shared_files.h"

namespace coterie::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

using Triple = data::Pair;

// A message must name the place and say what was got.
auto Says(const std::string& place, const std::string& what) { return AllOf(HasSubstr(place), HasSubstr(what)); }

class Import : public testing::Test {
 protected:
  SourceFolder folder_;
};

std::string cacm_record(int id, const std::string& abstract, const std::string& links) {
  return str(".I ", id, "\n.T\nTitle ", id, "\n", abstract.empty() ? "" : ".W\n" + abstract + "\n", ".X\n", links);
}

TEST_F(Import, cisi_takes_a_weight_once_however_often_it_is_written) {
  const auto file =
      folder_.write("c",
                    ".I 1\r\n.T \r\nA title\r\n.W\r\n  two \r\nlines\r\n.X\r\n1\t5\t1\r\n2\t3\t1\r\n2\t3\t1\r\n"
                    ".I 2\r\n.T\r\nDone.\r\n.A\r\n.K \r\n.W\r\nx\r\n.X\r\n1\t3\t2\r\n2\t4\t2\r\n");

  const auto collections = import_cisi(file);

  ASSERT_EQ(collections.size(), 1U);
  EXPECT_EQ(collections[0].domain, "cisi");
  EXPECT_EQ(collections[0].documents[0].text, "A title. two lines");
  EXPECT_EQ(collections[0].documents[1].text, "Done. x");
  EXPECT_THAT(collections[0].pairs, ElementsAre(Triple{0, 1, 3}));
}

TEST_F(Import, cisi_refuses_two_weights_of_one_pair) {
  const auto file = folder_.write("c", ".I 1\n.W\na\n.X\n2\t3\t1\n.I 2\n.W\nb\n.X\n1\t4\t2\n");

  EXPECT_THAT(message_of<DataError>([&] { (void)import_cisi(file); }), Says("c:10)", "3 before, got 4"));
}

TEST_F(Import, cacm_counts_half_the_lines_of_type_six_and_drops_documents_without_abstract) {
  const auto file = folder_.write("c", cacm_record(1, "one", "2\t6\t1\n2\t6\t1\n3\t6\t1\n2\t5\t1\n1\t6\t1\n") +
                                           cacm_record(2, "two\x19", "1\t6\t2\n1\t6\t2\n1\t4\t2\n") +
                                           cacm_record(3, "", "1\t6\t3\n"));

  const auto collections = import_cacm(file);

  ASSERT_EQ(collections[0].documents.size(), 2U);
  EXPECT_EQ(collections[0].documents[1].text, "Title 2. two\x19");
  EXPECT_THAT(collections[0].pairs, ElementsAre(Triple{0, 1, 2}));
  EXPECT_THAT(collections[0].dropped, ElementsAre(Pair("no abstract", 1U)));
}

TEST_F(Import, cacm_refuses_a_pair_that_only_one_side_states) {
  const auto file = folder_.write("c", cacm_record(1, "one", "2\t6\t1\n") + cacm_record(2, "two", "2\t6\t2\n"));

  EXPECT_THAT(message_of<DataError>([&] { (void)import_cacm(file); }),
              HasSubstr("got 1 co-citation lines for 1 and 2"));
}

TEST_F(Import, smart_bytes_above_ascii_become_utf8) {
  const auto file = folder_.write("c", ".I 1\n.W\ncaf\xE9\n");

  EXPECT_EQ(import_cisi(file)[0].documents[0].text, "caf\xC3\xA9");
}

struct BadFile {
  const char* content;
  const char* place;
  const char* what;
};

class BadSmart : public testing::TestWithParam<BadFile> {};

TEST_P(BadSmart, names_the_line) {
  const SourceFolder folder;
  const auto file = folder.write("c", GetParam().content);

  EXPECT_THAT(message_of<DataError>([&] { (void)import_cisi(file); }), Says(GetParam().place, GetParam().what));
}

INSTANTIATE_TEST_SUITE_P(Import, BadSmart,
                         testing::Values(BadFile{"text\n.I 1\n", "c:1)", "got 'text'"},                           //
                                         BadFile{".I 1\n.W\na\n.I x\n", "c:4)", "got '.I x'"},                    //
                                         BadFile{".I\n", "c:1)", "got '.I'"},                                     //
                                         BadFile{".I 99999999999999999999\n", "c:1)", "99999"},                   //
                                         BadFile{".I 28\n56\n.W\na\n", "c:2)", "got '56'"},                       //
                                         BadFile{".I 1\n.W\na\n.I 1\n", "c:4)", "first in line 1"},               //
                                         BadFile{".I 1\n.W\na\n.X\n1\t2\n", "c:5)", "got '1\\x092'"},             //
                                         BadFile{".I 1\n.W\na\n.X\n1\t-2\t1\n", "c:5)", "three numbers"},         //
                                         BadFile{".I 1\n.W\na\n.X\n1\t2\t3\n", "c:5)", "own record (1), got 3"},  //
                                         BadFile{".I 1\n.W\na\n.X\n9\t2\t1\n", "c:5)", "got 9"},                  //
                                         BadFile{".I 1\n.W\na\n.X\n2\t0\t1\n.I 2\n", "c:5)", "got 0"},            //
                                         BadFile{".I 1\n.T\na\n", "c)", "got 1 records"},                         //
                                         BadFile{"", "c)", "got 0 records"}));

constexpr const char* kVisHeader = "Paper Title,Paper DOI,Abstract,References\r\n";

TEST_F(Import, vis_derives_co_citations_from_references_of_every_paper) {
  const auto file = folder_.write("v/a.csv", str(kVisHeader, "A,1,\"say \"\"a\"\",\nagain\",2;3\r\n", "B,2,b,\r\n",
                                                 "C.,3,c,1; 2 ;2;9\r\n", "No abstract,4,,1;2;4\r\n"));

  const auto collections = import_vis(file.parent_path());

  ASSERT_EQ(collections[0].documents.size(), 3U);
  EXPECT_EQ(collections[0].documents[0].text, "A. say \"a\",\nagain");
  EXPECT_EQ(collections[0].documents[2].text, "C. c");
  EXPECT_THAT(collections[0].pairs, ElementsAre(Triple{0, 1, 2}, Triple{1, 2, 1}));
}

class BadVis : public testing::TestWithParam<BadFile> {};

TEST_P(BadVis, names_the_line) {
  const SourceFolder folder;
  const auto file = folder.write("a.csv", GetParam().content);

  EXPECT_THAT(message_of<DataError>([&] { (void)import_vis(file); }), Says(GetParam().place, GetParam().what));
}

INSTANTIATE_TEST_SUITE_P(
    Import, BadVis,
    testing::Values(
        BadFile{"", "a.csv)", "empty file"},  //
        BadFile{"Paper Title,Paper DOI,Abstract\n", "a.csv:1:1)", "column 'References' is missing"},
        BadFile{"Paper Title,Paper DOI,Abstract,References,references\n", "a.csv:1:43)", "got it twice"},
        BadFile{"Paper Title,Paper DOI,Abstract,References\nA,1,a\n", "a.csv:2:1)", "4 cells like the header, got 3"},
        BadFile{"Paper Title,Paper DOI,Abstract,References\nA,1,\"x\ny\",\nB,2,\"b\n\n", "a.csv:4:5)",
                "end of the file"},
        BadFile{"Paper Title,Paper DOI,Abstract,References\nA,1,\"x\"y,\n", "a.csv:2:8)", "got 'y,\\x0a'"},
        BadFile{"Paper Title,Paper DOI,Abstract,References\nA,,x,\n", "a.csv:2:3)", "empty cell"},
        BadFile{"Paper Title,Paper DOI,Abstract,References\nA,1,x,\nA,1,x,\n", "a.csv:3:3)", "first in line 2"},
        BadFile{"Paper Title,Paper DOI,Abstract,References\nA,1,x\xFF,\n", "a.csv:2:6)", "0xFF"},
        BadFile{"Paper Title,Paper DOI,Abstract,References\nA,1, ,\n", "a.csv)", "got 1 rows"}));

TEST_F(Import, vis_asks_for_one_table_in_a_folder) {
  folder_.write("a.csv", kVisHeader);
  folder_.write("b.csv", kVisHeader);

  EXPECT_THAT(message_of<DataError>([&] { (void)import_vis(folder_.path()); }), HasSubstr("got 2"));
}

std::string ris_record(const std::string& doi, const std::string& abstract) {
  return str("TY  - JOUR\r\nTI  - On ", doi, "\r\nDO  - ", doi, "\r\nAB  - ", abstract, "\r\nER  - \r\n\r\n");
}

TEST_F(Import, cca_goes_on_over_untagged_lines_and_counts_citing_papers) {
  folder_.write("tiab_screening_results.ris",
                ris_record("https://doi.org/10.1/A", "one\n\xE2\x80\x89  two\n\nT2-weighted") +
                    ris_record("10.1/b", "b") + "TY  - JOUR\nAB  - no doi\nER  -\n");
  folder_.write("detailed_references_citations.json",
                R"({"https://dx.doi.org/10.1/a": {"references": ["x"], "citations": ["C1", "c2", "c3"]},
                    "10.1/B": {"citations": ["c1", "c1", "https://doi.org/C2"]}, "10.1/z": {"citations": ["c3"]}})");

  const auto collections = import_cca(folder_.path());

  ASSERT_EQ(collections[0].documents.size(), 2U);
  EXPECT_EQ(collections[0].documents[0].id, "10.1/a");
  EXPECT_EQ(collections[0].documents[0].text, "On https://doi.org/10.1/A. one two T2-weighted");
  EXPECT_THAT(collections[0].pairs, ElementsAre(Triple{0, 1, 2}));
  EXPECT_THAT(collections[0].notes, ElementsAre(HasSubstr("of 3 papers with citations, 1 are no documents")));
}

class BadRis : public testing::TestWithParam<BadFile> {};

TEST_P(BadRis, names_the_line) {
  const SourceFolder folder;
  folder.write("tiab_screening_results.ris", GetParam().content);
  folder.write("detailed_references_citations.json", "{}");

  EXPECT_THAT(message_of<DataError>([&] { (void)import_cca(folder.path()); }), Says(GetParam().place, GetParam().what));
}

INSTANTIATE_TEST_SUITE_P(
    Import, BadRis,
    testing::Values(BadFile{"words\n", "ris:1)", "got 'words'"},                                            //
                    BadFile{"AB  - a\n", "ris:1)", "begin with TY, got AB"},                                //
                    BadFile{"TY  - JOUR\nTI  - a\n", "ris:2)", "end of the file in the record of line 1"},  //
                    BadFile{"TY  - JOUR\nTI  - a\nTY  - JOUR\n", "ris:3)", "none for that of line 1"},      //
                    BadFile{"TY  - JOUR\nAB - a\nER  - \n", "ris:2)", "got 'AB - a'"},                      //
                    BadFile{"TY  - JOUR\nAB  - \x80\nER  - \n", "ris:2:7)", "0x80"},                        //
                    BadFile{"TY  - J\nDO  - 1\nAB  - a\nER  - \nTY  - J\nDO  - 1\nAB  - a\nER  - \n", "ris:5)",
                            "line 1"},
                    BadFile{"\n", "ris)", "got none"}));

TEST_F(Import, cca_names_file_and_key_of_bad_json) {
  folder_.write("tiab_screening_results.ris", ris_record("1", "a"));
  const auto message = [&](const char* json) {
    folder_.write("detailed_references_citations.json", json);
    return message_of<DataError>([&] { (void)import_cca(folder_.path()); });
  };

  EXPECT_THAT(message("{\n \"1\": }"), Says("citations.json:2:7)", "json: "));
  EXPECT_THAT(message("[]"), Says("citations.json)", "got an array"));
  EXPECT_THAT(message(R"({"1": 2})"), Says("citations.json)", "'1' must be an object, got an integer"));
  EXPECT_THAT(message(R"({"1": {}})"), Says("citations.json)", "'citations' of '1' is missing"));
  EXPECT_THAT(message(R"({"1": {"citations": [null]}})"), Says("citations.json)", "got null"));
}

TEST_F(Import, a_missing_file_is_an_io_error_that_names_it) {
  for (const Importer& importer : importers()) {
    const auto message = message_of<IoError>([&] { (void)importer.read(folder_.path() / "absent"); });
    EXPECT_THAT(message, HasSubstr((folder_.path() / "absent").string())) << importer.format;
  }
}

TEST_F(Import, a_source_is_a_format_with_a_path_below_the_root) {
  folder_.write("cisi/CISI.ALL", ".I 1\n.W\na\n");
  folder_.write("other/file", ".I 7\n.W\na\n");

  EXPECT_EQ(import_source("cisi", folder_.path())[0].documents[0].id, "1");
  EXPECT_EQ(import_source("cisi:other/file", folder_.path())[0].documents[0].id, "7");
}

TEST_F(Import, an_unknown_format_lists_the_known_ones) {
  EXPECT_THAT(message_of<ConfigError>([&] { (void)import_source("cran:x", folder_.path()); }),
              Says("data.sources: 'cran:x'", "beir, cacm, cca, cisi, plain, smart, synth, vis, got 'cran'"));
  EXPECT_THAT(message_of<ConfigError>([&] { (void)import_source("cisi:", folder_.path()); }), HasSubstr("got none"));
}

struct RealCounts {
  const char* source;
  std::size_t documents;
  std::size_t pairs;
};

class RealImport : public testing::TestWithParam<RealCounts> {};

// The numbers are what the reference reader `peers/realdata.py` prints.
TEST_P(RealImport, documents_and_pairs_are_those_of_the_reference_reader) {
  const auto root = test::shared_path("data");
  COTERIE_REQUIRE_PATH(root);

  const auto collections = import_source(GetParam().source, root);

  ASSERT_EQ(collections.size(), 1U);
  EXPECT_EQ(collections[0].domain, GetParam().source);
  EXPECT_EQ(collections[0].documents.size(), GetParam().documents);
  EXPECT_EQ(collections[0].pairs.size(), GetParam().pairs);
}

INSTANTIATE_TEST_SUITE_P(Import, RealImport,
                         testing::Values(RealCounts{"cisi", 1460, 38672}, RealCounts{"cacm", 1587, 2632},
                                         RealCounts{"vis", 2702, 26476}, RealCounts{"cca", 370, 2541}));

}  // namespace
}  // namespace coterie::data
