// Speed of the parts, each beside the limit that the same run measures.
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/build_info.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/ranks.h"
#include "data/loader.h"
#include "dist/environment.h"
#include "train/batches.h"
#include "train/model_setup.h"
#include "train/training_step.h"

namespace coterie::cli {
namespace {

constexpr int kWarmUp = 2;
constexpr double kGiga = 1e9;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double minimum(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

// Figures that are kept must be those of the program that users run.
void expect_measurable(const train::RunOptions& options) {
  const BuildInfo& build = build_info();
  if (options.json.empty() || (build.build_type == "Release" && build.sanitizers == "none")) return;
  throw ConfigError(str("bench: json takes the figures of a Release build without sanitizers, got ", build.build_type,
                        ", sanitizers ", build.sanitizers));
}

double peak_rss_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

std::int64_t page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// The matrix product's rate at the shape of the model's own MLP: the limit that a step is measured against.
double gemm_gflop_per_s(const model::BertConfig& bert) {
  const c10::InferenceMode inference;
  constexpr std::int64_t kRows = 8192;
  const at::Tensor rows = at::randn({kRows, bert.hidden_size});
  const at::Tensor weight = at::randn({bert.intermediate_size, bert.hidden_size});
  const double flop = 2.0 * static_cast<double>(kRows * bert.hidden_size * bert.intermediate_size);
  std::vector<double> rates;
  for (int i = 0; i < 9; ++i) {
    Stopwatch watch;
    const at::Tensor out = at::linear(rows, weight);
    if (i >= kWarmUp) rates.push_back(flop / (watch.lap_ms() * 1e-3) / kGiga);
  }
  return median(rates);
}

// Multiplications and additions of the matrix products of one training step: forward once, backward twice.
double step_gflop(const model::BertConfig& bert, std::int64_t tokens) {
  const auto width = static_cast<double>(bert.hidden_size);
  const double per_token = 2.0 * static_cast<double>(bert.layers) *
                           (4.0 * width * width + 2.0 * width * static_cast<double>(bert.intermediate_size));
  return 3.0 * per_token * static_cast<double>(tokens) / kGiga;
}

struct StepSample {
  train::StepTimes times;
  double step_ms = 0.0;
  std::int64_t tokens = 0;
};

std::vector<StepSample> run_steps(const train::RunOptions& options, const data::Corpus& corpus, dist::Mesh& mesh,
                                  const model::SentenceEncoder& model) {
  train::TrainingStep step(options.loss, options.optim, options.train.micro_batch_tokens, model, mesh);
  data::Loader loader(options.data.corpus, train::loader_options(options, model.spec, mesh, {}));
  model::Noise noise = train::dropout_of(options.model, model.spec.bert);
  std::vector<StepSample> samples;
  for (std::int64_t s = 0; s < kWarmUp + options.train.steps; ++s) {
    noise.key = noise.key.derive(static_cast<std::uint64_t>(s));
    Stopwatch watch;
    const data::Batch batch = loader.next();
    const train::StepResult result =
        step.run(batch, train::negative_mask(options.loss, corpus, batch.global), noise, 1.0);
    const double step_ms = watch.lap_ms();
    const std::int64_t tokens = mesh.world().all_reduce(static_cast<std::int64_t>(batch.sequences.tokens.size()));
    if (s >= kWarmUp) samples.push_back({result.times, step_ms, tokens});
  }
  return samples;
}

template <class Field>
std::vector<double> values_of(const std::vector<StepSample>& samples, Field field) {
  std::vector<double> values;
  for (const StepSample& sample : samples) values.push_back(static_cast<double>(field(sample)));
  return values;
}

template <class Field>
double median_of(const std::vector<StepSample>& samples, Field field) {
  return median(values_of(samples, field));
}

Exit bench_step(const std::string& file, const CommandLine& line, int& argc, char**& argv) {
  const dist::MpiEnvironment mpi(argc, argv);
  const train::RunOptions options = shared_configuration(file, line).options;
  dist::Mesh mesh = make_mesh(options, Layout::as_configured);
  expect_measurable(options);
  expect_writable_for_all(mesh, {options.json});
  const data::Corpus corpus(options.data.corpus);
  const auto source = model::ModelSource::open(options.model.checkpoint);
  const auto model = train::make_model(options, corpus, source, mesh);
  // Every rank measures at once: ranks share the machine in a step, too.
  const double gemm = gemm_gflop_per_s(model.spec.bert) * mesh.world().size();
  const std::int64_t faults_before = page_faults();
  const std::vector<StepSample> samples = run_steps(options, corpus, mesh, model);
  if (mesh.world().rank() != 0) return Exit::ok;

  const std::vector<double> steps_ms = values_of(samples, [](const auto& s) { return s.step_ms; });
  const double step_ms = median(steps_ms);
  const double tokens = median_of(samples, [](const auto& s) { return s.tokens; });
  const double seconds = step_ms * 1e-3;
  const double gflop_per_s = step_gflop(model.spec.bert, static_cast<std::int64_t>(tokens)) / seconds;
  nlohmann::ordered_json json = {{"ranks", mesh.world().size()},
                                 {"steps", samples.size()},
                                 {"batch_pairs", options.data.batch_pairs},
                                 {"median_step_ms", step_ms},
                                 {"minimum_step_ms", minimum(steps_ms)},
                                 {"pairs_per_s", static_cast<double>(options.data.batch_pairs) / seconds},
                                 {"tokens_per_s", tokens / seconds},
                                 {"gemm_gflop_per_s", gemm},
                                 {"step_gflop_per_s", gflop_per_s},
                                 {"share_of_gemm", gflop_per_s / gemm},
                                 {"forward_ms", median_of(samples, [](const auto& s) { return s.times.forward_ms; })},
                                 {"loss_ms", median_of(samples, [](const auto& s) { return s.times.loss_ms; })},
                                 {"backward_ms", median_of(samples, [](const auto& s) { return s.times.backward_ms; })},
                                 {"reduce_ms", median_of(samples, [](const auto& s) { return s.times.reduce_ms; })},
                                 {"update_ms", median_of(samples, [](const auto& s) { return s.times.update_ms; })},
                                 {"peak_rss_mib_per_rank", peak_rss_mib()},
                                 {"page_faults_per_step", static_cast<double>(page_faults() - faults_before) /
                                                              static_cast<double>(kWarmUp + options.train.steps)}};
  Table table({"measure", "value"});
  for (const auto& [name, value] : json.items())
    table.add_row({name, value.is_number_float() ? decimal(value.get<double>(), 3) : value.dump()});
  std::cout << table.text();
  write_json(options.json, json.dump(2));
  return Exit::ok;
}

Exit bench_tokenizer(const std::string& file, const CommandLine& line) {
  const train::RunOptions options = configure(file, line).options;
  expect_measurable(options);
  expect_json_writable(options.json);
  const data::Corpus corpus(options.data.corpus);
  const data::Tokenizer tokenizer = model::ModelSource::open(options.model.checkpoint).tokenizer();
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (std::uint32_t d = 0; d < static_cast<std::uint32_t>(corpus.documents()); ++d) {
    texts.push_back(corpus.text(d));
    bytes += texts.back().size();
  }
  std::vector<double> times_ms;
  std::size_t tokens = 0;
  for (int i = 0; i < 7; ++i) {
    tokens = 0;
    Stopwatch watch;
    for (const std::string& text : texts) tokens += tokenizer.encode(text).size();
    times_ms.push_back(watch.lap_ms());
  }
  const double seconds = median(times_ms) * 1e-3;
  const nlohmann::ordered_json json = {{"documents", texts.size()},
                                       {"median_ms", median(times_ms)},
                                       {"minimum_ms", minimum(times_ms)},
                                       {"documents_per_s", static_cast<double>(texts.size()) / seconds},
                                       {"tokens_per_s", static_cast<double>(tokens) / seconds},
                                       {"mb_per_s", static_cast<double>(bytes) / seconds / 1e6}};
  std::cout << json.dump(2) << "\n";
  write_json(options.json, json.dump(2));
  return Exit::ok;
}

Exit bench_loader(const std::string& file, const CommandLine& line) {
  const train::RunOptions options = configure(file, line).options;
  expect_measurable(options);
  expect_json_writable(options.json);
  const dist::Mesh mesh = dist::Mesh::solo();
  model::ModelSpec spec = model::ModelSource::open(options.model.checkpoint).spec;
  if (options.model.max_length > 0) spec.max_length = options.model.max_length;
  data::Loader loader(options.data.corpus, train::loader_options(options, spec, mesh, {}));
  (void)loader.next();
  std::int64_t pairs = 0;
  std::int64_t tokens = 0;
  std::vector<double> times_ms;
  Stopwatch watch;
  for (std::int64_t s = 0; s < options.train.steps; ++s) {
    const data::Batch batch = loader.next();
    times_ms.push_back(watch.lap_ms());
    pairs += batch.global.pairs();
    tokens += static_cast<std::int64_t>(batch.sequences.tokens.size());
  }
  const double seconds = std::accumulate(times_ms.begin(), times_ms.end(), 0.0) * 1e-3;
  const nlohmann::ordered_json json = {{"batches", options.train.steps},
                                       {"median_batch_ms", median(times_ms)},
                                       {"minimum_batch_ms", minimum(times_ms)},
                                       {"pairs_per_s", static_cast<double>(pairs) / seconds},
                                       {"tokens_per_s", static_cast<double>(tokens) / seconds}};
  std::cout << json.dump(2) << "\n";
  write_json(options.json, json.dump(2));
  return Exit::ok;
}

}  // namespace

Exit bench(const CommandLine& line, int& argc, char**& argv) {
  line.expect(1, 2);
  const std::string file = line.positional.size() > 1 ? line.positional[1] : "";
  if (print_and_exit(file, line)) return Exit::ok;
  const std::string& what = line.positional[0];
  if (what == "step") return bench_step(file, line, argc, argv);
  if (what == "tokenizer") return bench_tokenizer(file, line);
  if (what == "loader") return bench_loader(file, line);
  throw ConfigError(str("arguments: bench measures step, tokenizer or loader, got '", what, "'"));
}

}  // namespace coterie::cli
