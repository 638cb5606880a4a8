// Searching collections and showing what was found.
#include "cli/eval_retrieval.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/log.h"
#include "eval/lexical.h"
#include "eval/retrieval_examples.h"
#include "train/model_setup.h"
#include "train/nearest_domain.h"

namespace coterie::cli {
namespace {

// The model's index of a domain by name, for texts that are in no corpus.
std::int32_t domain_of(const model::ModelSpec& spec, const train::RunOptions& options, const std::string& name) {
  if (spec.domains.empty()) return -1;
  const auto known = std::find(spec.domains.begin(), spec.domains.end(), name);
  if (known != spec.domains.end()) return static_cast<std::int32_t>(known - spec.domains.begin());
  const std::int32_t otherwise = train::unknown_domain(spec, options.experts);
  if (otherwise < 0 && options.experts.unknown_domain != train::kNearest)
    throw ConfigError(str("config: the model must know the domain of every text, got ",
                          name.empty() ? "queries without one (eval.mixed_index)" : "'" + name + "' (eval.retrieval)",
                          "; set experts.unknown_domain to one of ", joined(spec.domains)));
  return otherwise;
}

}  // namespace

data::Split split_of(eval::EvalSplit split) {
  return split == eval::EvalSplit::test ? data::Split::test : data::Split::validation;
}

RetrievalBench::RetrievalBench(const train::RunOptions& options, const data::Corpus* corpus)
    : options_(options), depth_(static_cast<std::size_t>(options.eval.depth)) {
  if (options.eval.retrieval.empty()) return;
  for (const std::string& source : options.eval.retrieval)
    sets_.push_back(data::read_retrieval_set(source, options.data.root));
  const eval::KnownSplits known = corpus == nullptr ? eval::KnownSplits() : eval::known_splits(*corpus);
  std::set<std::string> names;
  for (const data::RetrievalSet& set : sets_) {
    if (!names.insert(set.name).second)
      throw ConfigError(str("config: collections must differ in the names of their folders, got '", set.name,
                            "' twice (eval.retrieval)"));
    tasks_.push_back(eval::make_task(set, split_of(options.eval.split), known));
  }
  if (options.eval.mixed_index) tasks_.push_back(eval::mixed_task(tasks_));
}

std::vector<eval::NamedRetrieval> RetrievalBench::measure(const MeasuredModel& measured, const dist::Mesh& mesh) const {
  const model::ModelSpec& spec = measured.model.spec;
  const eval::TextView view{.tokenizer = measured.tokenizer,
                            .domain = [&](const std::string& name) { return domain_of(spec, options_, name); },
                            .max_length = spec.max_length,
                            .batch_tokens = options_.eval.batch_tokens,
                            .place_unknown = measured.place_unknown,
                            .by_cosine = options_.loss.similarity == train::Similarity::cosine};
  const auto search = [&](const eval::RetrievalTask& task) {
    return eval::retrieve(*measured.model.encoder, view, task, {.depth = depth_}, mesh);
  };
  return rows(measured.name, search, mesh);
}

std::vector<eval::NamedRetrieval> RetrievalBench::measure(const std::string& baseline, const dist::Mesh& mesh) const {
  const auto search = [&](const eval::RetrievalTask& task) {
    std::vector<std::string_view> texts;
    for (const eval::RetrievalText& document : task.documents) texts.push_back(document.text);
    const auto weighting = eval::make_baseline(baseline, texts, eval::bm25_of(options_.eval));
    return eval::retrieve(*weighting, task, depth_, mesh.world());
  };
  return rows(baseline, search, mesh);
}

std::vector<eval::NamedRetrieval> RetrievalBench::rows(const std::string& name, const Search& search,
                                                       const dist::Mesh& mesh) const {
  std::vector<eval::NamedRetrieval> rows;
  for (const eval::RetrievalTask& task : tasks_) {
    log::info(str("searching ", task.name, " with ", name, ": ", task.queries.size(), " queries, ",
                  task.documents.size(), " documents"));
    const eval::Ranking ranking = search(task);
    const auto queries = eval::measure_queries(ranking, task.qrels);
    const std::size_t documents = task.documents.size();
    rows.push_back({{name, task.name, str(documents)}, queries.size(), eval::mean(queries), documents});
    if (!options_.eval.save.empty() && mesh.world().rank() == 0) save(name, task, ranking);
  }
  return rows;
}

void RetrievalBench::save(const std::string& model, const eval::RetrievalTask& task, const eval::Ranking& run) const {
  const fs::path folder = options_.eval.save;
  eval::write_run(*real_file_ops(), folder / str(task.name, ".", model, ".run"), run, model);
  eval::write_qrels(*real_file_ops(), folder / str(task.name, ".qrels"), task.qrels);
  const nlohmann::ordered_json examples = {
      {"model", model}, {"collection", task.name}, {"queries", eval::examples_json(eval::first_queries(task, run))}};
  write_file_atomically(*real_file_ops(), folder / str("examples.", model, ".", task.name, ".json"),
                        examples.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

Table retrieval_table(std::span<const eval::NamedRetrieval> rows) {
  return eval::retrieval_table({"model", "collection", "documents"}, rows);
}

nlohmann::ordered_json retrieval_json(std::span<const eval::NamedRetrieval> rows) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const eval::NamedRetrieval& row : rows) {
    out[row.subject[0]][row.subject[1]] = {{"documents", row.documents}};
    out[row.subject[0]][row.subject[1]].update(eval::retrieval_json(row));
  }
  return out;
}

}  // namespace coterie::cli
