// A whole run on the tiny model: corpus, checkpoint and options in one folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/build.h"
#include "data/split.h"
#include "data/synth.h"
#include "data/tokenizer.h"
#include "tests/harness/tiny_model.h"
#include "train/run_options.h"

namespace coterie::test {

/// Writes `folder/model` and `folder/corpus.h5`: two synthetic domains. Another seed gives other weights and texts.
inline void write_tiny_inputs(const std::filesystem::path& folder, std::uint64_t seed = 1) {
  write_tiny_checkpoint(folder / "model", seed);
  const data::Tokenizer tokenizer = data::Tokenizer::from_directory(folder / "model");
  const data::SynthOptions options{.domains = 2, .documents = 60, .topics = 4, .citing_papers = 60, .words = 20};
  auto collections = data::synthesize(options, RandomKey{seed});
  data::assign_splits(collections, {}, RandomKey{2});
  const data::TextEncoder encoder{[&](std::string_view text) { return tokenizer.encode(text); },
                                  tokenizer.fingerprint(), tokenizer.vocabulary_size()};
  data::write_corpus(folder / "corpus.h5",
                     data::build_content(std::move(collections), encoder, {}, RandomKey{3}).content);
}

/// Options of a run of `steps` steps over those inputs: dropout on, a learned scale, a checkpoint after every step.
inline train::RunOptions tiny_run_options(const std::filesystem::path& folder, const std::string& run,
                                          std::int64_t steps) {
  train::RunOptions options;
  options.run = run;
  options.runs = (folder / "runs").string();
  options.model.checkpoint = (folder / "model").string();
  options.data.corpus = (folder / "corpus.h5").string();
  options.data.batch_pairs = 8;
  options.data.window_pairs = 32;
  options.loss.learn_scale = true;
  options.optim.lr = 1e-3;
  options.optim.warmup_steps = 2;
  options.train = {.steps = steps, .eval_every = 4, .save_every = 1, .keep = 1000};
  return options;
}

}  // namespace coterie::test
