// Scoring pairs and showing how well scores tell them apart.
#include "cli/eval_pairs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/log.h"
#include "eval/metrics_table.h"
#include "train/model_setup.h"

namespace coterie::cli {
namespace {

constexpr int kDigits = 4;

std::string shown(const eval::Interval& interval) {
  return str(decimal(interval.low, kDigits), "..", decimal(interval.high, kDigits));
}

// The pairs that a row of `classify` measures.
eval::ScoredPairs pairs_of(const eval::ScoredPairs& all, const std::string& domain, const data::Corpus& corpus) {
  const auto& domains = corpus.domains();
  const auto found = std::find(domains.begin(), domains.end(), domain);
  return found == domains.end() ? all : all.of_domain(static_cast<std::int32_t>(found - domains.begin()));
}

std::vector<std::string> training_texts(const data::Corpus& corpus) {
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(corpus.documents()); ++i)
    if (data::belongs_to(corpus.split(i), data::Split::train)) texts.push_back(corpus.text(i));
  return texts;
}

}  // namespace

std::vector<PairRow> PairBench::measure(const MeasuredModel& measured, const dist::Mesh& mesh) const {
  eval::CorpusView view = train::view_of(corpus_, measured.model.spec, options_);
  view.place_unknown = measured.place_unknown;
  const auto score = [&](data::Split split) { return eval::score_pairs(*measured.model.encoder, view, split, mesh); };
  return rows(measured.name, score, mesh);
}

std::vector<PairRow> PairBench::measure(const std::string& baseline, const dist::Mesh& mesh) const {
  const std::vector<std::string> texts = training_texts(corpus_);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto weighting = eval::make_baseline(baseline, views, eval::bm25_of(options_.eval));
  const auto score = [&](data::Split split) { return eval::score_pairs(*weighting, corpus_, split); };
  return rows(baseline, score, mesh);
}

std::vector<PairRow> PairBench::rows(const std::string& name, const Score& score, const dist::Mesh& mesh) const {
  const eval::ScoredPairs validation = score(data::Split::validation);
  const bool test = options_.eval.split == eval::EvalSplit::test;
  const eval::ScoredPairs measured = test ? score(data::Split::test) : validation;
  const RandomKey key = RandomKey{static_cast<std::uint64_t>(options_.seed)}.derive("bootstrap");
  std::vector<PairRow> rows;
  for (eval::DomainResult& result : eval::classify(corpus_.domains(), measured, validation)) {
    PairRow row{std::move(result), {}};
    const eval::ScoredPairs pairs = pairs_of(measured, row.result.domain, corpus_);
    if (options_.eval.resamples > 0)
      row.intervals = eval::bootstrap_pairs(pairs.scores, pairs.labels, {options_.eval.resamples, key});
    rows.push_back(std::move(row));
  }
  if (!options_.eval.save.empty() && mesh.world().rank() == 0) save(name, measured);
  return rows;
}

void PairBench::save(const std::string& name, const eval::ScoredPairs& scored) const {
  std::string text = "prediction,label,domain,a,b\n";
  const auto cell = [](const std::string& value) {
    std::string quoted = "\"";
    for (const char c : value) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
  };
  for (std::size_t i = 0; i < scored.scores.size(); ++i)
    text += str(eval::exact_text(scored.scores[i]), ',', int{scored.labels[i]}, ',',
                cell(corpus_.domains()[static_cast<std::size_t>(scored.domain[i])]), ',',
                cell(corpus_.id(scored.pairs[i].a)), ',', cell(corpus_.id(scored.pairs[i].b)), '\n');
  write_file_atomically(*real_file_ops(), fs::path(options_.eval.save) / str("pairs.", name, ".csv"), text);
}

CrossDomain PairBench::cross_domain(const MeasuredModel& measured, const dist::Mesh& mesh) const {
  const std::vector<std::string>& as = measured.model.spec.domains;
  CrossDomain cross{as, {}};
  eval::CorpusView view{corpus_, {}, measured.model.spec.max_length, options_.eval.batch_tokens};
  const bool test = options_.eval.split == eval::EvalSplit::test;
  for (std::size_t column = 0; column < as.size(); ++column) {
    log::info(str("embedding all pairs as ", as[column]));
    view.model_domain.assign(corpus_.domains().size(), static_cast<std::int32_t>(column));
    const eval::ScoredPairs scored =
        eval::score_pairs(*measured.model.encoder, view, test ? data::Split::test : data::Split::validation, mesh);
    const auto results = eval::classify(corpus_.domains(), scored, scored);
    cross.rows.resize(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      cross.rows[i].first = results[i].domain;
      cross.rows[i].second.push_back(results[i].metrics.average_precision);
    }
  }
  return cross;
}

Table pair_table() {
  return Table({"model", "domain", "pairs", "ROC-AUC", "AP", "F1max", "precision", "recall", "threshold", "F1@val",
                "val threshold", "pos sim", "neg sim", "ratio", "accuracy", "MCC", "AP 95 %"});
}

void add_pair_rows(Table& table, const std::string& model, const std::vector<PairRow>& rows,
                   const eval::EvalOptions& options) {
  const auto number = [](double value) { return decimal(value, kDigits); };
  for (const PairRow& row : rows) {
    const eval::DomainResult& r = row.result;
    const eval::PairMetrics& m = r.metrics;
    const bool fixed = r.at_validation.has_value();
    table.add_row({model, r.domain, str(m.positives), number(m.roc_auc), number(m.average_precision), number(m.f1),
                   number(m.precision), number(m.recall), number(m.threshold),
                   fixed ? number(r.at_validation->measures.f1) : "-", fixed ? number(r.at_validation->threshold) : "-",
                   number(m.pos_sim), number(m.neg_sim), number(m.sim_ratio), number(r.binary.accuracy),
                   number(r.binary.mcc), options.resamples > 0 ? shown(row.intervals[1]) : "-"});
  }
}

nlohmann::ordered_json pair_json(const std::vector<PairRow>& rows, const eval::EvalOptions& options) {
  nlohmann::ordered_json domains = nlohmann::ordered_json::object();
  for (const PairRow& row : rows) {
    const eval::DomainResult& r = row.result;
    nlohmann::ordered_json& json = domains[r.domain];
    json = eval::metrics_json(r.metrics);
    json["validation_threshold"] = nullptr;
    json["f1_at_validation_threshold"] = nullptr;
    if (r.at_validation) {
      json["validation_threshold"] = r.at_validation->threshold;
      json["f1_at_validation_threshold"] = r.at_validation->measures.f1;
    }
    json["sentence_transformers"] = eval::binary_json(r.binary);
    if (options.resamples > 0) json["intervals"] = eval::intervals_json(row.intervals);
  }
  return domains;
}

Table cross_domain_table(const CrossDomain& cross) {
  std::vector<std::string> header = {"AP of pairs"};
  for (const std::string& domain : cross.as) header.push_back("as " + domain);
  Table table(std::move(header));
  for (const auto& [domain, values] : cross.rows) {
    std::vector<std::string> cells = {domain};
    for (const double value : values) cells.push_back(decimal(value, kDigits));
    table.add_row(std::move(cells));
  }
  return table;
}

nlohmann::ordered_json cross_domain_json(const CrossDomain& cross) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [domain, values] : cross.rows)
    for (std::size_t i = 0; i < values.size(); ++i) json[domain][cross.as[i]] = values[i];
  return json;
}

}  // namespace coterie::cli
