// Pages made of the files that runs and sweeps leave.
#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "report/report.h"
#include "report/run_files.h"
#include "tests/harness/messages.h"
#include "tests/harness/temporary_folder.h"
#include "tests/report/page_checks.h"

namespace coterie::report {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ReportFiles : public testing::Test {
 protected:
  void put(const fs::path& below, const std::string& text) const {
    fs::create_directories((folder() / below).parent_path());
    std::ofstream(folder() / below) << text;
  }
  [[nodiscard]] fs::path folder() const { return temporary_.path(); }

  void put_run(const fs::path& below) const {
    put(below / "config.toml", "# command: coterie train <x>\n# 2 ranks on vm with 2 cores\nrun = \"r\"  # doc\n");
    put(below / "metrics.jsonl",
        R"({"step":0,"validation":{"cisi":{"average_precision":0.5,"roc_auc":0.5},)"
        R"("all":{"average_precision":0.6,"roc_auc":0.7}}})"
        "\n"
        R"({"step":1,"loss":2.5,"learning_rate":1e-5,"gradient_norm":1.0,"pairs_per_s":10,"tokens_per_s":100,)"
        R"("routers":[{"layer":0,"load":[0.25,0.75],"mutual_information_share":0.4}],)"
        R"("head":{"load":[0.5,0.25,0.25],"mutual_information_share":0.25}})"
        "\n"
        R"({"step":2,"loss":1.5,"learning_rate":0,"gradient_norm":null,"pairs_per_s":11,"tokens_per_s":110,)"
        R"("routers":[{"layer":0,"load":[0.5,0.5],"mutual_information_share":0.9}],)"
        R"("head":{"load":[0.125,0.25,0.625],"mutual_information_share":0.5}})"
        "\n"
        R"({"step":2,"validation":{"cisi":{"average_precision":0.55,"roc_auc":0.6},)"
        R"("all":{"average_precision":0.7,"roc_auc":0.8}}})"
        "\n"
        R"({"step":2,"domain_load":{"steps":2,"layers":[{"layer":0,"domains":["a<b","vis"],)"
        R"("load":[[0.75,0.25],[0,1]]},{"layer":3,"domains":["a<b","vis"],"load":[[0.5,0.5],[1,0]]}],)"
        R"("head":{"domains":["a<b","vis"],"load":[[0,0.375,0.625],[0.25,0.25,0.5]]}}})"
        "\n"
        R"({"step":3,"loss":)");
    put(below / "eval.json",
        R"({"untouched":{"all":{"positives":2,"roc_auc":0.5,"average_precision":0.5,"f1":0.5,"threshold":0.1,)"
        R"("validation_threshold":null,"f1_at_validation_threshold":null}},)"
        R"("trained":{"all":{"positives":2,"roc_auc":0.75,"average_precision":0.8,"f1":0.9,"threshold":0.1,)"
        R"("validation_threshold":0.5,"f1_at_validation_threshold":0.7,"intervals":{"roc_auc":[0.71,0.79],)"
        R"("average_precision":[0.75,0.85],"f1":[0.8,1.0]}}},)"
        R"("cross_domain":{"trained":{"all":{"cisi":0.31,"vis":0.32}}},)"
        R"("retrieval":{"untouched":{"cisi":{"documents":9,"queries":5,"nDCG@10":0.4}},)"
        R"("trained":{"cisi":{"documents":9,"queries":5,"nDCG@10":0.41}}}})");
    for (const char* model : {"trained", "untouched"})
      put(below / (std::string("pairs.") + model + ".csv"),
          "prediction,label,domain,a,b\n0.9,1,\"c,d\",1,2\n0.5,0,cisi,1,3\n0.5,1,vis,4,5\n0.1,0,vis,6,7\n");
    for (const char* model : {"trained", "untouched"}) {
      put(below / str("projection.", model, ".csv"),
          "x,y,domain,id,x_share,y_share\n-1,0.5,\"c,d\",1,0.25,0.125\n1,-0.5,vis,2,0.25,0.125\n");
      put(below / str("examples.", model, ".cisi.json"),
          str(R"({"model":")", model, R"(","collection":"cisi","queries":[{"id":"7","text":"what <is> it","found":[)",
              R"({"id":"d1","score":0.75,"text":"an answer","relevant":true},)",
              R"({"id":"d2","score":0.5,"text":"none","relevant":false}]}]})"));
    }
  }

  [[nodiscard]] std::string refusal(const std::string& of) const {
    return test::message_of<Error>([&] { (void)report(folder() / of); });
  }

  test::TemporaryFolder temporary_;
};

TEST_F(ReportFiles, a_run_is_shown_with_all_that_it_left) {
  put_run("r");

  const std::string html = report(folder() / "r");

  expect_self_contained(html);
  for (const char* part : {"Training loss",
                           "Validation, ROC-AUC",
                           "Learning rate",
                           "Precision over recall",
                           "ROC",
                           "trained at 0.500",
                           "Similarity of pairs, untouched",
                           "Load of the experts at step 2",
                           "Mutual information of domain and expert",
                           "Experts of each domain in layer 0, steps 1 to 2",
                           "Experts of each domain in layer 3, steps 1 to 2",
                           "Experts of each domain in the head, steps 1 to 2",
                           "a&lt;b: 0 0.00; 1 0.38; 2 0.62;",
                           "head: 0 0.12; 1 0.25; 2 0.62;",
                           "head: 2 points, from 0.25 at 1 to 0.5 at 2",
                           "a&lt;b: 0 0.75; 1 0.25; vis: 0 0.00; 1 1.00;",
                           "Embeddings of documents, untouched",
                           "first component, 25.0 % of the variance",
                           "c,d: 1 dots around -1 and 0.5.",
                           "cisi, trained: the best documents of the first queries by id",
                           "7: what &lt;is&gt; it",
                           "<th class=\"number\">ROC-AUC, low</th>",
                           "<td class=\"number\">0.7100</td><td class=\"number\">0.7900</td>",
                           "<td class=\"number\">0.3100</td><td class=\"number\">0.3200</td>",
                           "Search: means over the judged queries",
                           "<td class=\"number\">0.4100</td>",
                           "Pairs a second",
                           "2 ranks on vm with 2 cores",
                           "run = &quot;r&quot;",
                           "coterie train &lt;x&gt;"})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_THAT(html, HasSubstr("Pooled validation average precision 0.6000 before the first step. "
                              "Best pooled validation average precision 0.7000 at step 2."));
  EXPECT_THAT(html,
              HasSubstr("<td>trained</td><td>all</td><td class=\"number\">2</td><td class=\"number\">0.7500</td>"));
}

TEST_F(ReportFiles, of_an_earlier_evaluation_are_not_shown_beside_the_last) {
  put_run("r");
  put("r/pairs.bm25.csv", "prediction,label,domain,a,b\n0.9,1,cisi,1,2\n0.5,0,cisi,1,3\n");
  put("r/projection.older.csv", "x,y,domain,id,x_share,y_share\n-1,0.5,cisi,1,0.25,0.125\n");
  put("r/examples.trained.cacm.json", R"({"model":"trained","collection":"cacm","queries":[]})");
  const auto evaluated = fs::last_write_time(folder() / "r/eval.json");
  for (const char* file : {"pairs.bm25.csv", "projection.older.csv", "examples.trained.cacm.json"})
    fs::last_write_time(folder() / "r" / file, evaluated - std::chrono::hours(1));

  const std::string html = report(folder() / "r");

  EXPECT_THAT(html, HasSubstr("Similarity of pairs, trained"));
  EXPECT_THAT(html, HasSubstr("cisi, trained: the best documents"));
  EXPECT_THAT(html, Not(HasSubstr("bm25")));
  EXPECT_THAT(html, Not(HasSubstr("older")));
  EXPECT_THAT(html, Not(HasSubstr("cacm, trained")));
  // Of an evaluation that wrote its result elsewhere.
  fs::last_write_time(folder() / "r" / "pairs.bm25.csv", evaluated + std::chrono::hours(1));
  EXPECT_THAT(report(folder() / "r"), HasSubstr("Similarity of pairs, bm25"));
}

TEST_F(ReportFiles, a_run_that_has_only_begun_is_shown_too) {
  put("r/metrics.jsonl", "");

  const std::string html = report(folder() / "r");

  expect_self_contained(html);
  EXPECT_THAT(html, HasSubstr("has not made a step yet"));
}

TEST_F(ReportFiles, of_a_run_before_its_next_evaluation_with_no_experts_but_the_heads_are_shown) {
  put("r/metrics.jsonl", R"({"step":0,"validation":{"all":{"average_precision":0.6,"roc_auc":0.7}}})"
                         "\n"
                         R"({"step":1,"loss":2.5,"head":{"load":[0.75,0.25],"mutual_information_share":0.5}})"
                         "\n");

  const std::string html = report(folder() / "r");

  expect_self_contained(html);
  EXPECT_THAT(html, HasSubstr("Pooled validation average precision 0.6000 before the first step.</p>"));
  EXPECT_THAT(html, HasSubstr("Load of the experts at step 1"));
  EXPECT_THAT(html, HasSubstr("head: 0 0.75; 1 0.25;"));
}

TEST_F(ReportFiles, have_their_folders_name_however_it_is_written) {
  put_run("r");

  EXPECT_EQ(read_run(folder() / "r" / "").name, "r");
  EXPECT_EQ(read_run(folder() / "r" / ".").name, "r");
  EXPECT_EQ(read_run(folder() / "r" / ".." / "r").name, "r");
}

TEST_F(ReportFiles, of_a_run_are_read_in_their_order) {
  put_run("r");

  const RunFiles run = read_run(folder() / "r");

  EXPECT_EQ(run.metrics.size(), 5U);
  EXPECT_THAT(validated_domains(run.metrics), ElementsAre("all", "cisi"));
  ASSERT_EQ(run.pairs.size(), 2U);
  EXPECT_EQ(run.pairs[0].model, "untouched");
  EXPECT_THAT(run.pairs[0].scores, ElementsAre(0.9, 0.5, 0.5, 0.1));
  const Series loss = curve(run.metrics, "loss", "loss");
  EXPECT_EQ(loss.points.size(), 2U);
  EXPECT_EQ(loss.points[1].y, 1.5);
  EXPECT_EQ(curve(run.metrics, "validation.cisi.roc_auc", "").points.size(), 2U);
  EXPECT_EQ(curve(run.metrics, "loss.x", "").points.size(), 0U);
  EXPECT_EQ(provenance_of(run.config), "command: coterie train <x>\n2 ranks on vm with 2 cores\n");
}

TEST_F(ReportFiles, of_a_sweep_are_compared) {
  put_run("s/a,seed=0");
  put_run("s/b,seed=0");
  put("s/table.json",
      R"({"name":"s","baseline":"a","measures":["all.roc_auc"],"reading":"p (t): two-sided","comparisons":[)"
      R"({"cell":"a","baseline":"a",)"
      R"("measure":"all.roc_auc","seeds":1,"planned":1,"mean":0.5,"deviation":null,"difference":null,)"
      R"("p_paired_t":null,"p_sign_flip":null,"detectable":null,"seconds":3.0,"core_seconds":3.0,"peak_mib":100.0},)"
      R"({"cell":"b","baseline":"a",)"
      R"("measure":"all.roc_auc","seeds":1,"planned":2,"mean":0.75,"deviation":0.1,"difference":0.25,)"
      R"("p_paired_t":0.01,"p_sign_flip":0.5,"detectable":0.2,)"
      R"("seconds":4.0,"core_seconds":7.5,"peak_mib":120.0}],"cells":[)"
      R"({"name":"a","seed":"0","folder":"a,seed=0","ranks":1,"state":"finished","values":{"all.roc_auc":0.5},)"
      R"("seconds":3.0,"core_seconds":3.0,"peak_mib":100.0,"starts":1,"unknown_costs":0},)"
      R"({"name":"b","seed":"0","folder":"b,seed=0","ranks":1,"state":"finished","values":{"all.roc_auc":0.75},)"
      R"("seconds":4.0,"core_seconds":7.5,"peak_mib":120.0,"starts":1,"unknown_costs":0},)"
      R"({"name":"c","seed":"0","folder":"c,seed=0","ranks":1,"state":"failed",)"
      R"("values":{"all.roc_auc":null},)"
      R"("seconds":0.0,"core_seconds":0.0,"peak_mib":0.0,"starts":1,"unknown_costs":0}]})");

  const std::string html = report(folder() / "s");

  expect_self_contained(html);
  for (const char* part :
       {"Baseline: a", "p (t): two-sided", "first seed of each cell", "<td>failed</td>",
        "seconds of a cell on one core", "a: mean 0.5, 1 value.", "b: mean 0.75, deviation 0.1, 1 value.",
        "b: mean 7.5, 1 value.", "Config of the first cell"})
    EXPECT_THAT(html, HasSubstr(part));
  // Mean, deviation, difference, both p; one of two seeds is finished. Then a cell with its seed, ranks and measure.
  EXPECT_THAT(html, HasSubstr("<td>b</td><td>all.roc_auc</td><td>1 of 2</td><td class=\"number\">0.7500</td>"
                              "<td class=\"number\">0.1000</td><td class=\"number\">+0.2500</td>"
                              "<td class=\"number\">0.010</td><td class=\"number\">0.500</td>"));
  EXPECT_THAT(html,
              HasSubstr("<td>b</td><td class=\"number\">0</td><td class=\"number\">1</td><td>finished</td>"
                        "<td class=\"number\">0.7500</td><td class=\"number\">4.0</td><td class=\"number\">7.5</td>"
                        "<td class=\"number\">120</td><td class=\"number\">1</td>"));
  EXPECT_THAT(html, HasSubstr("<td>failed</td><td class=\"number\">-</td>"));
}

/// A file of a run with something wrong in it, and what is said of it.
struct Damage {
  std::string file;
  std::string content;
  std::string said;
};

TEST_F(ReportFiles, that_are_damaged_are_named_with_their_line) {
  std::vector<Damage> damages = {
      {"metrics.jsonl", "{\"step\":1}\n[]\n", "metrics.jsonl:2)"},
      {"metrics.jsonl", "{\"step\":1,\"domain_load\":{\"steps\":1}}\n", "metrics.jsonl, step 1, domain_load"},
      {"pairs.trained.csv", "prediction,label\n0.5,2\n", "pairs.trained.csv:2:5)"},
      {"pairs.trained.csv", "score,label\n", "column 'prediction' is missing"},
      {"projection.trained.csv", "x,y,domain,id,x_share,y_share\n0,nan,a,1,0.5,0.5\n", "projection.trained.csv:2:3)"},
      {"examples.trained.cisi.json", "[]", "examples.trained.cisi.json"},
      {"eval.json", "{", "eval.json"},
      {"eval.json", R"({"retrieval":{"trained":[1]}})", "type_error"},
      {"eval.json", R"({"trained":{"all":{"roc_auc":1,"intervals":[]}}})", "type_error"}};
  for (const char* score : {"nan", "inf", "-inf", "1e999", ""})
    damages.push_back({"pairs.trained.csv", str("prediction,label\n0.5,1\n", score, ",0\n"), "pairs.trained.csv:3:1)"});
  for (std::size_t i = 0; i < damages.size(); ++i) {
    const std::string run = str("r", i);
    put_run(run);
    put(str(run, "/", damages[i].file), damages[i].content);
    EXPECT_THAT(refusal(run), HasSubstr(damages[i].said)) << damages[i].content;
  }
  put("s/table.json", "{\"name\": 3}");
  EXPECT_THAT(refusal("s"), HasSubstr("table.json"));
}

TEST_F(ReportFiles, of_anything_else_are_refused) { EXPECT_THAT(refusal("absent"), HasSubstr("got neither")); }

}  // namespace
}  // namespace coterie::report
