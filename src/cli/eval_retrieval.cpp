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

void announce(const std::string& name, const eval::RetrievalTask& task) {
  log::info(str("searching ", task.name, " with ", name, ": ", task.queries.size(), " queries, ", task.documents.size(),
                " documents"));
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
  const eval::KnownSplits known = corpus == nullptr ? eval::KnownSplits() : eval::known_splits(*corpus, sets_);
  std::set<std::string> names;
  for (const data::RetrievalSet& set : sets_) {
    if (!names.insert(set.name).second)
      throw ConfigError(str("config: collections must differ in the names of their folders, got '", set.name,
                            "' twice (eval.retrieval)"));
    if (options.eval.mixed_index && set.name == eval::kMixed)
      throw ConfigError(str("config: no collection may be called '", eval::kMixed,
                            "' beside the index of all (eval.mixed_index, eval.retrieval)"));
    tasks_.push_back(eval::make_task(set, split_of(options.eval.split), known));
  }
  if (options.eval.mixed_index) mixed_ = eval::mixed_task(tasks_);
}

std::vector<eval::NamedRetrieval> RetrievalBench::measure(const MeasuredModel& measured, const dist::Mesh& mesh) const {
  const model::ModelSpec& spec = measured.model.spec;
  const eval::TextView view{.tokenizer = measured.tokenizer,
                            .domain = [&](const std::string& name) { return domain_of(spec, options_, name); },
                            .max_length = spec.max_length,
                            .batch_tokens = options_.eval.batch_tokens,
                            .place_unknown = measured.place_unknown,
                            .by_cosine = options_.loss.similarity == train::Similarity::cosine,
                            .key = train::evaluation_key(options_)};
  const model::Encoder& encoder = *measured.model.encoder;
  const eval::SearchOptions search{.depth = depth_};
  std::optional<eval::Search> mixed;
  if (mixed_) mixed.emplace(eval::begin_search(encoder, view, mixed_->task, search, mesh));
  std::vector<eval::NamedRetrieval> rows;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    announce(measured.name, tasks_[i]);
    std::optional<eval::LargerIndex> larger;
    if (mixed) larger.emplace(*mixed, mixed_->numbers[i]);
    const eval::Ranking ranking = eval::retrieve(encoder, view, tasks_[i], search, mesh, larger ? &*larger : nullptr);
    rows.push_back(row(measured.name, tasks_[i], ranking, mesh));
  }
  if (mixed) rows.push_back(row(measured.name, mixed_->task, eval::ranking_of(mixed_->task, mixed->take()), mesh));
  return rows;
}

std::vector<eval::NamedRetrieval> RetrievalBench::measure(const std::string& baseline, const dist::Mesh& mesh) const {
  std::vector<eval::NamedRetrieval> rows;
  const auto measure_task = [&](const eval::RetrievalTask& task) {
    announce(baseline, task);
    std::vector<std::string_view> texts;
    for (const eval::RetrievalText& document : task.documents) texts.push_back(document.text);
    const auto weighting = eval::make_baseline(baseline, texts, eval::bm25_of(options_.eval));
    rows.push_back(row(baseline, task, eval::retrieve(*weighting, task, depth_, mesh.world()), mesh));
  };
  for (const eval::RetrievalTask& task : tasks_) measure_task(task);
  if (mixed_) measure_task(mixed_->task);
  return rows;
}

eval::NamedRetrieval RetrievalBench::row(const std::string& name, const eval::RetrievalTask& task,
                                         const eval::Ranking& ranking, const dist::Mesh& mesh) const {
  const auto queries = eval::measure_queries(ranking, task.qrels);
  if (!options_.eval.save.empty() && mesh.world().rank() == 0) save(name, task, ranking);
  const std::size_t documents = task.documents.size();
  return {{name, task.name, str(documents)}, queries.size(), eval::mean(queries), documents};
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
