#include "train/run_log.h"

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/str.h"
#include "base/table.h"

namespace coterie::train {
namespace {

double wall_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

MetricsLog open_metrics(std::shared_ptr<FileOps> ops, const fs::path& run, std::int64_t step) {
  MetricsLog metrics(std::move(ops), run / "metrics.jsonl");
  // A run that starts anew measures step 0 again.
  metrics.truncate_after(step == 0 ? -1 : step);
  return metrics;
}

nlohmann::ordered_json measures_json(const RouterReport& router) {
  return {{"load", router.load},
          {"load_entropy_nats", router.load_entropy_nats},
          {"mutual_information_nats", router.mutual_information_nats},
          {"mutual_information_share", router.mutual_information_share},
          {"dead_experts", router.dead_experts},
          {"confidence", router.confidence}};
}

// What each layer's router did, and the head's gate.
void add_routers(nlohmann::ordered_json& line, const std::vector<RouterReport>& routers) {
  for (const RouterReport& router : routers) {
    if (router.of_head()) {
      line["head"] = measures_json(router);
      continue;
    }
    nlohmann::ordered_json layer = {{"layer", router.layer}};
    layer.update(measures_json(router));
    line["routers"].push_back(layer);
  }
}

nlohmann::ordered_json auxiliary_json(const AuxiliaryValues& values) {
  return {{"total", values.total},
          {"load_balance", values.load_balance},
          {"router_z", values.router_z},
          {"specified_expert", values.specified_expert},
          {"mutual_information", values.mutual_information}};
}

// A run that died between an evaluation and its checkpoint makes that evaluation again.
std::int64_t last_evaluation(const fs::path& metrics) {
  std::string text = read_file(metrics);
  if (text.empty()) return -1;
  text.pop_back();
  const auto line = nlohmann::json::parse(text.substr(text.rfind('\n') + 1));
  return line.contains("validation") ? line.at("step").get<std::int64_t>() : -1;
}

}  // namespace

RunLog::RunLog(std::shared_ptr<FileOps> ops, const fs::path& run, std::int64_t step, std::int64_t steps)
    : metrics_(open_metrics(ops, run, step)),
      evaluated_(last_evaluation(run / "metrics.jsonl")),
      board_(*ops, run, step == 0 ? 0 : step + 1, wall_time_s()),
      progress_({.name = "train", .unit = "steps", .total = steps, .before = step}, standard_error_style(), std::cerr,
                monotonic_seconds) {}

void RunLog::progress(std::int64_t step, double loss) { progress_.update(step, str("loss ", decimal(loss, 4))); }

void RunLog::step(std::int64_t step, const StepReport& report) {
  const double seconds = report.step_ms / 1000.0;
  const double pairs_per_s = static_cast<double>(report.pairs) / seconds;
  const double tokens_per_s = static_cast<double>(report.tokens) / seconds;
  nlohmann::ordered_json line = {{"loss", report.loss},
                                 {"gradient_norm", report.gradient_norm},
                                 {"scale", report.scale},
                                 {"learning_rate", report.learning_rate},
                                 {"step_ms", report.step_ms},
                                 {"pairs_per_s", pairs_per_s},
                                 {"tokens_per_s", tokens_per_s},
                                 {"tokens", report.tokens},
                                 {"masked_cells", report.masked_cells},
                                 {"hard_negatives", report.hard_negatives}};
  add_routers(line, report.routers);
  if (line.contains("routers")) line["auxiliary_losses"] = auxiliary_json(report.auxiliary);
  metrics_.append(step, line);
  const Scalar scalars[] = {{"train/loss", static_cast<float>(report.loss)},
                            {"train/gradient_norm", static_cast<float>(report.gradient_norm)},
                            {"train/learning_rate", static_cast<float>(report.learning_rate)},
                            {"train/scale", static_cast<float>(report.scale)},
                            {"speed/pairs_per_s", static_cast<float>(pairs_per_s)},
                            {"speed/tokens_per_s", static_cast<float>(tokens_per_s)}};
  board_.write(step, scalars, wall_time_s());
  for (const RouterReport& router : report.routers) write_router(step, router);
  if (report.auxiliary.total != 0.0)
    board_.write(step, {"train/auxiliary_loss", static_cast<float>(report.auxiliary.total)}, wall_time_s());
}

void RunLog::write_router(std::int64_t step, const RouterReport& router) {
  const std::string place = router.of_head() ? "head" : str("layer_", router.layer);
  const auto write = [&](const std::string& what, double value) {
    board_.write(step, {str("experts/", place, "/", what), static_cast<float>(value)}, wall_time_s());
  };
  write("load_entropy_nats", router.load_entropy_nats);
  write("mutual_information_nats", router.mutual_information_nats);
  write("dead_experts", router.dead_experts);
  write("confidence", router.confidence);
  for (std::size_t e = 0; e < router.load.size(); ++e) write(str("load/", e), router.load[e]);
}

void RunLog::window(std::int64_t step, const data::Cursor& cursor, const data::WindowSize& size) {
  metrics_.append(step, {{"epoch", cursor.epoch},
                         {"window", cursor.window},
                         {"batches", size.batches},
                         {"dropped_pairs", size.dropped_pairs}});
  if (cursor.window != 0) return;
  progress_.hide();
  const std::string part = size.windows == 1 ? "" : str(" in the first of ", size.windows, " windows");
  log::info(str("epoch ", cursor.epoch, ": ", size.batches, " batches", part, ", ", size.dropped_pairs,
                " pairs left out that fit no full batch"));
}

void RunLog::domain_load(std::int64_t step, const DomainLoad& load) {
  if (load.layers.empty()) return;
  nlohmann::ordered_json loads = {{"steps", load.steps}, {"layers", nlohmann::ordered_json::array()}};
  for (const LayerLoad& layer : load.layers) {
    if (layer.layer == experts::kHeadLayer)
      loads["head"] = {{"domains", layer.domains}, {"load", layer.load}};
    else
      loads["layers"].push_back({{"layer", layer.layer}, {"domains", layer.domains}, {"load", layer.load}});
  }
  metrics_.append(step, {{"domain_load", loads}});
}

void RunLog::evaluation(std::int64_t step, const std::vector<eval::DomainResult>& validation) {
  nlohmann::ordered_json domains = nlohmann::ordered_json::object();
  std::vector<std::string> tags;
  for (const auto& result : validation) {
    domains[result.domain] = {{"average_precision", result.metrics.average_precision},
                              {"roc_auc", result.metrics.roc_auc},
                              {"f1", result.metrics.f1}};
    tags.push_back("validation/average_precision/" + result.domain);
  }
  if (step != evaluated_) metrics_.append(step, {{"validation", domains}});
  for (std::size_t i = 0; i < validation.size(); ++i)
    board_.write(step, {tags[i], static_cast<float>(validation[i].metrics.average_precision)}, wall_time_s());
  progress_.hide();
  log::info(str("step ", step, ": validation average precision ",
                decimal(validation.front().metrics.average_precision, 4), ", ROC-AUC ",
                decimal(validation.front().metrics.roc_auc, 4)));
}

}  // namespace coterie::train
