#include "train/trainer.h"

#include <cmath>

#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/stopwatch.h"
#include "config/config.h"
#include "dist/together.h"
#include "model/checkpoint.h"
#include "train/agreement.h"
#include "train/decisive_settings.h"
#include "train/model_setup.h"
#include "train/nearest_domain.h"
#include "train/schedule.h"

namespace coterie::train {

Trainer::Trainer(const RunOptions& options, const std::string& resolved, dist::Mesh& mesh, std::shared_ptr<FileOps> ops,
                 std::function<bool()> stopping)
    : options_(options),
      mesh_(mesh),
      ops_(std::move(ops)),
      stopping_(std::move(stopping)),
      directory_(fs::path(options.runs) / options.run),
      corpus_(dist::made_together(mesh.world(), [&] { return data::Corpus(options.data.corpus); })),
      source_(dist::made_together(mesh.world(), [&] { return model::ModelSource::open(options.model); })),
      tokenizer_(dist::made_together(mesh.world(), [&] { return source_.tokenizer_files(); })),
      model_(make_model_together()),
      step_(options.loss, options.optim, options.train.micro_batch_tokens, model_, mesh),
      loads_(corpus_.domains()) {
  state_.steps = options_.train.steps;
  state_.start = {options_.model.checkpoint, source_.opened.string()};
  state_.settings = dist::made_together(mesh_.world(), [&] { return decisive_settings(options_, source_); });
  expect_same_file(mesh_.world(), "the corpus", state_.settings.at(kCorpusHash), options_.data.corpus);
  expect_same_file(mesh_.world(), "the base model's weights", state_.settings.at(kWeightsHash),
                   source_.folder.string());
  if (!options.model.added_tokens.empty())
    expect_same_file(mesh_.world(), "the file of added tokens", state_.settings.at(kAddedTokensHash),
                     options.model.added_tokens);
  expect_same_file(mesh_.world(), "the model's config", sha256_of(model::spec_text(model_.spec)),
                   source_.folder.string());
  const std::string checkpoint = open_run();
  resume(checkpoint);
  expect_same_parameters(mesh_, *model_.parameters, step_.optimizer(),
                         checkpoint.empty() ? source_.folder.string() : checkpoint);
  open_log(resolved);
}

model::SentenceEncoder Trainer::make_model_together() const {
  const auto means = domain_means(options_, corpus_, source_, mesh_);
  return dist::made_together(mesh_.world(), [&] { return make_model(options_, corpus_, source_, mesh_, means); });
}

// Takes the lock and decides whether the run continues. Returns the checkpoint to continue from.
std::string Trainer::open_run() {
  return dist::on_leader(mesh_.world(), [&] {
    const fs::path checkpoints = directory_ / "checkpoints";
    // Before the lock, which would make the directory of a mistyped run.
    if (options_.resume == Resume::must && model::list_checkpoints(checkpoints).empty())
      throw ConfigError(str("run: resume is 'must', and there is no checkpoint (", directory_.string(), ")"));
    lock_ = std::make_unique<RunLock>(directory_, this_process());
    const bool holds_run = fs::exists(directory_ / "config.toml") || !model::list_checkpoints(checkpoints).empty();
    if (options_.resume == Resume::never && holds_run)
      throw LockedError(str("run: resume is 'never', and the directory holds a run (", directory_.string(), ")"));
    const auto latest = model::latest_checkpoint(checkpoints);
    return latest ? latest->string() : std::string();
  });
}

// Only once the run is known to go on: a config that does not fit the run must not replace its own.
void Trainer::open_log(const std::string& resolved) {
  dist::together(mesh_.world(), [&] {
    if (mesh_.world().rank() != 0) return;
    write_file_atomically(*ops_, directory_ / "config.toml", resolved);
    log_ = std::make_unique<RunLog>(ops_, directory_, state_.step, options_.train.steps);
    const auto reasons = model::not_preserving(model_.spec, options_.experts.copy_noise, options_.model.added_tokens);
    if (!reasons.empty())
      log::info(str("the run does not start from the checkpoint's embeddings: ", joined(reasons, "; ")));
  });
}

void Trainer::resume(const std::string& checkpoint) {
  if (checkpoint.empty()) return;
  const fs::path state = fs::path(checkpoint) / "state.json";
  expect_same_file(mesh_.world(), "the checkpoint's state",
                   dist::made_together(mesh_.world(), [&] { return sha256_of_file(state); }), state.string());
  dist::together(mesh_.world(), [&] {
    TrainingState saved = read_training_state(checkpoint);
    check_continues(saved, checkpoint);
    load_training(checkpoint, model_, step_.optimizer());
    saved.steps = options_.train.steps;
    state_ = std::move(saved);
  });
  log::info(str("continuing at step ", state_.step, " (", checkpoint, ")"));
}

void Trainer::check_continues(const TrainingState& saved, const std::string& checkpoint) const {
  const std::string lines = config::differences(saved.settings, state_.settings, config::values(RunOptions{})) +
                            model::differences(model::read_model_spec(checkpoint), model_.spec);
  if (!lines.empty())
    throw ConfigError(str("run: the checkpoint was made with another model or other settings; choose another 'run' to ",
                          "start anew (", checkpoint, ")", lines));
  const std::int64_t steps = options_.train.steps;
  if (steps < saved.step)
    throw ConfigError(str("run: train.steps must be at least the checkpoint's step (", saved.step, "), got ", steps,
                          " (", checkpoint, ")"));
  if (steps != saved.steps && options_.optim.decay != Decay::constant && mesh_.world().rank() == 0)
    log::warn(str("run: train.steps was ", saved.steps, " and is ", steps,
                  ": from here on the learning rate decays towards another end"));
}

Outcome Trainer::run() {
  data::Loader loader(options_.data.corpus, loader_options(options_, model_.spec, mesh_, state_.cursor));
  if (state_.step == 0) (void)evaluate();
  if (state_.evaluation_due) settle();
  while (!at_end() && !out_of_patience()) {
    train_step(loader);
    state_.evaluation_due = at_end() || state_.step % options_.train.eval_every == 0;
    // Before a preemption: the life that evaluates has not seen these steps.
    if (log_ && state_.evaluation_due) log_->domain_load(state_.step, loads_.take());
    if (mesh_.world().any(stopping_())) {
      save();
      return outcome(Ending::preempted);
    }
    settle();
  }
  return outcome(out_of_patience() ? Ending::stopped_early : Ending::finished);
}

void Trainer::settle() {
  bool due = at_end() || state_.step % options_.train.save_every == 0;
  if (state_.evaluation_due) {
    state_.evaluation_due = false;
    due = evaluate() || due;
  }
  if (due || out_of_patience()) save();
}

void Trainer::train_step(data::Loader& loader) {
  Stopwatch watch;
  mesh_.set_step(state_.step);
  const data::Batch batch = loader.next();
  const NegativeMask mask = negative_mask(options_.loss, corpus_, batch.global);
  const double factor = schedule(options_.optim, state_.step, options_.train.steps);
  model::Noise noise = training_noise(options_, model_.spec.bert);
  noise.key = RandomKey{static_cast<std::uint64_t>(options_.seed)}.derive("dropout").derive(
      static_cast<std::uint64_t>(state_.step));

  StepResult result;
  try {
    result = step_.run(batch, mask, noise, factor);
  } catch (const NonFiniteError& error) {
    throw NonFiniteError(str(error.what(), " (step ", state_.step, ")"));
  }
  ++state_.step;
  state_.cursor = loader.cursor();

  if (!log_) return;
  routers_.add(result.routers);
  loads_.add(result.routers);
  if (batch.global.cursor.batch == 0) log_->window(state_.step, batch.global.cursor, batch.global.window);
  log_->progress(state_.step, result.loss);
  if (state_.step % options_.train.log_every != 0) return;
  log_->step(state_.step, {.loss = result.loss,
                           .gradient_norm = result.gradient_norm,
                           .scale = result.scale,
                           .learning_rate = factor * options_.optim.lr,
                           .step_ms = watch.lap_ms(),
                           .pairs = batch.global.pairs(),
                           .tokens = batch.tokens(),
                           .masked_cells = static_cast<std::int64_t>(mask.known.columns.size()),
                           .hard_negatives = static_cast<std::int64_t>(batch.global.negatives.size()),
                           .auxiliary = result.auxiliary,
                           .routers = router_reports(result.routers)});
}

bool Trainer::evaluate() {
  const eval::CorpusView view = view_of(corpus_, model_.spec, options_);
  const eval::ScoredPairs scored =
      eval::score_pairs(eval::embed_split(*model_.encoder, view, data::Split::validation, mesh_), corpus_);
  for (const double score : scored.scores)
    if (!std::isfinite(score)) throw NonFiniteError(str("train: an embedding is not finite (step ", state_.step, ")"));
  const auto results = eval::classify(corpus_.domains(), scored, scored);
  if (log_) log_->evaluation(state_.step, results);
  // The untouched model is reported, but it is no result of this run.
  if (state_.step == 0) return false;
  const double precision = results.front().metrics.average_precision;
  const bool best = state_.best_step < 0 || precision > state_.best_average_precision;
  state_.evaluations_since_best = best ? 0 : state_.evaluations_since_best + 1;
  if (!best) return false;
  state_.best_step = state_.step;
  state_.best_average_precision = precision;
  return true;
}

void Trainer::save() {
  if (log_) log_->sync();
  const fs::path folder = directory_ / "checkpoints";
  (void)save_training(*ops_, mesh_, folder, state_, model_, step_.optimizer(), tokenizer_);
  dist::together(mesh_.world(), [&] {
    if (mesh_.world().rank() == 0)
      model::prune_checkpoints(*ops_, folder, state_.step, {options_.train.keep, state_.best_step});
  });
}

bool Trainer::out_of_patience() const {
  return options_.train.patience > 0 && state_.evaluations_since_best >= options_.train.patience;
}

}  // namespace coterie::train
