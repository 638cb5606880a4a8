// Score files: the published ones with their published measures, and one bad file for each rule.
#include "eval/score_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <string>

#include "base/error.h"
#include "eval/pair_metrics.h"
#include "tests/harness/shared_files.h"

namespace coterie::eval {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ScoreFileTest : public testing::Test {
 protected:
  ScoreFileTest() : path_(fs::temp_directory_path() / str("coterie-score-", ::getpid(), ".csv")) {}
  ~ScoreFileTest() override { fs::remove(path_); }

  ScoreFile read(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    return read_score_file(path_);
  }

  std::string message_for(const std::string& content) {
    try {
      static_cast<void>(read(content));
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }

  // How a message ends that points to this line and column.
  std::string at(const std::string& place) const { return "(" + path_.string() + ":" + place + ")"; }

  fs::path path_;
};

TEST_F(ScoreFileTest, reads_both_columns) {
  const ScoreFile file = read("prediction,label\n0.5,1\n-1e-3,0\n");

  EXPECT_THAT(file.predictions, ElementsAre(0.5, -1e-3));
  EXPECT_THAT(file.labels, ElementsAre(1, 0));
}

TEST_F(ScoreFileTest, finds_columns_by_name_and_ignores_others) {
  const ScoreFile file = read("id,label,text,prediction\n7,1,\"a, \"\"b\"\"\nc\",0.25\n8,0,,0.5\n");

  EXPECT_THAT(file.predictions, ElementsAre(0.25, 0.5));
  EXPECT_THAT(file.labels, ElementsAre(1, 0));
}

TEST_F(ScoreFileTest, names_documents_and_domains_where_it_has_columns_for_them) {
  const ScoreFile file = read("prediction,label,domain,a,b\n0.5,1,cisi,x,y\n0.25,0,vis,y,z\n");

  EXPECT_THAT(file.domains, ElementsAre("cisi", "vis"));
  EXPECT_THAT(file.pairs, ElementsAre(Pair("x", "y"), Pair("y", "z")));
}

TEST_F(ScoreFileTest, of_a_domain_keeps_its_rows) {
  const ScoreFile file =
      read("prediction,label,domain,a,b\n0.5,1,cisi,x,y\n0.25,0,vis,y,z\n0.75,0,cisi,x,z\n").of_domain("cisi");

  EXPECT_THAT(file.predictions, ElementsAre(0.5, 0.75));
  EXPECT_THAT(file.labels, ElementsAre(1, 0));
  EXPECT_THAT(file.domains, ElementsAre("cisi", "cisi"));
  EXPECT_THAT(file.pairs, ElementsAre(Pair("x", "y"), Pair("x", "z")));
}

TEST_F(ScoreFileTest, accepts_carriage_returns_a_byte_order_mark_and_a_missing_last_line_end) {
  const ScoreFile file = read("\xEF\xBB\xBFprediction,label\r\n0.5,1\r\n0.25,0");

  EXPECT_THAT(file.predictions, ElementsAre(0.5, 0.25));
  EXPECT_THAT(file.labels, ElementsAre(1, 0));
}

TEST_F(ScoreFileTest, numbers_are_exact) {
  EXPECT_THAT(read("prediction,label\n0.7461379766464233,1\n").predictions, ElementsAre(0.7461379766464233));
}

TEST_F(ScoreFileTest, a_missing_column_is_an_error) {
  EXPECT_THAT(message_for("score,label\n0.5,1\n"),
              AllOf(HasSubstr("'prediction' is missing, got 'score', 'label'"), HasSubstr(at("1:1"))));
  EXPECT_THAT(message_for(""), AllOf(HasSubstr("empty file"), HasSubstr(path_.string())));
}

TEST_F(ScoreFileTest, a_column_that_is_there_twice_is_an_error) {
  EXPECT_THAT(message_for("label,prediction,label\n1,0.5,0\n"), AllOf(HasSubstr("'label'"), HasSubstr(at("1:18"))));
}

TEST_F(ScoreFileTest, a_file_without_rows_is_an_error) {
  EXPECT_THAT(message_for("prediction,label\n"), AllOf(HasSubstr("got none"), HasSubstr(path_.string())));
}

TEST_F(ScoreFileTest, a_row_of_another_length_is_an_error) {
  EXPECT_THAT(message_for("prediction,label\n0.5,1\n0.5\n"),
              AllOf(HasSubstr("must have 2 cells like the header, got 1"), HasSubstr(at("3:1"))));
  EXPECT_THAT(message_for("prediction,label\n0.5,1,7\n"),
              AllOf(HasSubstr("must have 2 cells like the header, got 3"), HasSubstr(at("2:1"))));
}

TEST_F(ScoreFileTest, a_prediction_that_is_no_finite_number_is_an_error) {
  for (const std::string bad : {"", "abc", "nan", "inf", "0.5x", " 0.5", "+0.5", "1e999"})
    EXPECT_THAT(message_for("label,prediction\n1,0.5\n0," + bad + "\n"),
                AllOf(HasSubstr("got '" + bad + "'"), HasSubstr(at("3:3"))));
}

TEST_F(ScoreFileTest, control_bytes_do_not_cut_the_message) {
  EXPECT_THAT(message_for(std::string("prediction,label\n0.5,\0\x01\n", 23)),
              AllOf(HasSubstr("got '\\x00\\x01'"), HasSubstr(at("2:5"))));
}

TEST_F(ScoreFileTest, a_label_other_than_0_and_1_is_an_error) {
  for (const std::string bad : {"", "2", "-1", "1.0", "true"})
    EXPECT_THAT(message_for("prediction,label\n0.5," + bad + "\n"),
                AllOf(HasSubstr("label must be 0 or 1, got '" + bad + "'"), HasSubstr(at("2:5"))));
}

TEST_F(ScoreFileTest, a_wrong_quotation_is_an_error) {
  EXPECT_THAT(message_for("prediction,label,text\n0.5,1,\"open\n"),
              AllOf(HasSubstr("must end with a quote"), HasSubstr(at("2:7"))));
  EXPECT_THAT(message_for("prediction,label,text\n0.5,1,\"a\"b\n"), HasSubstr(at("2:10")));
}

TEST_F(ScoreFileTest, lines_inside_a_quoted_field_are_counted) {
  EXPECT_THAT(message_for("text,prediction,label\n\"a\nb\",0.5,x\n"), HasSubstr(at("3:8")));
}

TEST_F(ScoreFileTest, a_missing_file_is_an_io_error) {
  EXPECT_THROW(static_cast<void>(read_score_file("no-such-file.csv")), IoError);
}

// What the paper prints for a file, and the counts of its rows.
struct Published {
  const char* file;
  std::int64_t pairs_of_each_label;
  double f1, precision, recall, threshold, sim_ratio, pos_sim, neg_sim;
  double roc_auc, average_precision;  // not printed there; by scikit-learn 1.9.1
};

void PrintTo(const Published& published, std::ostream* out) { *out << published.file; }

class PublishedScores : public testing::TestWithParam<Published> {};

double to_four_decimals(double value) { return std::round(value * 1e4) / 1e4; }

TEST_P(PublishedScores, are_reproduced_to_the_printed_digits) {
  const Published& published = GetParam();
  const fs::path path = test::shared_path(str("data/paper_predictions/", published.file));
  COTERIE_REQUIRE_PATH(path);

  const ScoreFile file = read_score_file(path);
  const PairMetrics m = measure(file.predictions, file.labels);

  EXPECT_EQ(m.positives, published.pairs_of_each_label);
  EXPECT_EQ(m.negatives, published.pairs_of_each_label);
  EXPECT_EQ(to_four_decimals(m.f1), published.f1);
  EXPECT_EQ(to_four_decimals(m.precision), published.precision);
  EXPECT_EQ(to_four_decimals(m.recall), published.recall);
  EXPECT_EQ(to_four_decimals(m.threshold), published.threshold);
  EXPECT_EQ(to_four_decimals(m.sim_ratio), published.sim_ratio);
  EXPECT_EQ(to_four_decimals(m.pos_sim), published.pos_sim);
  EXPECT_EQ(to_four_decimals(m.neg_sim), published.neg_sim);
  // Sums of at most 4584 terms below 1, each rounded to 1.2e-16.
  EXPECT_NEAR(m.roc_auc, published.roc_auc, 5e-13);
  EXPECT_NEAR(m.average_precision, published.average_precision, 5e-13);
}

INSTANTIATE_TEST_SUITE_P(P1, PublishedScores,
                         testing::Values(Published{"Mini_CVD_False_predictions.csv", 2292, .9151, .9084, .9219, .3782,
                                                   2.8264, .5973, .2113, 0.969743572757813, 0.9722448163754545},
                                         Published{"moe_tokensHF_COPD_predictions.csv", 1338, .7861, .7039, .8901,
                                                   .7461, 1.2528, .87, .6945, 0.8548412953764962, 0.8522977212521825},
                                         Published{"se_all_tokensHF_CANCER_predictions.csv", 867, .7301, .607, .9158,
                                                   .7867, 1.1066, .8858, .8005, 0.7724231696885281,
                                                   0.7699431100937445}));

}  // namespace
}  // namespace coterie::eval
