// The page of one run.
#include <algorithm>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/json_path.h"
#include "report/evaluation.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/report.h"
#include "report/run_files.h"

namespace coterie::report {
namespace {

using nlohmann::json;

constexpr std::size_t kMostPoints = 500;

std::string single_curve(const RunFiles& run, const std::string& key, const std::string& title,
                         const std::string& label) {
  return figure({.title = title,
                 .x_label = "step",
                 .y_label = label,
                 .series = {thinned(curve(run.metrics, key, key), kMostPoints)},
                 .notes = {},
                 .x_range = {},
                 .y_range = {}});
}

std::string validation_figure(const RunFiles& run, const std::string& measure, const std::string& label) {
  Plot plot{.title = str("Validation, ", label),
            .x_label = "step",
            .y_label = label,
            .series = {},
            .notes = {},
            .x_range = {},
            .y_range = {}};
  for (const std::string& domain : validated_domains(run.metrics))
    plot.series.push_back(curve(run.metrics, str("validation.", domain, ".", measure), domain));
  return figure(plot);
}

std::string summary(const RunFiles& run) {
  if (run.metrics.empty()) return paragraph("The run has not made a step yet.");
  std::string text = str("Last line of the metrics: step ", run.metrics.back().at("step").get<std::int64_t>(), ".");
  std::vector<Point> precision = curve(run.metrics, "validation.all.average_precision", "all").points;
  if (!precision.empty() && precision.front().x == 0.0) {
    text += str(" Pooled validation average precision ", decimal(precision.front().y, 4), " before the first step.");
    precision.erase(precision.begin());
  }
  if (!precision.empty()) {
    const auto best =
        std::max_element(precision.begin(), precision.end(), [](const Point& a, const Point& b) { return a.y < b.y; });
    text += str(" Best pooled validation average precision ", decimal(best->y, 4), " at step ", best->x, ".");
  }
  return paragraph(text);
}

std::string pairs_section(const RunFiles& run) {
  if (run.pairs.empty()) return {};
  constexpr int kBins = 40;
  const Range unit{0.0, 1.0};
  Plot precision{.title = "Precision over recall",
                 .x_label = "recall",
                 .y_label = "precision",
                 .series = {},
                 .notes = {},
                 .x_range = unit,
                 .y_range = unit};
  Plot receiver{.title = "ROC",
                .x_label = "share of random pairs taken",
                .y_label = "share of co-cited pairs taken",
                .series = {},
                .notes = {},
                .x_range = unit,
                .y_range = unit};
  std::string histograms;
  for (const ScoredPairs& pairs : run.pairs) {
    precision.series.push_back(thinned(precision_recall(pairs), kMostPoints));
    receiver.series.push_back(thinned(receiver_operating(pairs), kMostPoints));
    if (const auto threshold = number_at(run.evaluation, str(pairs.model, ".all.validation_threshold"))) {
      const AtThreshold at = at_threshold(pairs, *threshold, str(pairs.model, " at ", decimal(*threshold, 3)));
      precision.notes.push_back(at.precision_recall);
      receiver.notes.push_back(at.receiver_operating);
    }
    histograms += figure({.title = str("Similarity of pairs, ", pairs.model),
                          .x_label = "similarity",
                          .y_label = "share of the pairs",
                          .series = similarity_histograms(pairs, kBins),
                          .notes = {},
                          .x_range = {},
                          .y_range = {}});
  }
  const std::string curves = figure(precision) + figure(receiver) + histograms;
  if (precision.notes.empty()) return curves;
  return curves + paragraph("Points: the threshold that was best on the validation split.");
}

std::string embeddings_section(const RunFiles& run) {
  std::string figures;
  for (const Projection& projection : run.projections) figures += projection_figure(projection);
  constexpr std::string_view kMeaning =
      "Each dot is a document of the measured pairs. The axes are the principal components of the model's embeddings, "
      "the directions in which they vary most.";
  return figures.empty() ? figures : figures + paragraph(kMeaning);
}

std::string examples_section(const RunFiles& run) {
  std::string tables;
  for (const Examples& examples : run.examples) tables += examples_table(examples);
  return tables;
}

struct RouterMeasures {
  std::string name;      ///< `layer 3`, `head`
  const json* measures;  ///< in the line
};

/// What a line of the metrics says of the layers' routers and the head's gate.
std::vector<RouterMeasures> routers_of(const json& line) {
  std::vector<RouterMeasures> routers;
  if (line.contains("routers"))
    for (const json& layer : line.at("routers"))
      routers.push_back({str("layer ", layer.at("layer").get<std::int64_t>()), &layer});
  if (line.contains("head")) routers.push_back({"head", &line.at("head")});
  return routers;
}

std::string router_figures(const RunFiles& run) {
  const auto last = std::find_if(run.metrics.rbegin(), run.metrics.rend(),
                                 [](const json& line) { return !routers_of(line).empty(); });
  if (last == run.metrics.rend()) return {};
  Shares shares{.title = str("Load of the experts at step ", last->at("step").get<std::int64_t>()),
                .rows = {},
                .columns = {},
                .values = {}};
  Plot information{.title = "Mutual information of domain and expert",
                   .x_label = "step",
                   .y_label = "share of the most it can be",
                   .series = {},
                   .notes = {},
                   .x_range = {},
                   .y_range = Range{0.0, 1.0}};
  std::vector<Series> by_layer;
  for (const json& line : run.metrics) {
    const std::vector<RouterMeasures> routers = routers_of(line);
    by_layer.resize(std::max(by_layer.size(), routers.size()));
    for (std::size_t i = 0; i < routers.size(); ++i) {
      const double share = routers[i].measures->value("mutual_information_share", 0.0);
      by_layer[i].name = routers[i].name;
      by_layer[i].points.push_back({line.at("step").get<double>(), share});
    }
  }
  for (Series& series : by_layer) information.series.push_back(thinned(std::move(series), kMostPoints));
  for (const RouterMeasures& router : routers_of(*last)) {
    shares.rows.push_back(router.name);
    shares.values.push_back(router.measures->at("load").get<std::vector<double>>());
    for (std::size_t e = shares.columns.size(); e < shares.values.back().size(); ++e) shares.columns.push_back(str(e));
  }
  return shares_figure(shares) + figure(information);
}

std::string experts_section(const RunFiles& run) { return router_figures(run) + domain_load_figures(run.domain_load); }

}  // namespace

std::string run_report(const fs::path& folder) {
  const RunFiles run = read_run(folder);
  Page page(str("Run ", run.name));
  try {
    page.add("Summary", summary(run));
    page.add("Training", single_curve(run, "loss", "Training loss", "loss") +
                             validation_figure(run, "average_precision", "average precision") +
                             validation_figure(run, "roc_auc", "ROC-AUC") +
                             single_curve(run, "learning_rate", "Learning rate", "learning rate") +
                             single_curve(run, "gradient_norm", "Gradient norm before clipping", "norm"));
    page.add("Evaluation", pair_tables(run.evaluation));
    page.add("Pairs", pairs_section(run));
    page.add("Embeddings", embeddings_section(run));
    page.add("Retrieval", retrieval_table(run.evaluation) + examples_section(run));
    page.add("Experts", experts_section(run));
    page.add("Speed", single_curve(run, "pairs_per_s", "Pairs a second", "pairs/s") +
                          single_curve(run, "tokens_per_s", "Tokens a second", "tokens/s"));
  } catch (const json::exception& error) {
    throw DataError(str("report: ", error.what(), " (", folder.string(), ")"));
  }
  const std::string provenance = provenance_of(run.config);
  page.add("Provenance",
           provenance.empty() ? std::string() : folded_text("Command, versions and hardware", provenance));
  page.add("Config", run.config.empty() ? std::string() : folded_text("Every key with its origin", run.config));
  return page.html();
}

std::string report(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "table.json", ignored)) return sweep_report(folder);
  if (fs::exists(folder / "metrics.jsonl", ignored)) return run_report(folder);
  throw ConfigError(
      str("report: folder must be a run (metrics.jsonl) or a sweep (table.json), got neither (", folder.string(), ")"));
}

}  // namespace coterie::report
