// eval, embed and export of a trained run: what they write, that they agree, and what they refuse.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/npy.h"
#include "base/sha256.h"
#include "data/corpus.h"
#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

/// A workspace with a corpus and a trained run of two experts and domain tokens.
class TrainedRun : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (IsSkipped()) return;
    build_corpus();
    // Enough learning that the experts of the two domains differ.
    const Outcome outcome = coterie({"train", "run.toml", "train.steps=8", "optim.lr=0.05"});
    ASSERT_EQ(outcome.code, 0) << outcome;
    write("in.txt", "gene a b c\n\nstar expert model paper x y z , . a b c d e f g h i j\nunknown words\n");
  }

  NpyArray embed(const std::string& model, const std::string& in, const std::vector<std::string>& settings = {}) {
    std::vector<std::string> arguments = {"embed", model, in, "out.npy"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    fs::remove(root() / "out.npy");
    const Outcome outcome = coterie(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return outcome.code == 0 ? read_npy(root() / "out.npy") : NpyArray{};
  }
};

double distance(const NpyArray& a, const NpyArray& b) {
  if (a.values.size() != b.values.size()) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i])));
  return most;
}

TEST_F(TrainedRun, is_evaluated_beside_the_untouched_model) {
  const Outcome outcome = coterie({"eval", "runs/tiny", "json=eval.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  for (const char* word : {"untouched", "trained", "all", "biology", "physics", "ROC-AUC"})
    EXPECT_THAT(outcome.out, HasSubstr(word));
  const auto json = nlohmann::json::parse(read("eval.json"));
  for (const char* model : {"untouched", "trained"}) {
    const double auc = json.at(model).at("all").at("roc_auc");
    EXPECT_GE(auc, 0.0);
    EXPECT_LE(auc, 1.0);
  }
  EXPECT_NE(json.at("untouched").at("all").at("pos_sim"), json.at("trained").at("all").at("pos_sim"));
}

TEST_F(TrainedRun, is_evaluated_beside_the_checkpoint_it_started_from_whatever_the_config_says) {
  write_tiny_checkpoint(root() / "other", 2);
  const auto untouched = [&](const std::string& json) { return nlohmann::json::parse(read(json)).at("untouched"); };
  ASSERT_EQ(coterie({"eval", "runs/tiny", "json=own.json"}).code, 0);

  const Outcome there = coterie({"eval", "runs/tiny", "model.checkpoint=other", "json=there.json"});
  fs::rename(root() / "hf", root() / "moved");
  const Outcome gone = coterie({"eval", "runs/tiny", "model.checkpoint=other", "json=gone.json"});

  ASSERT_EQ(there.code, 0) << there;
  EXPECT_EQ(untouched("there.json"), untouched("own.json"));
  EXPECT_EQ(count(there.err, "is gone"), 0) << there;
  ASSERT_EQ(gone.code, 0) << gone;
  EXPECT_NE(untouched("gone.json"), untouched("own.json"));
  EXPECT_EQ(count(gone.err, "the checkpoint that the run started from is gone, measuring model.checkpoint 'other'"), 1)
      << gone;
}

TEST_F(TrainedRun, is_evaluated_beside_an_untouched_model_that_sees_as_much_of_each_text) {
  ASSERT_EQ(coterie({"train", "run.toml", "run=short", "model.max_length=4"}).code, 0);

  ASSERT_EQ(coterie({"eval", "runs/short", "run.toml", "json=run.json"}).code, 0);

  ASSERT_EQ(coterie({"eval", "hf", "run.toml", "model.max_length=4", "json=short.json"}).code, 0);
  ASSERT_EQ(coterie({"eval", "hf", "run.toml", "json=long.json"}).code, 0);
  const auto untouched = nlohmann::json::parse(read("run.json")).at("untouched");
  EXPECT_EQ(untouched, nlohmann::json::parse(read("short.json")).at("model"));
  EXPECT_NE(untouched, nlohmann::json::parse(read("long.json")).at("model"));
}

TEST_F(TrainedRun, on_another_corpus_than_its_own_is_evaluated_with_one_warning) {
  const Outcome same = coterie({"eval", "runs/tiny"});
  EXPECT_EQ(count(same.err, "another corpus"), 0) << same;
  const std::string before = sha256_of_file(root() / "corpora/tiny.h5");
  std::string documents = read("source/documents.jsonl");
  documents.replace(documents.find("gene"), 4, "cell");
  write("source/documents.jsonl", documents);
  build_corpus();

  const Outcome other = mpirun(2, {"eval", "runs/tiny"});

  EXPECT_EQ(other.code, 0) << other;
  EXPECT_EQ(count(other.err, "trained on another corpus"), 1) << other;
  EXPECT_THAT(other.err, HasSubstr(before));
  EXPECT_THAT(other.err, HasSubstr(sha256_of_file(root() / "corpora/tiny.h5")));
}

TEST_F(TrainedRun, is_not_evaluated_into_a_file_that_cannot_be_written_and_that_is_told_once) {
  const Outcome outcome = mpirun(2, {"eval", "runs/tiny", "json=absent/eval.json"});

  EXPECT_EQ(outcome.code, 74) << outcome;
  EXPECT_EQ(count(outcome.err, "absent/eval.json"), 1) << outcome;
  EXPECT_EQ(count(outcome.err, "embedding with"), 0) << outcome;
}

TEST_F(TrainedRun, is_evaluated_where_the_result_file_of_its_training_can_no_longer_be_written) {
  fs::create_directory(root() / "results");
  ASSERT_EQ(coterie({"train", "run.toml", "run=other", "json=results/train.json"}).code, 0);
  fs::remove_all(root() / "results");

  const Outcome outcome = coterie({"eval", "runs/other"});

  EXPECT_EQ(outcome.code, 0) << outcome;
}

TEST_F(TrainedRun, is_evaluated_alike_on_two_ranks) {
  ASSERT_EQ(coterie({"eval", "runs/tiny", "json=one.json"}).code, 0);

  const Outcome outcome = mpirun(2, {"eval", "runs/tiny", "json=two.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  const auto one = nlohmann::json::parse(read("one.json"));
  const auto two = nlohmann::json::parse(read("two.json"));
  for (const char* measure : {"pos_sim", "neg_sim"})
    EXPECT_NEAR(one["trained"]["all"][measure].get<double>(), two["trained"]["all"][measure].get<double>(), 1e-5);
}

TEST_F(TrainedRun, embeds_one_row_of_unit_length_for_each_line) {
  const NpyArray rows = embed("runs/tiny", "in.txt", {"experts.unknown_domain=biology"});

  ASSERT_EQ(rows.shape, (std::vector<std::int64_t>{4, 8}));
  for (std::size_t row = 0; row < 4; ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < 8; ++i) squares += std::pow(static_cast<double>(rows.values[row * 8 + i]), 2);
    EXPECT_NEAR(squares, 1.0, 1e-5);
  }
}

TEST_F(TrainedRun, embeds_alike_on_two_ranks_and_in_small_batches) {
  const NpyArray one = embed("runs/tiny", "in.txt", {"experts.unknown_domain=biology"});
  const NpyArray small = embed("runs/tiny", "in.txt", {"experts.unknown_domain=biology", "eval.batch_tokens=1"});
  fs::remove(root() / "out.npy");

  const Outcome outcome = mpirun(2, {"embed", "runs/tiny", "in.txt", "out.npy", "experts.unknown_domain=biology"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_LE(distance(one, read_npy(root() / "out.npy")), 1e-6);
  EXPECT_LE(distance(one, small), 1e-6);
}

TEST_F(TrainedRun, takes_the_domain_of_each_json_line) {
  write("in.jsonl",
        "{\"text\": \"gene a b\", \"domain\": \"biology\"}\n{\"text\": \"gene a b\", \"domain\": \"physics\"}\n");
  write("one.txt", "gene a b\n");

  const NpyArray both = embed("runs/tiny", "in.jsonl");

  ASSERT_EQ(both.shape, (std::vector<std::int64_t>{2, 8}));
  const NpyArray biology = embed("runs/tiny", "one.txt", {"experts.unknown_domain=biology"});
  const NpyArray physics = embed("runs/tiny", "one.txt", {"experts.unknown_domain=physics"});
  EXPECT_LE(distance({{1, 8}, {both.values.begin(), both.values.begin() + 8}}, biology), 1e-6);
  EXPECT_LE(distance({{1, 8}, {both.values.begin() + 8, both.values.end()}}, physics), 1e-6);
  EXPECT_GT(distance(biology, physics), 1e-3) << "the domains' experts do not differ";
}

TEST_F(TrainedRun, embeds_a_corpus_as_its_texts) {
  const data::Corpus corpus(root() / "corpora/tiny.h5");
  std::string lines;
  for (std::uint32_t d = 0; d < static_cast<std::uint32_t>(corpus.documents()); ++d) {
    const std::string& domain = corpus.domains()[static_cast<std::size_t>(corpus.domain(d))];
    lines += nlohmann::json{{"text", corpus.text(d)}, {"domain", domain}}.dump() + "\n";
  }
  write("in.jsonl", lines);

  const NpyArray rows = embed("runs/tiny", "corpora/tiny.h5");

  EXPECT_EQ(rows.shape, (std::vector<std::int64_t>{2 * (kTrainDocuments + 2 * kHeldOutDocuments), 8}));
  EXPECT_LE(distance(rows, embed("runs/tiny", "in.jsonl")), 1e-6);
}

TEST_F(TrainedRun, refuses_to_embed_a_text_without_a_domain_or_of_an_unknown_one) {
  expect_refused({"embed", "runs/tiny", "in.txt", "out.npy"}, Exit::data,
                 {"one of biology, physics, got none (in.txt:1)", "experts.unknown_domain"});
  write("in.jsonl", "{\"text\": \"a\", \"domain\": \"physics\"}\n\n{\"text\": \"a\", \"domain\": \"poetry\"}\n");
  expect_refused({"embed", "runs/tiny", "in.jsonl", "out.npy"}, Exit::data, {"got 'poetry' (in.jsonl:3)"});
  expect_refused({"embed", "runs/tiny", "in.txt", "out.npy", "experts.unknown_domain=poetry"}, Exit::config,
                 {"one of biology, physics, got 'poetry'"});
}

TEST_F(TrainedRun, refuses_input_that_is_no_text) {
  write("in.jsonl", "{\"text\": \"a\", \"domain\": \"physics\"}\n{\"title\": \"a\"}\n");
  expect_refused({"embed", "runs/tiny", "in.jsonl", "out.npy"}, Exit::data, {"in.jsonl:2", "text"});
  write("in.jsonl", "{\"text\": \"a\", \"domain\": \"physics\"}\nplain words\n");
  expect_refused({"embed", "runs/tiny", "in.jsonl", "out.npy"}, Exit::data, {"in.jsonl:2"});
  write("empty.txt", "");
  expect_refused({"embed", "runs/tiny", "empty.txt", "out.npy"}, Exit::data, {"empty.txt"});
  expect_refused({"embed", "runs/tiny", "in.doc", "out.npy"}, Exit::config, {".txt", "in.doc"});
  expect_refused({"embed", "runs/tiny", "in.txt", "out.csv"}, Exit::config, {".npy", "out.csv"});
}

TEST_F(TrainedRun, refuses_to_write_where_it_cannot) {
  expect_refused({"embed", "runs/tiny", "in.txt", "absent/out.npy", "experts.unknown_domain=biology"}, Exit::io,
                 {"absent/"});
  expect_refused({"export", "runs/tiny", "absent/out", "domain=biology"}, Exit::io, {"absent/"});
}

// A model that cannot be read shows which of the two comes first.
TEST_F(TrainedRun, is_told_of_an_output_that_cannot_be_written_before_the_model_is_read) {
  for (const auto& entry : fs::directory_iterator(run_folder() / "checkpoints"))
    fs::resize_file(entry.path() / "dense.safetensors", 99);

  expect_refused({"export", "runs/tiny", "absent/out", "domain=biology"}, Exit::io, {"absent/out"});
}

TEST_F(TrainedRun, exports_a_dense_model_of_each_domain_that_embeds_alike) {
  for (const std::string domain : {"biology", "physics"}) {
    const Outcome outcome = coterie({"export", "runs/tiny", domain, "domain=" + domain});
    ASSERT_EQ(outcome.code, 0) << outcome;
    for (const char* file : {"config.json", "model.safetensors", "modules.json", "README.md", "vocab.txt"})
      EXPECT_TRUE(exists(domain + "/" + file)) << file;

    const NpyArray dense = embed(domain, "in.txt");

    // Another order of the same sums in fp32, on unit vectors.
    EXPECT_LE(distance(dense, embed("runs/tiny", "in.txt", {"experts.unknown_domain=" + domain})), 1e-6) << domain;
  }
  EXPECT_GT(distance(embed("biology", "in.txt"), embed("physics", "in.txt")), 1e-3);
}

TEST_F(TrainedRun, is_not_exported_without_a_domain_that_it_knows) {
  expect_refused({"export", "runs/tiny", "out"}, Exit::config, {"domain=NAME"});
  expect_refused({"export", "runs/tiny", "out", "domain=poetry"}, Exit::config,
                 {"one of biology, physics, got 'poetry'"});
  expect_refused({"export", "runs/tiny", "out", "domian=biology"}, Exit::config,
                 {"unknown key 'domian'", "did you mean 'domain'?"});
}

TEST_F(TrainedRun, is_not_exported_over_something) {
  write("out/notes.txt", "mine");

  expect_refused({"export", "runs/tiny", "out", "domain=biology"}, Exit::config, {"'out'"});

  EXPECT_EQ(read("out/notes.txt"), "mine");
}

TEST_F(TrainedRun, whose_best_checkpoint_is_damaged_is_refused_by_name) {
  for (const auto& entry : fs::directory_iterator(run_folder() / "checkpoints"))
    fs::resize_file(entry.path() / "dense.safetensors", 99);

  expect_refused({"export", "runs/tiny", "out", "domain=biology"}, Exit::data, {"dense.safetensors"});
  expect_refused({"eval", "runs/tiny"}, Exit::data, {"dense.safetensors"});
}

TEST_F(TrainedRun, that_is_dense_is_exported_without_a_domain) {
  const Outcome trained =
      coterie({"train", "run.toml", "run=dense", "experts.router=none", "experts.domain_tokens=false"});
  ASSERT_EQ(trained.code, 0) << trained;

  const Outcome exported = coterie({"export", "runs/dense", "out"});

  ASSERT_EQ(exported.code, 0) << exported;
  EXPECT_LE(distance(embed("out", "in.txt"), embed("runs/dense", "in.txt")), 1e-6);
  expect_refused({"export", "runs/dense", "other", "domain=biology"}, Exit::config, {"knows no domains"});
}

TEST_F(TrainedRun, with_learned_routes_is_evaluated_and_embedded_but_not_split) {
  const std::vector<std::string> learned = {"train", "run.toml", "experts.router=top_k_token", "experts.count=3",
                                            "experts.domain_tokens=false"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = learned;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const Outcome trained = coterie(with({"run=learned", "experts.top_k=2"}));
  ASSERT_EQ(trained.code, 0) << trained;

  const Outcome evaluated = coterie({"eval", "runs/learned"});

  EXPECT_EQ(evaluated.code, 0) << evaluated;
  EXPECT_EQ(embed("runs/learned", "in.txt").shape, (std::vector<std::int64_t>{4, 8}));
  expect_refused({"export", "runs/learned", "out"}, Exit::config,
                 {"only a route by domain splits into dense models, got router 'top_k_token'"});
  expect_refused({"train", "run.toml", "run=next", "model.checkpoint=runs/learned"}, Exit::config,
                 {"model.checkpoint must be a dense model"});
  expect_refused(with({"run=many", "experts.top_k=4"}), Exit::config, {"experts.top_k must be in 1..3", "got 4"});
}

TEST_F(TrainedRun, with_a_head_of_experts_is_evaluated_and_embedded_but_not_split) {
  const Outcome trained = coterie({"train", "run.toml", "run=head", "experts.router=none",
                                   "experts.domain_tokens=false", "head.kind=sb_moe", "head.experts=3"});
  ASSERT_EQ(trained.code, 0) << trained;
  EXPECT_THAT(trained.err,
              testing::HasSubstr("the run does not start from the checkpoint's embeddings: the head adds"));

  const Outcome evaluated = coterie({"eval", "runs/head"});

  EXPECT_EQ(evaluated.code, 0) << evaluated;
  EXPECT_EQ(embed("runs/head", "in.txt").shape, (std::vector<std::int64_t>{4, 8}));
  EXPECT_GT(distance(embed("runs/head", "in.txt"), embed("runs/head", "in.txt", {"head.inference=all"})), 1e-5);
  expect_refused({"export", "runs/head", "out"}, Exit::config, {"a BERT has no head of experts"});
}

TEST_F(TrainedRun, takes_a_text_without_a_domain_as_of_the_nearest_one) {
  const Outcome trained = coterie({"train", "run.toml", "run=near", "experts.unknown_domain=nearest"});
  ASSERT_EQ(trained.code, 0) << trained;
  write("with.jsonl",
        "{\"text\": \"gene paper a z\", \"domain\": \"biology\"}\n"
        "{\"text\": \"star paper a z\", \"domain\": \"physics\"}\n");
  write("without.jsonl", "{\"text\": \"gene paper a z\"}\n{\"text\": \"star paper a z\"}\n");
  const auto embedded = [&](const std::string& in, const std::string& out) {
    const Outcome done = coterie({"embed", "runs/near", in, out, "experts.unknown_domain=nearest"});
    EXPECT_EQ(done.code, 0) << done;
    return read(out);
  };

  EXPECT_EQ(embedded("without.jsonl", "without.npy"), embedded("with.jsonl", "with.npy"));
  expect_refused({"embed", "runs/near", "without.jsonl", "out.npy"}, Exit::data, {"got none (without.jsonl:1)"});
  expect_refused({"embed", "runs/tiny", "without.jsonl", "out.npy", "experts.unknown_domain=nearest"}, Exit::data,
                 {"tensor 'domains.mean_embedding' is missing"});
}

TEST_F(TrainedRun, routed_by_index_takes_the_expert_that_documents_and_texts_name) {
  write_tiny_collection_with_experts(root() / "named");
  const std::vector<std::string> settings = {"run.toml",
                                             "data.sources=[\"plain:named\"]",
                                             "data.corpus=named.h5",
                                             "run=named",
                                             "experts.router=index",
                                             "experts.domain_tokens=false",
                                             "experts.copy_noise=0.5"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), settings.begin(), settings.end());
    return coterie(words);
  };
  const Outcome built = with({"data", "build"});
  ASSERT_EQ(built.code, 0) << built;
  const Outcome trained = with({"train"});
  ASSERT_EQ(trained.code, 0) << trained;
  write("one.jsonl", "{\"text\": \"gene paper\", \"expert\": 0}\n{\"text\": \"gene paper\", \"expert\": 1}\n");

  const auto two = embed("runs/named", "one.jsonl");

  double difference = 0.0;
  for (std::size_t i = 0; i < 8; ++i) difference += std::abs(two.values[i] - two.values[8 + i]);
  EXPECT_GT(difference, 1e-4) << "experts that differ must be seen";
  expect_refused({"embed", "runs/named", "in.txt", "out.npy"}, Exit::data,
                 {"router: the expert of a text must be in 0..1, got none"});
  write("out_of_range.jsonl", "{\"text\": \"gene paper\", \"expert\": 2}\n");
  expect_refused({"embed", "runs/named", "out_of_range.jsonl", "out.npy"}, Exit::data,
                 {"router: the expert of a text must be in 0..1, got 2"});
  // Before the first step, not when the document's batch comes.
  std::vector<std::string> fewer = settings;
  fewer.insert(fewer.begin(), "train");
  fewer.insert(fewer.end(), {"run=fewer", "experts.count=1"});
  expect_refused(fewer, Exit::data, {"the expert of document 'biology:", "must be in 0..0, got 1"});
}

TEST_F(TrainedRun, routed_by_index_needs_the_expert_of_every_text) {
  expect_refused({"train", "run.toml", "run=index", "experts.router=index"}, Exit::config,
                 {"needs a corpus whose documents name an 'expert'"});
}

TEST_F(TrainedRun, cannot_be_the_start_of_another_with_domains) {
  expect_refused({"train", "run.toml", "run=next", "model.checkpoint=runs/tiny"}, Exit::config,
                 {"model.checkpoint must be a dense model"});
}

}  // namespace
}  // namespace coterie::test
