// coterie data build, synth and inspect.
#include <iostream>
#include <thread>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "data/build.h"
#include "data/corpus.h"
#include "data/import.h"
#include "data/inspect.h"
#include "data/split.h"
#include "data/synth.h"
#include "data/tokenizer.h"
#include "model/sentence_encoder.h"

namespace coterie::cli {
namespace {

std::vector<data::Collection> read_sources(const data::DataOptions& options, RandomKey key) {
  std::vector<data::Collection> collections;
  for (const std::string& source : options.sources) {
    log::info(str("reading ", source));
    auto read = source == data::kSynth ? data::synthesize(options.synth, key.derive(data::kSynth))
                                       : data::import_source(source, options.root);
    std::move(read.begin(), read.end(), std::back_inserter(collections));
  }
  return collections;
}

void build(const train::RunOptions& options) {
  const data::DataOptions& data = options.data;
  if (data.sources.empty()) throw ConfigError("config: data.sources must name at least one collection, got none");
  const RandomKey key = RandomKey{static_cast<std::uint64_t>(options.seed)}.derive("data");
  const data::Tokenizer tokenizer = model::ModelSource::open(options.model).tokenizer();
  auto collections = read_sources(data, key);
  data::assign_splits(collections, {data.validation_fraction, data.test_fraction}, key.derive("split"));
  const data::TextEncoder encoder{[&](std::string_view text) { return tokenizer.encode(text); },
                                  tokenizer.fingerprint(), tokenizer.vocabulary_size()};
  const data::BuildOptions build_options{static_cast<std::uint32_t>(data.min_weight),
                                         static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))};
  const data::Built built = data::build_content(std::move(collections), encoder, build_options, key.derive("build"));
  const fs::path path = data.corpus;
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error) throw IoError(str("data: cannot make directory '", path.parent_path().string(), "': ", error.message()));
  data::write_corpus(path, built.content);
  std::cout << built.report.text() << "wrote " << path.string() << "\n";
  write_json(options.json, built.report.json());
}

Exit run(const CommandLine& line, const std::vector<std::string>& sources) {
  line.expect(0, 1);
  const std::string file = line.positional.empty() ? "" : line.positional[0];
  if (print_and_exit(file, line)) return Exit::ok;
  train::RunOptions options = configure(file, line).options;
  if (!sources.empty()) options.data.sources = sources;
  expect_json_writable(options.json);
  build(options);
  return Exit::ok;
}

}  // namespace

Exit data_build(const CommandLine& line) { return run(line, {}); }

Exit data_synth(const CommandLine& line) { return run(line, {std::string(data::kSynth)}); }

Exit data_inspect(const CommandLine& line) {
  line.expect(1, 1);
  if (!line.settings.empty())
    throw ConfigError(str("arguments: data inspect takes no settings, got '", line.settings[0], "'"));
  std::cout << data::inspect(line.positional[0]);
  return Exit::ok;
}

}  // namespace coterie::cli
