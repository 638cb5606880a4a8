// What the parts of `coterie bench` share: timing, the machine's limit, and how results are shown.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "cli/command_line.h"
#include "dist/environment.h"
#include "dist/mesh.h"
#include "model/bert_config.h"
#include "train/run_options.h"

namespace coterie::cli {

/// Repetitions that are not counted: caches, kernels compiled on first use.
inline constexpr int kWarmUp = 2;

/// Times of one piece of work.
struct Timing {
  double median_ms = 0.0;
  double least_ms = 0.0;
};

/// @param values  at least one
[[nodiscard]] double median(std::vector<double> values);
/// @param times_ms  at least one
[[nodiscard]] Timing timing_of(std::vector<double> times_ms);
/// Runs `work` `kWarmUp` times, then `repetitions` times by the clock, until a GPU has done it too.
[[nodiscard]] Timing measure(int repetitions, const std::function<void()>& work);

/// The rate of a matrix product of 8192 rows at the shape of the model's MLP on the device, in what numbers of `dtype`
/// are multiplied in there (`kernels::multiplied_dtype`): what everything is measured against.
[[nodiscard]] double gemm_gflop_per_s(const model::BertConfig& bert, at::ScalarType dtype, const dist::Device& device);

/// Adds `<name>_ms` and `<name>_least_ms`.
void add(nlohmann::ordered_json& json, const std::string& name, const Timing& timing);

/// Figures that are kept must be those of the program that users run.
/// @throws ConfigError if `json` is set in a build that is not Release, or has sanitizers
void expect_measurable(const train::RunOptions& options);

/// The ranks of a bench: MPI, the one config of all, and the mesh, in the order in which they must live.
/// @throws ConfigError, IoError; what `expect_measurable` and `expect_writable_for_all` refuse
/// @note collective over all ranks of the MPI job
struct RanksOfBench {
  RanksOfBench(const std::string& file, const CommandLine& line, int& argc, char**& argv);

  dist::MpiEnvironment mpi;
  train::RunOptions options;
  dist::Mesh mesh;
};

/// Prints the results as a table, and writes them to the file of the setting `json`.
void show(const train::RunOptions& options, const nlohmann::ordered_json& json);

/// `coterie bench step`: whole training steps, on ranks.
Exit bench_step(const std::string& file, const CommandLine& line, int& argc, char**& argv);
/// `coterie bench attention`: attention over packed sequences of the greatest length.
Exit bench_attention(const std::string& file, const CommandLine& line);
/// `coterie bench layer`: a layer of experts beside its bare matrix products and beside the dense MLP, on ranks.
Exit bench_layer(const std::string& file, const CommandLine& line, int& argc, char**& argv);
/// `coterie bench dispatch`: moving rows to the experts and back, on ranks.
Exit bench_dispatch(const std::string& file, const CommandLine& line, int& argc, char**& argv);
/// `coterie bench comm`: the collectives of a step at several sizes, on ranks.
Exit bench_comm(const std::string& file, const CommandLine& line, int& argc, char**& argv);
/// `coterie bench tokenizer`: the corpus's texts on one thread.
Exit bench_tokenizer(const std::string& file, const CommandLine& line);
/// `coterie bench loader`: batches as fast as they come.
Exit bench_loader(const std::string& file, const CommandLine& line);

}  // namespace coterie::cli
