// The whole config of a run: every section, and the keys that belong to none.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/schema.h"
#include "data/options.h"
#include "dist/options.h"
#include "eval/options.h"
#include "experts/head_options.h"
#include "experts/options.h"
#include "model/options.h"
#include "train/options.h"

namespace coterie::train {

/// What to do about a run directory that holds a run already.
enum class Resume : std::uint8_t { automatic, never, must };

struct RunOptions {
  std::string run = "demo";
  std::string runs = "runs";
  std::int64_t seed = 0;
  Resume resume = Resume::automatic;
  std::string json;
  std::string trace;
  dist::DeviceKind device = dist::DeviceKind::automatic;
  bool deterministic = false;
  model::ModelOptions model;
  data::DataOptions data;
  experts::ExpertsOptions experts;
  experts::HeadOptions head;
  LossOptions loss;
  OptimOptions optim;
  dist::ParallelOptions parallel;
  dist::DistOptions dist;
  TrainOptions train;
  eval::EvalOptions eval;
};

inline void describe(config::Visitor& v, RunOptions& o) {
  v.field("run", o.run, "name of the run; its directory is <runs>/<run>");
  v.field("runs", o.runs, "folder of all runs");
  v.field("seed", o.seed, "of everything random: splits, negatives, batches, dropout", {0, INT64_MAX});
  v.choice("resume", o.resume, std::to_array<std::string_view>({"auto", "never", "must"}),
           "auto: continue a run that has a checkpoint, else start; never: refuse a directory that holds a run; must: "
           "refuse one that has no checkpoint");
  v.field("json", o.json, "also write the command's result to this file as JSON; empty: do not");
  v.field("trace", o.trace,
          "bench step: write a trace of one more step, its operators and GPU kernels, to this file, for Perfetto or "
          "chrome://tracing; empty: do not");
  v.choice("device", o.device, dist::kDeviceNames,
           "where ranks compute: cuda (one GPU for each rank of a node), cpu, or auto: GPUs where every rank sees one");
  v.field("deterministic", o.deterministic,
          "GPUs repeat a run bit for bit, at some cost in speed; on the CPU every run does");
  v.section("model", o.model, "the pretrained checkpoint and how it is run");
  v.section("data", o.data, "where documents come from and how they are split, sampled and read");
  v.section("experts", o.experts, "which layers have experts and how tokens find them");
  v.section("head", o.head, "experts on the pooled embedding");
  v.section("loss", o.loss, "the contrastive loss");
  v.section("optim", o.optim, "AdamW and its learning rate");
  v.section("parallel", o.parallel, "how the ranks are laid out");
  v.section("dist", o.dist, "how ranks run and wait");
  v.section("train", o.train, "length of the run, evaluations and checkpoints");
  v.section("eval", o.eval, "which pairs are measured and how");
}

/// Conditions across fields.
void validate(const RunOptions& options, config::Problems& problems);

}  // namespace coterie::train
