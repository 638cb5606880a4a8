// Scoring pairs and showing how well scores tell them apart.
#include "cli/eval_pairs.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/log.h"
#include "base/numbers.h"
#include "eval/metrics_table.h"
#include "eval/projection.h"
#include "train/model_setup.h"

namespace coterie::cli {
namespace {

constexpr int kDigits = 4;

std::string shown(const eval::Interval& interval) {
  return str(decimal(interval.low, kDigits), "..", decimal(interval.high, kDigits));
}

std::vector<std::string> training_texts(const data::Corpus& corpus) {
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(corpus.documents()); ++i)
    if (data::belongs_to(corpus.split(i), data::Split::train)) texts.push_back(corpus.text(i));
  return texts;
}

}  // namespace

std::vector<eval::DomainResult> PairBench::measure(const MeasuredModel& measured, const dist::Mesh& mesh) const {
  eval::CorpusView view = train::view_of(corpus_, measured.model.spec, options_);
  view.place_unknown = measured.place_unknown;
  const auto score = [&](data::Split split) {
    const eval::EmbeddedSplit embedded = eval::embed_split(*measured.model.encoder, view, split, mesh);
    if (split == split_of(options_.eval.split) && saves(mesh)) save_projection(measured.name, embedded);
    return eval::score_pairs(embedded, corpus_);
  };
  return rows(measured.name, score, mesh);
}

std::vector<eval::DomainResult> PairBench::measure(const std::string& baseline, const dist::Mesh& mesh) const {
  const std::vector<std::string> texts = training_texts(corpus_);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto weighting = eval::make_baseline(baseline, views, eval::bm25_of(options_.eval));
  const auto score = [&](data::Split split) { return eval::score_pairs(*weighting, corpus_, split); };
  return rows(baseline, score, mesh);
}

std::vector<eval::DomainResult> PairBench::rows(const std::string& name, const Score& score,
                                                const dist::Mesh& mesh) const {
  const eval::ScoredPairs validation = score(data::Split::validation);
  const data::Split split = split_of(options_.eval.split);
  const eval::ScoredPairs measured = split == data::Split::validation ? validation : score(split);
  // On every rank: the others would wait for the first, and no longer than a collective may.
  std::optional<eval::Resampling> resampling;
  if (options_.eval.resamples > 0)
    resampling = {options_.eval.resamples, RandomKey{static_cast<std::uint64_t>(options_.seed)}.derive("bootstrap")};
  std::vector<eval::DomainResult> results = eval::classify(corpus_.domains(), measured, validation, resampling);
  if (saves(mesh)) save(name, measured);
  return results;
}

void PairBench::save(const std::string& name, const eval::ScoredPairs& scored) const {
  Table table({"prediction", "label", "domain", "a", "b"});
  for (std::size_t i = 0; i < scored.scores.size(); ++i)
    table.add_row({exact_text(scored.scores[i]), str(int{scored.labels[i]}),
                   corpus_.domains()[static_cast<std::size_t>(scored.domain[i])], corpus_.id(scored.pairs[i].a),
                   corpus_.id(scored.pairs[i].b)});
  write_file_atomically(*real_file_ops(), fs::path(options_.eval.save) / str("pairs.", name, ".csv"), table.csv());
}

void PairBench::save_projection(const std::string& name, const eval::EmbeddedSplit& embedded) const {
  const eval::Projection plane = eval::project_to_plane(embedded.embeddings_ND);
  const std::string x_share = exact_text(plane.share[0]);
  const std::string y_share = exact_text(plane.share[1]);
  Table table({"x", "y", "domain", "id", "x_share", "y_share"});
  for (std::size_t i = 0; i < plane.points.size(); ++i) {
    const std::uint32_t document = embedded.documents[i];
    table.add_row({exact_text(plane.points[i][0]), exact_text(plane.points[i][1]),
                   corpus_.domains()[static_cast<std::size_t>(corpus_.domain(document))], corpus_.id(document), x_share,
                   y_share});
  }
  write_file_atomically(*real_file_ops(), fs::path(options_.eval.save) / str("projection.", name, ".csv"), table.csv());
}

CrossDomain PairBench::cross_domain(const MeasuredModel& measured, const dist::Mesh& mesh) const {
  const std::vector<std::string>& as = measured.model.spec.domains;
  CrossDomain cross{as, {}};
  eval::CorpusView view{corpus_, {}, measured.model.spec.max_length, options_.eval.batch_tokens};
  for (std::size_t column = 0; column < as.size(); ++column) {
    log::info(str("embedding all pairs as ", as[column]));
    view.model_domain.assign(corpus_.domains().size(), static_cast<std::int32_t>(column));
    const eval::ScoredPairs scored = eval::score_pairs(
        eval::embed_split(*measured.model.encoder, view, split_of(options_.eval.split), mesh), corpus_);
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

void add_pair_rows(Table& table, const std::string& model, const std::vector<eval::DomainResult>& rows) {
  const auto number = [](double value) { return decimal(value, kDigits); };
  for (const eval::DomainResult& r : rows) {
    const eval::PairMetrics& m = r.metrics;
    const bool fixed = r.at_validation.has_value();
    table.add_row({model, r.domain, str(m.positives), number(m.roc_auc), number(m.average_precision), number(m.f1),
                   number(m.precision), number(m.recall), number(m.threshold),
                   fixed ? number(r.at_validation->measures.f1) : "-", fixed ? number(r.at_validation->threshold) : "-",
                   number(m.pos_sim), number(m.neg_sim), number(m.sim_ratio), number(r.binary.accuracy),
                   number(r.binary.mcc), r.intervals ? shown((*r.intervals)[1]) : "-"});
  }
}

nlohmann::ordered_json pair_json(const std::vector<eval::DomainResult>& rows) {
  nlohmann::ordered_json domains = nlohmann::ordered_json::object();
  for (const eval::DomainResult& r : rows) {
    nlohmann::ordered_json& json = domains[r.domain];
    json = eval::metrics_json(r.metrics);
    json["validation_threshold"] = nullptr;
    json["f1_at_validation_threshold"] = nullptr;
    if (r.at_validation) {
      json["validation_threshold"] = r.at_validation->threshold;
      json["f1_at_validation_threshold"] = r.at_validation->measures.f1;
    }
    json["sentence_transformers"] = eval::binary_json(r.binary);
    if (r.intervals) json["intervals"] = eval::intervals_json(*r.intervals);
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
