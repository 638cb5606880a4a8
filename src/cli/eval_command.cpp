// coterie eval: pair classification and retrieval of a model, beside the untouched one.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file_ops.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/eval_pairs.h"
#include "cli/eval_retrieval.h"
#include "cli/ranks.h"
#include "config/config.h"
#include "dist/environment.h"
#include "dist/together.h"
#include "eval/metrics_table.h"
#include "model/source_hash.h"
#include "train/decisive_settings.h"
#include "train/model_setup.h"
#include "train/nearest_domain.h"
#include "train/training_state.h"

namespace coterie::cli {
namespace {

/// What was measured so far, as tables and as JSON.
class Results {
 public:
  void add(const std::string& model, const std::vector<eval::DomainResult>& rows) {
    add_pair_rows(pairs_, model, rows);
    json_[model] = pair_json(rows);
  }
  void add(const std::string& model, const CrossDomain& cross) {
    cross_ += str("\n", model, "\n", cross_domain_table(cross).text());
    json_["cross_domain"][model] = cross_domain_json(cross);
  }
  void add(const std::vector<eval::NamedRetrieval>& rows) { found_.insert(found_.end(), rows.begin(), rows.end()); }

  [[nodiscard]] std::string text() const {
    const std::string pairs = (pairs_.rows() > 0 ? pairs_.text() : "") + cross_;
    if (found_.empty()) return pairs;
    return str(pairs, pairs.empty() ? "" : "\n", retrieval_table(found_).text());
  }
  [[nodiscard]] nlohmann::ordered_json json() const {
    nlohmann::ordered_json json = json_;
    if (!found_.empty()) json["retrieval"] = retrieval_json(found_);
    return json;
  }

 private:
  Table pairs_ = pair_table();
  std::string cross_;
  std::vector<eval::NamedRetrieval> found_;
  nlohmann::ordered_json json_ = nlohmann::ordered_json::object();
};

/// A model under its name in the table.
struct Candidate {
  std::string name;
  model::ModelSource source;
};

// The config file of a command about a run is the run's own unless another is named.
std::string config_of(const CommandLine& line) {
  if (line.positional.size() > 1) return line.positional[1];
  const fs::path kept = fs::path(line.positional[0]) / "config.toml";
  return fs::exists(kept) ? kept.string() : "";
}

// A checkpoint's pairs are unseen only in the corpus that it was trained on: another split mixes them.
void warn_of_another_corpus(const model::ModelSource& measured, const train::TrainingState& state,
                            const std::string& corpus) {
  const auto trained_on = state.settings.find(train::kCorpusHash);
  if (!log::leads() || trained_on == state.settings.end() || !fs::exists(corpus)) return;
  const std::string sha256 = sha256_of_file(corpus);
  if (sha256 != trained_on->second)
    log::warn(str("eval: the model was trained on another corpus, whose training pairs this one may measure; SHA-256 ",
                  trained_on->second, " (", measured.folder.string(), "), got ", sha256, " (", corpus, ")"));
}

// Searching compares as the command's config says, which may not be what the model learned.
void warn_of_another_similarity(const train::TrainingState& state, const train::RunOptions& options) {
  const std::string key = "loss.similarity";
  const std::string now = config::values(options).at(key);
  const auto learned = state.settings.find(key);
  if (!log::leads() || options.eval.retrieval.empty() || learned == state.settings.end() || learned->second == now)
    return;
  log::warn(str("eval: collections are searched by ", key, " ", now, ", the model was trained with ", learned->second));
}

// The checkpoint that a run started from; where it is gone, the one that the config names.
model::ModelSource untouched_of(const train::TrainingState& state, const train::RunOptions& options) {
  const train::Start& start = state.start;
  if (fs::is_directory(start.folder)) {
    auto source = model::ModelSource::open(start.folder, options.model.added_tokens);
    if (log::leads() && model::weights_sha256(source) != state.settings.at(train::kWeightsHash))
      log::warn(
          str("eval: the checkpoint that the run started from has other weights now, and is measured as untouched (",
              start.folder, ")"));
    return source;
  }
  if (log::leads())
    log::warn(str("eval: the checkpoint that the run started from is gone, measuring model.checkpoint '",
                  options.model.checkpoint, "' as untouched (", start.checkpoint, ", ",
                  start.folder.empty() ? "a folder that was not kept" : start.folder, ")"));
  return model::ModelSource::open(options.model);
}

/// The measured model is the last one.
std::vector<Candidate> candidates_of(const std::string& model, const train::RunOptions& options) {
  const auto shorten = [](model::ModelSpec& spec, std::int64_t max_length) {
    if (max_length > 0) spec.max_length = std::min(spec.bert.max_position_embeddings, max_length);
  };
  // The checkpoint that the config starts from is measured as runs start from it: with the tokens that it adds.
  const bool start = model == options.model.checkpoint;
  Candidate measured{"model", start ? model::ModelSource::open(options.model) : model::ModelSource::open(model)};
  if (!measured.source.checkpoint) {
    shorten(measured.source.spec, options.model.max_length);
    return {measured};
  }
  measured.name = "trained";
  const train::TrainingState state = train::read_training_state(measured.source.folder);
  warn_of_another_corpus(measured.source, state, options.data.corpus);
  warn_of_another_similarity(state, options);
  if (!options.eval.untouched) return {measured};
  Candidate untouched{"untouched", untouched_of(state, options)};
  // It sees the same part of each text as the trained one.
  shorten(untouched.source.spec, measured.source.spec.max_length);
  return {untouched, measured};
}

// The command line says how a head answers, else a config that has one does, else its checkpoint.
void answer_as_said(model::ModelSource& measured, const CommandLine& line, const train::RunOptions& options) {
  const bool both_have_one =
      measured.spec.head != experts::HeadKind::none && options.head.kind != experts::HeadKind::none;
  if (!both_have_one && !line.sets("head.inference")) return;
  const auto name = [](experts::HeadInference inference) {
    return experts::kHeadInferenceNames[static_cast<std::size_t>(inference)];
  };
  const experts::HeadInference learned = measured.spec.head_inference;
  measured.set_head_inference(options.head.inference);
  if (log::leads() && !line.sets("head.inference") && options.head.inference != learned)
    log::warn(str("eval: the head answers by '", name(options.head.inference), "', as the config says; its run said '",
                  name(learned), "' (head.inference)"));
}

// What a run's checkpoint fixes and a command cannot change.
void warn_of_ignored(const CommandLine& line, const model::ModelSource& measured) {
  if (!log::leads()) return;
  if (measured.checkpoint && line.sets("model.max_length"))
    log::warn(str("eval: model.max_length is ignored, the run's checkpoint says ", measured.spec.max_length));
  if (line.sets("model.normalize")) log::warn("eval: model.normalize is ignored, models are measured as they are");
}

model::SentenceEncoder read_model(const model::ModelSource& source, const train::RunOptions& options,
                                  const dist::Mesh& mesh) {
  return model::make_sentence_encoder(source.spec, source.read(model::expert_range(source.spec, mesh)), mesh,
                                      model::dtypes_of(options.model.precision));
}

// The corpus of the pairs; retrieval alone looks into it for training queries, where it is there.
std::optional<data::Corpus> open_corpus(const train::RunOptions& options) {
  if (!options.eval.pairs && options.eval.retrieval.empty())
    throw ConfigError("config: eval.pairs or eval.retrieval must name something to measure, got neither");
  if (!options.eval.pairs && !fs::exists(options.data.corpus)) return std::nullopt;
  return std::optional<data::Corpus>(options.data.corpus);
}

// Said before anything is measured and saved.
void expect_experts_named(const std::vector<Candidate>& candidates, const train::RunOptions& options,
                          const std::optional<data::Corpus>& corpus) {
  const bool by_index = std::any_of(candidates.begin(), candidates.end(), [](const Candidate& candidate) {
    return candidate.source.spec.router == experts::RouterKind::index;
  });
  if (!by_index) return;
  constexpr const char* kNeeds = "eval: experts.router 'index' needs texts that name an 'expert', got ";
  if (options.eval.pairs && !corpus->names_experts())
    throw DataError(str(kNeeds, "texts that name none (", corpus->path().string(), ")"));
  if (!options.eval.retrieval.empty()) throw ConfigError(str(kNeeds, "collections, which name none (eval.retrieval)"));
}

// What is found about a run is kept in its folder, where its report looks for it, unless the command names other
// places, or none. The run's own config may name the result file of its training: that is not one.
void keep_in_run(const CommandLine& line, train::RunOptions& options) {
  const fs::path folder = line.positional[0];
  if (!fs::is_directory(folder / "checkpoints")) return;
  if (!line.sets("json") && (line.positional.size() < 2 || options.json.empty())) options.json = folder / "eval.json";
  if (!line.sets("eval.save") && options.eval.save.empty()) options.eval.save = folder;
}

// The folder of what is saved; rank 0 writes.
void make_save_folder(const train::RunOptions& options, const dist::Mesh& mesh) {
  const std::string& folder = options.eval.save;
  if (folder.empty()) return;
  dist::together(mesh.world(), [&] {
    if (mesh.world().rank() != 0) return;
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw IoError(str("eval: cannot make directory '", folder, "': ", error.message(), " (eval.save)"));
    expect_folder_writable(fs::path(folder) / "run");
  });
}

}  // namespace

Exit evaluate(const CommandLine& line, int& argc, char**& argv) {
  if (line.help_config) return print_and_exit("", line) ? Exit::ok : Exit::bug;
  line.expect(1, 2);
  const std::string file = config_of(line);
  if (print_and_exit(file, line)) return Exit::ok;
  const dist::MpiEnvironment mpi(argc, argv);
  train::RunOptions options = shared_configuration(file, line).options;
  keep_in_run(line, options);
  const dist::Mesh mesh = make_mesh(options, Layout::replicated);
  expect_writable_for_all(mesh, {options.json});
  make_save_folder(options, mesh);
  const std::optional<data::Corpus> corpus = open_corpus(options);
  const RetrievalBench retrieval(options, corpus ? &*corpus : nullptr);
  std::optional<PairBench> pairs;
  if (options.eval.pairs) pairs.emplace(options, *corpus);
  // Says what is wrong with a name before the work.
  for (const std::string& baseline : options.eval.baselines)
    (void)eval::make_baseline(baseline, {}, eval::bm25_of(options.eval));

  std::vector<Candidate> candidates = candidates_of(line.positional[0], options);
  answer_as_said(candidates.back().source, line, options);
  warn_of_ignored(line, candidates.back().source);
  expect_experts_named(candidates, options, corpus);

  Results results;
  for (const Candidate& candidate : candidates) {
    log::info(str("embedding with the ", candidate.name, candidate.name == "model" ? "" : " model", " (",
                  candidate.source.folder.string(), ")"));
    const data::Tokenizer tokenizer = pairs ? candidate.source.tokenizer_of(*corpus) : candidate.source.tokenizer();
    const model::SentenceEncoder model = read_model(candidate.source, options, mesh);
    const auto nearest = train::nearest_domain_of(candidate.source, options, mesh);
    MeasuredModel measured{candidate.name, model, tokenizer};
    if (nearest) measured.place_unknown = [&](data::PackedSequences& texts) { nearest->assign(texts); };
    if (pairs) results.add(candidate.name, pairs->measure(measured, mesh));
    if (pairs && options.eval.cross_domain && !model.spec.domains.empty())
      results.add(candidate.name, pairs->cross_domain(measured, mesh));
    results.add(retrieval.measure(measured, mesh));
  }
  for (const std::string& baseline : options.eval.baselines) {
    log::info(str("counting words for ", baseline));
    if (pairs) results.add(baseline, pairs->measure(baseline, mesh));
    results.add(retrieval.measure(baseline, mesh));
  }
  if (mesh.world().rank() != 0) return Exit::ok;
  std::cout << results.text();
  if (std::count(options.eval.baselines.begin(), options.eval.baselines.end(), "bm25") > 0)
    std::cout << "bm25: k1 = " << options.eval.bm25_k1 << ", b = " << options.eval.bm25_b << "\n";
  write_json(options.json, results.json().dump(2));
  return Exit::ok;
}

}  // namespace coterie::cli
