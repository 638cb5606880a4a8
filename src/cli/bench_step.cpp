// coterie bench step: whole training steps beside the matrix product's rate of the same run.
#include <sys/resource.h>

#include "base/stopwatch.h"
#include "cli/bench.h"
#include "cli/ranks.h"
#include "cli/step_trace.h"
#include "data/loader.h"
#include "train/batches.h"
#include "train/model_setup.h"
#include "train/training_step.h"

namespace coterie::cli {
namespace {

rusage usage() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used;
}

// Multiplications and additions of the matrix products of one training step: forward once, backward twice.
double step_gflop(const model::ModelSpec& spec, std::int64_t tokens) {
  const auto width = static_cast<double>(spec.bert.hidden_size);
  const auto more_mlps = static_cast<double>(static_cast<std::int64_t>(spec.expert_layers.size()) * (spec.top_k - 1));
  const double mlps = static_cast<double>(spec.bert.layers) + more_mlps;
  const double per_token = 2.0 * (static_cast<double>(spec.bert.layers) * 4.0 * width * width +
                                  mlps * 2.0 * width * static_cast<double>(spec.bert.intermediate_size));
  return 3.0 * per_token * static_cast<double>(tokens) * 1e-9;
}

struct StepSample {
  train::StepTimes times;
  double load_ms = 0.0;  ///< waiting for the loader, and the mask
  double step_ms = 0.0;
  std::int64_t tokens = 0;
  std::int64_t page_faults = 0;  ///< minor ones
};

std::vector<StepSample> run_steps(const train::RunOptions& options, const data::Corpus& corpus, const dist::Mesh& mesh,
                                  const model::SentenceEncoder& model) {
  train::TrainingStep step(options.loss, options.optim, options.train.micro_batch_tokens, model, mesh);
  data::Loader loader(options.data.corpus, train::loader_options(options, model.spec, mesh, {}));
  model::Noise noise = train::training_noise(options, model.spec.bert);
  std::vector<StepSample> samples;
  const std::int64_t timed = kWarmUp + options.train.steps;
  const std::int64_t traced = options.trace.empty() ? 0 : 1;
  for (std::int64_t s = 0; s < timed + traced; ++s) {
    noise.key = noise.key.derive(static_cast<std::uint64_t>(s));
    std::optional<StepTrace> trace;
    if (s == timed && mesh.world().rank() == 0) trace.emplace(mesh.device());
    const std::int64_t faults_before = usage().ru_minflt;
    Stopwatch watch;
    const data::Batch batch = loader.next();
    const train::NegativeMask mask = train::negative_mask(options.loss, corpus, batch.global);
    const double load_ms = watch.lap_ms();
    const train::StepResult result = step.run(batch, mask, noise, 1.0);
    dist::finish_gpu_work();
    const double step_ms = load_ms + watch.lap_ms();
    if (trace) trace->write(options.trace);
    if (s >= kWarmUp && s < timed)
      samples.push_back({result.times, load_ms, step_ms, batch.tokens(), usage().ru_minflt - faults_before});
  }
  return samples;
}

template <class Field>
std::vector<double> values_of(const std::vector<StepSample>& samples, Field field) {
  std::vector<double> values;
  for (const StepSample& sample : samples) values.push_back(static_cast<double>(field(sample)));
  return values;
}

}  // namespace

Exit bench_step(const std::string& file, const CommandLine& line, int& argc, char**& argv) {
  const RanksOfBench ranks(file, line, argc, argv);
  const train::RunOptions& options = ranks.options;
  const dist::Mesh& mesh = ranks.mesh;
  const data::Corpus corpus(options.data.corpus);
  const auto source = model::ModelSource::open(options.model);
  const auto model = train::make_model(options, corpus, source, mesh);
  // Every rank measures at once: ranks share the machine in a step, too.
  const double gemm =
      gemm_gflop_per_s(model.spec.bert, model.parameters->product(), mesh.device()) * mesh.world().size();
  const std::vector<StepSample> samples = run_steps(options, corpus, mesh, model);
  if (mesh.world().rank() != 0) return Exit::ok;

  const Timing step = timing_of(values_of(samples, [](const auto& s) { return s.step_ms; }));
  const double tokens = median(values_of(samples, [](const auto& s) { return s.tokens; }));
  const double seconds = step.median_ms * 1e-3;
  const double gflop_per_s = step_gflop(model.spec, static_cast<std::int64_t>(tokens)) / seconds;
  nlohmann::ordered_json json = {
      {"ranks", mesh.world().size()},
      {"device", mesh.device().name()},
      {"precision", model.parameters->product() == at::kBFloat16 ? "bf16" : "fp32"},
      {"steps", samples.size()},
      {"batch_pairs", options.data.batch_pairs},
      {"pairs_per_s", static_cast<double>(options.data.batch_pairs) / seconds},
      {"tokens_per_s", tokens / seconds},
      {"gemm_gflop_per_s", gemm},
      {"step_gflop_per_s", gflop_per_s},
      {"share_of_gemm", gflop_per_s / gemm},
      {"peak_rss_mib_per_rank", static_cast<double>(usage().ru_maxrss) / 1024.0},
      {"peak_gpu_mib_per_rank", static_cast<double>(dist::peak_gpu_bytes()) / 1048576.0},
      {"page_faults_per_step", median(values_of(samples, [](const auto& s) { return s.page_faults; }))}};
  add(json, "step", step);
  const auto part = [&](const std::string& name, const auto& field) {
    const Timing timing = timing_of(values_of(samples, field));
    add(json, name, timing);
    json[name + "_share"] = timing.median_ms / step.median_ms;
  };
  part("load", [](const StepSample& s) { return s.load_ms; });
  // On a GPU these are the times in which work was issued: where it was done, only the whole step knows.
  if (mesh.device().place().is_cpu()) {
    part("forward", [](const StepSample& s) { return s.times.forward_ms; });
    part("loss", [](const StepSample& s) { return s.times.loss_ms; });
    part("backward", [](const StepSample& s) { return s.times.backward_ms; });
    part("reduce", [](const StepSample& s) { return s.times.reduce_ms; });
    part("update", [](const StepSample& s) { return s.times.update_ms; });
  }
  show(options, json);
  return Exit::ok;
}

}  // namespace coterie::cli
