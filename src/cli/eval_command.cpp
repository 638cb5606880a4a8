// coterie eval: pair classification of a model, beside the untouched one.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file_ops.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/ranks.h"
#include "dist/environment.h"
#include "eval/metrics_table.h"
#include "model/source_hash.h"
#include "train/decisive_settings.h"
#include "train/model_setup.h"
#include "train/training_state.h"

namespace coterie::cli {
namespace {

/// A model under its name in the table.
struct Candidate {
  std::string name;
  model::ModelSource source;
};

std::vector<eval::DomainResult> classify(const Candidate& candidate, const train::RunOptions& options,
                                         const data::Corpus& corpus, const dist::Mesh& mesh) {
  const model::ModelSpec& spec = candidate.source.spec;
  (void)candidate.source.tokenizer_of(corpus);
  const auto weights = candidate.source.read(model::expert_range(spec, mesh));
  const model::SentenceEncoder model =
      model::make_sentence_encoder(spec, weights, mesh, model::dtypes_of(options.model.precision));
  const eval::CorpusView view = train::view_of(corpus, spec, options);
  const auto score = [&](data::Split split) { return eval::score_pairs(*model.encoder, view, split, mesh); };
  const eval::ScoredPairs validation = score(data::Split::validation);
  const bool test = options.eval.split == eval::EvalSplit::test;
  return eval::classify(corpus.domains(), test ? score(data::Split::test) : validation, validation);
}

void add_rows(Table& table, const std::string& model, const std::vector<eval::DomainResult>& results) {
  for (const eval::DomainResult& r : results) {
    const eval::PairMetrics& m = r.metrics;
    const bool fixed = r.at_validation.has_value();
    table.add_row({model, r.domain, str(m.positives), decimal(m.roc_auc, 4), decimal(m.average_precision, 4),
                   decimal(m.f1, 4), decimal(m.precision, 4), decimal(m.recall, 4), decimal(m.threshold, 4),
                   fixed ? decimal(r.at_validation->measures.f1, 4) : "-",
                   fixed ? decimal(r.at_validation->threshold, 4) : "-", decimal(m.pos_sim, 4), decimal(m.neg_sim, 4),
                   decimal(m.sim_ratio, 4)});
  }
}

nlohmann::ordered_json to_json(const std::vector<eval::DomainResult>& results) {
  nlohmann::ordered_json domains = nlohmann::ordered_json::object();
  for (const eval::DomainResult& r : results) {
    domains[r.domain] = eval::metrics_json(r.metrics);
    domains[r.domain]["validation_threshold"] = nullptr;
    domains[r.domain]["f1_at_validation_threshold"] = nullptr;
    if (!r.at_validation) continue;
    domains[r.domain]["validation_threshold"] = r.at_validation->threshold;
    domains[r.domain]["f1_at_validation_threshold"] = r.at_validation->measures.f1;
  }
  return domains;
}

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
  if (!log::leads() || trained_on == state.settings.end()) return;
  const std::string sha256 = sha256_of_file(corpus);
  if (sha256 != trained_on->second)
    log::warn(str("eval: the model was trained on another corpus, whose training pairs this one may measure; SHA-256 ",
                  trained_on->second, " (", measured.folder.string(), "), got ", sha256, " (", corpus, ")"));
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

std::vector<Candidate> candidates_of(const std::string& model, const train::RunOptions& options) {
  const auto shorten = [](model::ModelSpec& spec, std::int64_t max_length) {
    if (max_length > 0) spec.max_length = std::min(spec.bert.max_position_embeddings, max_length);
  };
  Candidate measured{"model", model::ModelSource::open(model)};
  if (!measured.source.checkpoint) {
    shorten(measured.source.spec, options.model.max_length);
    return {measured};
  }
  measured.name = "trained";
  const train::TrainingState state = train::read_training_state(measured.source.folder);
  warn_of_another_corpus(measured.source, state, options.data.corpus);
  if (!options.eval.untouched) return {measured};
  Candidate untouched{"untouched", untouched_of(state, options)};
  // It sees the same part of each text as the trained one.
  shorten(untouched.source.spec, measured.source.spec.max_length);
  return {untouched, measured};
}

}  // namespace

Exit evaluate(const CommandLine& line, int& argc, char**& argv) {
  if (line.help_config) return print_and_exit("", line) ? Exit::ok : Exit::bug;
  line.expect(1, 2);
  const std::string file = config_of(line);
  if (print_and_exit(file, line)) return Exit::ok;
  const dist::MpiEnvironment mpi(argc, argv);
  train::RunOptions options = shared_configuration(file, line).options;
  // The run's own config may name the result file of its training.
  const auto names_json = [](const std::string& setting) { return setting.starts_with("json="); };
  if (line.positional.size() < 2 && std::none_of(line.settings.begin(), line.settings.end(), names_json))
    options.json.clear();
  const dist::Mesh mesh = make_mesh(options, Layout::replicated);
  expect_writable_for_all(mesh, {options.json});
  const data::Corpus corpus(options.data.corpus);

  Table table({"model", "domain", "pairs", "ROC-AUC", "AP", "F1max", "precision", "recall", "threshold", "F1@val",
               "val threshold", "pos sim", "neg sim", "ratio"});
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Candidate& candidate : candidates_of(line.positional[0], options)) {
    log::info(str("embedding with the ", candidate.name, candidate.name == "model" ? "" : " model", " (",
                  candidate.source.folder.string(), ")"));
    const auto results = classify(candidate, options, corpus, mesh);
    add_rows(table, candidate.name, results);
    json[candidate.name] = to_json(results);
  }
  if (mesh.world().rank() != 0) return Exit::ok;
  std::cout << table.text();
  write_json(options.json, json.dump(2));
  return Exit::ok;
}

}  // namespace coterie::cli
