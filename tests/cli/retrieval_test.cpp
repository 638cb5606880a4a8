// Retrieval as a user measures it: eval on collections, run files, and score on them.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

/// A workspace with two small BEIR folders, `biology` and `physics`: every document is the answer to one query.
class Retrieval : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (IsSkipped()) return;
    for (const std::string name : {"biology", "physics"}) {
      std::string documents;
      std::string queries;
      std::string qrels = "query-id\tcorpus-id\tscore\n";
      for (char letter = 'a'; letter <= 'z'; ++letter) {
        const std::string text = str(name == "biology" ? "gene " : "star ", letter, " paper ");
        documents += str(R"({"_id": "d)", letter, R"(", "title": "", "text": ")", text, R"(model"})", "\n");
        queries += str(R"({"_id": "q)", letter, R"(", "text": ")", text, "\"}\n");
        qrels += str("q", letter, "\td", letter, "\t1\n");
      }
      write("sets/" + name + "/corpus.jsonl", documents);
      write("sets/" + name + "/queries.jsonl", queries);
      write("sets/" + name + "/qrels/test.tsv", qrels);
    }
    write("retrieval.toml", R"([eval]
pairs = false
mixed_index = true
retrieval = ["beir:sets/biology", "beir:sets/physics"]
[dist]
threads = 1
)");
  }

  nlohmann::json results(const fs::path& path) { return nlohmann::json::parse(read(path)).at("retrieval"); }
};

TEST_F(Retrieval, is_measured_on_each_collection_and_on_all_together_without_a_corpus) {
  const Outcome outcome = coterie({"eval", "hf", "retrieval.toml", "json=out.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  for (const char* word : {"biology", "physics", "mixed", "nDCG@10", "MAP@100", "Recall@100"})
    EXPECT_THAT(outcome.out, HasSubstr(word));
  const auto json = results("out.json").at("model");
  EXPECT_EQ(json.at("biology").at("queries"), 26);
  EXPECT_EQ(json.at("mixed").at("documents"), 52);
  // Fewer documents than 100: all are found.
  EXPECT_EQ(json.at("biology").at("Recall@100"), 1.0);
  EXPECT_GT(json.at("biology").at("nDCG@10"), 0.0);
}

TEST_F(Retrieval, gives_the_same_runs_on_any_number_of_ranks) {
  ASSERT_EQ(coterie({"eval", "hf", "retrieval.toml", "eval.save=one"}).code, 0);
  for (const int ranks : {2, 4}) {
    const std::string folder = str("on_", ranks);

    const Outcome outcome = mpirun(ranks, {"eval", "hf", "retrieval.toml", "eval.save=" + folder});

    ASSERT_EQ(outcome.code, 0) << outcome;
    for (const char* file : {"biology.model.run", "physics.model.run", "mixed.model.run", "mixed.qrels",
                             "examples.model.biology.json", "examples.model.mixed.json"})
      EXPECT_EQ(read(folder + "/" + file), read(str("one/", file))) << ranks << ' ' << file;
  }
}

TEST_F(Retrieval, saved_runs_score_as_they_were_measured) {
  ASSERT_EQ(coterie({"eval", "hf", "retrieval.toml", "eval.save=saved", "json=out.json"}).code, 0);

  const Outcome outcome = coterie({"score", "saved/mixed.model.run", "saved/mixed.qrels", "json=score.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("nDCG@10"));
  auto expected = results("out.json").at("model").at("mixed");
  expected.erase("documents");
  EXPECT_EQ(nlohmann::json::parse(read("score.json")), expected);
}

TEST_F(Retrieval, queries_without_a_domain_need_one_that_the_model_knows) {
  build_corpus();
  ASSERT_EQ(coterie({"train", "run.toml", "train.steps=1"}).code, 0);

  const Outcome refused = coterie({"eval", "runs/tiny", "retrieval.toml", "eval.untouched=false"});
  const Outcome taken =
      coterie({"eval", "runs/tiny", "retrieval.toml", "eval.untouched=false", "experts.unknown_domain=biology"});

  EXPECT_EQ(refused.code, static_cast<int>(Exit::config)) << refused;
  EXPECT_THAT(refused.err, HasSubstr("experts.unknown_domain"));
  EXPECT_EQ(taken.code, 0) << taken;
}

TEST_F(Retrieval, baselines_stand_in_the_same_tables_and_find_the_words) {
  const Outcome outcome = coterie(
      {"eval", "hf", "retrieval.toml", "eval.baselines=[\"tfidf\", \"tfidf_4096\", \"bm25\"]", "json=out.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("bm25: k1 = 0.9, b = 0.4"));
  const auto json = results("out.json");
  // A query's one letter is no word: all documents of a collection tie, before those of the other one, which share only
  // "paper" with it. The last id is first, which is right for the last of the 26 queries.
  for (const char* name : {"tfidf", "tfidf_4096", "bm25"})
    for (const char* collection : {"biology", "physics", "mixed"}) {
      const auto& measures = json.at(name).at(collection);
      EXPECT_EQ(measures.at("queries"), collection == std::string("mixed") ? 52 : 26);
      EXPECT_DOUBLE_EQ(measures.at("P@1").get<double>(), 1.0 / 26) << name << ' ' << collection;
    }
  expect_refused({"eval", "hf", "retrieval.toml", "eval.baselines=tf"}, Exit::config, {"eval.baselines"});
}

TEST_F(Retrieval, pairs_have_both_conventions_intervals_and_baselines_and_two_models_are_compared) {
  build_corpus();
  const std::vector<std::string> arguments = {
      "eval", "hf", "run.toml", "eval.baselines=bm25", "eval.save=saved", "eval.resamples=50"};

  const Outcome outcome = coterie([&] {
    auto all = arguments;
    all.emplace_back("json=out.json");
    return all;
  }());
  ASSERT_EQ(outcome.code, 0) << outcome;

  const auto json = nlohmann::json::parse(read("out.json"));
  for (const char* model : {"model", "bm25"}) {
    const auto& all = json.at(model).at("all");
    EXPECT_TRUE(all.at("sentence_transformers").contains("mcc"));
    const auto& interval = all.at("intervals").at("average_precision");
    EXPECT_LE(0.0, interval.at(0));
    EXPECT_LE(interval.at(0), interval.at(1));
    EXPECT_LE(interval.at(1), 1.0);
  }
  const Outcome scored = coterie({"score", "saved/pairs.model.csv", "resamples=50", "json=one.json"});
  ASSERT_EQ(scored.code, 0) << scored;
  EXPECT_EQ(nlohmann::json::parse(read("one.json")).at("roc_auc"), json.at("model").at("all").at("roc_auc"));
  EXPECT_EQ(nlohmann::json::parse(read("one.json")).at("intervals"), json.at("model").at("all").at("intervals"));
  const Outcome compared = coterie({"score", "saved/pairs.model.csv", "saved/pairs.bm25.csv", "json=two.json"});
  ASSERT_EQ(compared.code, 0) << compared;
  EXPECT_THAT(compared.out, HasSubstr("average_precision"));
  EXPECT_DOUBLE_EQ(
      nlohmann::json::parse(read("two.json")).at("roc_auc").at("difference").get<double>(),
      json.at("bm25").at("all").at("roc_auc").get<double>() - json.at("model").at("all").at("roc_auc").get<double>());
  EXPECT_EQ(count(compared.err, "without domains"), 0) << compared;
  std::string nameless = read("saved/pairs.bm25.csv");
  nameless.replace(nameless.find("domain"), 6, "field");
  write("undomained.csv", nameless);
  const Outcome warned = coterie({"score", "saved/pairs.model.csv", "undomained.csv"});
  EXPECT_EQ(warned.code, 0) << warned;
  EXPECT_EQ(count(warned.err, "pairs are compared without domains (undomained.csv)"), 1) << warned;
  write("other.csv", "prediction,label\n0.9,1\n0.2,0\n");
  expect_refused({"score", "saved/pairs.model.csv", "other.csv"}, Exit::data, {"same pairs"});
}

TEST_F(Retrieval, what_is_found_about_a_run_is_kept_in_its_folder_and_in_its_report) {
  build_corpus();
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);

  ASSERT_EQ(coterie({"eval", "runs/tiny", "json=''", "eval.save=''"}).code, 0);
  EXPECT_FALSE(exists("runs/tiny/eval.json"));
  EXPECT_FALSE(exists("runs/tiny/pairs.trained.csv"));

  const Outcome outcome =
      coterie({"eval", "runs/tiny", "eval.baselines=bm25", "eval.retrieval=[\"beir:sets/biology\"]"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const Outcome reported = coterie({"report", "runs/tiny"});

  ASSERT_EQ(reported.code, 0) << reported;
  // A header, and the held out documents of both domains.
  EXPECT_EQ(count(read("runs/tiny/projection.trained.csv"), "\n"), 1 + 2 * kHeldOutDocuments);
  EXPECT_TRUE(exists("runs/tiny/projection.untouched.csv"));
  EXPECT_FALSE(exists("runs/tiny/projection.bm25.csv"));
  const auto examples = nlohmann::json::parse(read("runs/tiny/examples.trained.biology.json"));
  ASSERT_EQ(examples.at("queries").size(), 3U);
  EXPECT_EQ(examples.at("queries")[2].at("id"), "qc");
  EXPECT_EQ(examples.at("queries")[2].at("text"), "gene c paper");
  ASSERT_EQ(examples.at("queries")[2].at("found").size(), 5U);
  for (const auto& found : examples.at("queries")[2].at("found"))
    EXPECT_EQ(found.at("relevant"), found.at("id") == "dc");
  const std::string page = read("runs/tiny/report.html");
  for (const char* part : {"Experts of each domain in layer 1, steps 3 to 4", "Embeddings of documents, untouched",
                           "Embeddings of documents, trained", "biology, bm25: the best documents", "qc: gene c paper"})
    EXPECT_THAT(page, HasSubstr(part));
}

TEST_F(Retrieval, two_runs_are_compared_query_by_query) {
  ASSERT_EQ(coterie({"eval", "hf", "retrieval.toml", "eval.save=saved", "eval.baselines=bm25", "json=one.json"}).code,
            0);

  const Outcome outcome =
      coterie({"score", "saved/biology.model.run", "saved/biology.bm25.run", "saved/biology.qrels", "json=two.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  const auto map_of = [&, json = results("one.json")](const char* name) {
    return json.at(name).at("biology").at("MAP@100").get<double>();
  };
  const auto compared = nlohmann::json::parse(read("two.json")).at("MAP@100");
  const auto difference = compared.at("difference").get<double>();
  EXPECT_NE(difference, 0.0);
  // Three means of 26 values of at most 1.
  EXPECT_NEAR(difference, map_of("bm25") - map_of("model"), 3 * 26 * 1.2e-16);
  EXPECT_LE(compared.at("low"), difference);
  EXPECT_GE(compared.at("high"), difference);
  EXPECT_GT(compared.at("p"), 0.0);
  EXPECT_LT(compared.at("p"), 1.0);
}

TEST_F(Retrieval, a_query_that_one_run_alone_answers_counts_zero_in_the_other) {
  ASSERT_EQ(coterie({"eval", "hf", "retrieval.toml", "eval.save=saved", "eval.baselines=bm25"}).code, 0);
  const std::string whole = read("saved/biology.bm25.run");
  const std::string query = whole.substr(0, whole.find(' ') + 1);
  std::istringstream lines(whole);
  std::ofstream less(root() / "saved" / "less.run");
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with(query)) less << line << '\n';
  less.close();

  const Outcome outcome =
      coterie({"score", "saved/biology.bm25.run", "saved/less.run", "saved/biology.qrels", "json=a.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("score: 1 queries count zero"));
  // Its one relevant document of 26 queries is found by the other run alone.
  EXPECT_NEAR(nlohmann::json::parse(read("a.json")).at("Recall@100").at("difference").get<double>(), -1.0 / 26, 1e-15);
}

TEST_F(Retrieval, a_routed_model_has_a_matrix_of_domains) {
  build_corpus();
  // Experts that differ.
  ASSERT_EQ(coterie({"train", "run.toml", "train.steps=2", "experts.copy_noise=1"}).code, 0);

  const Outcome outcome =
      coterie({"eval", "runs/tiny", "eval.untouched=false", "eval.cross_domain=true", "json=out.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("as physics"));
  const auto json = nlohmann::json::parse(read("out.json"));
  const auto& matrix = json.at("cross_domain").at("trained");
  for (const std::string domain : {"biology", "physics"}) {
    // The own column is what the table of domains has, but for other batch mates.
    EXPECT_NEAR(matrix.at(domain).at(domain).get<double>(),
                json.at("trained").at(domain).at("average_precision").get<double>(), 1e-9);
    EXPECT_NE(matrix.at(domain).at(domain), matrix.at(domain).at(domain == "biology" ? "physics" : "biology"));
  }
}

// Queries a to p train, the others test; some of the training queries are held out for validation.
TEST_F(Retrieval, a_model_trained_on_queries_is_measured_on_those_it_never_saw) {
  std::string train = "query-id\tcorpus-id\tscore\n";
  std::string test = train;
  for (char letter = 'a'; letter <= 'z'; ++letter)
    (letter <= 'p' ? train : test) += str("q", letter, "\td", letter, "\t1\n");
  for (const std::string name : {"biology", "physics"}) {
    write("sets/" + name + "/qrels/train.tsv", train);
    write("sets/" + name + "/qrels/test.tsv", test);
  }
  write("queries.toml", R"(run = "queries"
[model]
checkpoint = "hf"
[data]
corpus = "corpora/queries.h5"
sources = ["beir:sets/biology", "beir:sets/physics"]
batch_pairs = 4
[loss]
kind = "mnr"
[optim]
warmup_steps = 1
[train]
steps = 2
[eval]
retrieval = ["beir:sets/biology", "beir:sets/physics"]
[dist]
threads = 1
)");
  ASSERT_EQ(coterie({"data", "build", "queries.toml"}).code, 0);
  ASSERT_EQ(coterie({"train", "queries.toml"}).code, 0);

  const Outcome outcome = coterie({"eval", "runs/queries", "json=test.json"});
  const Outcome held_out = coterie({"eval", "runs/queries", "eval.split=validation", "json=validation.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  ASSERT_EQ(held_out.code, 0) << held_out;
  EXPECT_EQ(results("test.json").at("trained").at("biology").at("queries"), 10);
  // floor(16 * 0.15) of the training queries.
  EXPECT_EQ(results("validation.json").at("trained").at("biology").at("queries"), 2);
}

TEST_F(Retrieval, of_a_run_is_by_what_its_loss_compared_by) {
  build_corpus();
  ASSERT_EQ(coterie({"train", "run.toml", "model.normalize=false", "loss.similarity=dot", "loss.scale=1"}).code, 0);
  std::string said;
  const auto best_score = [&](const std::string& folder, const std::vector<std::string>& settings) {
    std::vector<std::string> words = {"eval", "runs/tiny", "eval.pairs=false", "eval.retrieval=[\"beir:sets/biology\"]",
                                      "eval.save=" + folder};
    words.insert(words.end(), settings.begin(), settings.end());
    const Outcome outcome = coterie(words);
    EXPECT_EQ(outcome.code, 0) << outcome;
    said = outcome.err;
    std::istringstream first(read(folder + "/biology.trained.run"));
    std::string query, q0, document;
    int rank = 0;
    double score = 0.0;
    first >> query >> q0 >> document >> rank >> score;
    return score;
  };

  const double product = best_score("dot", {});
  EXPECT_EQ(count(said, "the model was trained with"), 0) << said;
  const double cosine = best_score("cosine", {"loss.similarity=cosine"});
  EXPECT_EQ(count(said, "searched by loss.similarity \"cosine\", the model was trained with \"dot\""), 1) << said;

  // Embeddings of eight columns after LayerNorm and pooling are longer than one.
  EXPECT_GT(product, 1.1);
  EXPECT_LE(cosine, 1.0 + 1e-6);
  EXPECT_GT(cosine, 0.0);
}

TEST_F(Retrieval, a_collection_is_not_called_as_the_index_of_all) {
  fs::rename(root() / "sets" / "physics", root() / "sets" / "mixed");

  expect_refused({"eval", "hf", "retrieval.toml", "eval.retrieval=[\"beir:sets/biology\",\"beir:sets/mixed\"]"},
                 Exit::config, {"no collection may be called 'mixed' beside the index of all (eval.mixed_index"});
}

TEST_F(Retrieval, with_nothing_to_measure_is_refused) {
  expect_refused({"eval", "hf", "eval.pairs=false"}, Exit::config, {"eval.retrieval"});
  expect_refused({"eval", "hf", "eval.pairs=false", "eval.retrieval=trec:x"}, Exit::config, {"beir:PATH"});
}

}  // namespace
}  // namespace coterie::test
