// coterie bench tokenizer and loader: what feeds the steps.
#include <numeric>

#include "base/stopwatch.h"
#include "cli/bench.h"
#include "cli/configuration.h"
#include "data/loader.h"
#include "train/batches.h"
#include "train/model_setup.h"

namespace coterie::cli {

Exit bench_tokenizer(const std::string& file, const CommandLine& line) {
  const train::RunOptions options = configure(file, line).options;
  expect_measurable(options);
  expect_json_writable(options.json);
  const data::Corpus corpus(options.data.corpus);
  const data::Tokenizer tokenizer = model::ModelSource::open(options.model).tokenizer();
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (std::uint32_t d = 0; d < static_cast<std::uint32_t>(corpus.documents()); ++d) {
    texts.push_back(corpus.text(d));
    bytes += texts.back().size();
  }
  std::size_t tokens = 0;
  const Timing timing = measure(7, [&] {
    tokens = 0;
    for (const std::string& text : texts) tokens += tokenizer.encode(text).size();
  });
  const double seconds = timing.median_ms * 1e-3;
  nlohmann::ordered_json json = {{"documents", texts.size()},
                                 {"documents_per_s", static_cast<double>(texts.size()) / seconds},
                                 {"tokens_per_s", static_cast<double>(tokens) / seconds},
                                 {"mb_per_s", static_cast<double>(bytes) / seconds / 1e6}};
  add(json, "pass", timing);
  show(options, json);
  return Exit::ok;
}

Exit bench_loader(const std::string& file, const CommandLine& line) {
  const train::RunOptions options = configure(file, line).options;
  expect_measurable(options);
  expect_json_writable(options.json);
  const dist::Mesh mesh = dist::Mesh::solo();
  model::ModelSpec spec = model::ModelSource::open(options.model).spec;
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
  nlohmann::ordered_json json = {{"batches", options.train.steps},
                                 {"pairs_per_s", static_cast<double>(pairs) / seconds},
                                 {"tokens_per_s", static_cast<double>(tokens) / seconds}};
  add(json, "batch", timing_of(times_ms));
  show(options, json);
  return Exit::ok;
}

}  // namespace coterie::cli
