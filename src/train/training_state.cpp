#include "train/training_state.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/checkpoint.h"

namespace coterie::train {
namespace {

using nlohmann::json;

constexpr const char* kFirstMoment = "optimizer.exp_avg.";
constexpr const char* kSecondMoment = "optimizer.exp_avg_sq.";
constexpr const char* kSteps = "optimizer.steps";

std::string to_text(const TrainingState& state) {
  return json{{"step", state.step},
              {"steps", state.steps},
              {"cursor",
               {{"epoch", state.cursor.epoch}, {"window", state.cursor.window}, {"batch", state.cursor.batch}}},
              {"best_step", state.best_step},
              {"best_average_precision", state.best_average_precision},
              {"evaluations_since_best", state.evaluations_since_best},
              {"evaluation_due", state.evaluation_due},
              {"settings", state.settings},
              {"start", {{"checkpoint", state.start.checkpoint}, {"folder", state.start.folder}}}}
             .dump(2) +
         "\n";
}

TrainingState from_text(const std::string& text, const fs::path& path) {
  try {
    const json state = json::parse(text);
    const json& cursor = state.at("cursor");
    const json& start = state.at("start");
    return {state.at("step"),
            state.at("steps"),
            {cursor.at("epoch"), cursor.at("window"), cursor.at("batch")},
            state.at("best_step"),
            state.at("best_average_precision"),
            state.at("evaluations_since_best"),
            state.at("evaluation_due"),
            state.at("settings"),
            {start.at("checkpoint"), start.at("folder")}};
  } catch (const json::exception& error) {
    throw DataError(str("checkpoint: ", error.what(), " (", path.string(), ")"));
  }
}

// The shards of one kind of sharing: parameters apart from moments, so that inference reads no moments.
void add_shards(std::vector<model::Shard>& shards, const std::string& name, kernels::Sharing sharing,
                const kernels::ParameterStore& store, const kernels::AdamW& optimizer) {
  model::Shard weights{name + ".safetensors", {}};
  model::Shard moments{name + "-optimizer.safetensors", {}};
  for (const kernels::Segment& segment : store.segments()) {
    if (segment.kind.sharing != sharing) continue;
    for (const std::string& parameter : segment.names) {
      weights.tensors.push_back({parameter, store.at(parameter).detach().cpu()});
      moments.tensors.push_back({kFirstMoment + parameter, store.slice(parameter, optimizer.first_moments()).cpu()});
      moments.tensors.push_back({kSecondMoment + parameter, store.slice(parameter, optimizer.second_moments()).cpu()});
    }
  }
  if (weights.tensors.empty()) return;
  if (sharing == kernels::Sharing::replicated)
    moments.tensors.push_back({kSteps, at::full({}, optimizer.steps(), at::kLong)});
  shards.push_back(std::move(weights));
  shards.push_back(std::move(moments));
}

void restore(const at::Tensor& target, const model::CheckpointReader& reader, const std::string& name) {
  const at::Tensor saved = reader.read(name);
  if (saved.sizes() != target.sizes() || saved.scalar_type() != target.scalar_type())
    throw DataError(coterie::str("checkpoint: tensor '", name, "' must be ", target.scalar_type(), " ", target.sizes(),
                                 ", got ", saved.scalar_type(), " ", saved.sizes(), " (", reader.folder().string(),
                                 ")"));
  at::Tensor destination = target;
  destination.copy_(saved);
}

}  // namespace

fs::path save_training(FileOps& ops, const dist::Mesh& mesh, const fs::path& folder, const TrainingState& state,
                       const model::SentenceEncoder& model, const kernels::AdamW& optimizer,
                       const std::map<std::string, std::string>& tokenizer) {
  const c10::NoGradGuard no_grad;
  model::CheckpointContent content{state.step, model.spec, tokenizer, to_text(state), {}};
  if (mesh.world().rank() == 0)
    add_shards(content.shards, "dense", kernels::Sharing::replicated, *model.parameters, optimizer);
  // One copy of each expert is enough: that of the first ranks of the data axis.
  if (mesh.shape().data_rank() == 0)
    add_shards(content.shards, str("experts-", mesh.shape().expert_rank()), kernels::Sharing::expert, *model.parameters,
               optimizer);
  return save_checkpoint(ops, mesh.world(), folder, content);
}

TrainingState read_training_state(const fs::path& checkpoint) {
  const fs::path path = checkpoint / "state.json";
  return from_text(read_file(path), path);
}

void load_training(const fs::path& checkpoint, const model::SentenceEncoder& model, kernels::AdamW& optimizer) {
  const c10::NoGradGuard no_grad;
  const model::CheckpointReader reader(checkpoint, model::Verification::done);
  for (const std::string& name : model.parameters->names()) {
    restore(model.parameters->at(name), reader, name);
    restore(model.parameters->slice(name, optimizer.first_moments()), reader, kFirstMoment + name);
    restore(model.parameters->slice(name, optimizer.second_moments()), reader, kSecondMoment + name);
  }
  model.parameters->refresh();
  optimizer.set_steps(reader.read(kSteps).item<std::int64_t>());
}

}  // namespace coterie::train
