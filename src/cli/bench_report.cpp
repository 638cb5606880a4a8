// Timing and the results of `coterie bench`.
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <iostream>

#include "base/build_info.h"
#include "base/stopwatch.h"
#include "base/table.h"
#include "cli/bench.h"
#include "cli/ranks.h"
#include "kernels/row_products.h"

namespace coterie::cli {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Timing timing_of(std::vector<double> times_ms) {
  const double least = *std::min_element(times_ms.begin(), times_ms.end());
  return {median(std::move(times_ms)), least};
}

Timing measure(int repetitions, const std::function<void()>& work) {
  std::vector<double> times_ms;
  for (int i = 0; i < kWarmUp + repetitions; ++i) {
    Stopwatch watch;
    work();
    dist::finish_gpu_work();
    if (i >= kWarmUp) times_ms.push_back(watch.lap_ms());
  }
  return timing_of(std::move(times_ms));
}

double gemm_gflop_per_s(const model::BertConfig& bert, at::ScalarType dtype, const dist::Device& device) {
  const c10::InferenceMode inference;
  constexpr std::int64_t kRows = 8192;
  const at::ScalarType multiplied = kernels::multiplied_dtype(dtype, device.place());
  const at::Tensor rows = at::randn({kRows, bert.hidden_size}).to(device.place(), multiplied);
  const at::Tensor weight = at::randn({bert.intermediate_size, bert.hidden_size}).to(device.place(), multiplied);
  const auto multiply = [&](int products) {
    return measure(7, [&] {
      for (int i = 0; i < products; ++i) (void)at::linear(rows, weight);
    });
  };
  // Short ones many at once: launching one on a GPU and waiting for it takes as long as the product.
  constexpr double kEnoughMs = 10.0;
  const Timing one = multiply(1);
  const int products = std::clamp(static_cast<int>(kEnoughMs / one.median_ms), 1, 50);
  const Timing timing = products == 1 ? one : multiply(products);
  const auto flop = 2.0 * static_cast<double>(kRows * bert.hidden_size * bert.intermediate_size);
  return 1e-6 * products * flop / timing.median_ms;
}

void add(nlohmann::ordered_json& json, const std::string& name, const Timing& timing) {
  json[name + "_ms"] = timing.median_ms;
  json[name + "_least_ms"] = timing.least_ms;
}

void expect_measurable(const train::RunOptions& options) {
  const BuildInfo& build = build_info();
  if (options.json.empty() || (build.build_type == "Release" && build.sanitizers == "none")) return;
  throw ConfigError(str("bench: json takes the figures of a Release build without sanitizers, got ", build.build_type,
                        ", sanitizers ", build.sanitizers));
}

RanksOfBench::RanksOfBench(const std::string& file, const CommandLine& line, int& argc, char**& argv)
    : mpi(argc, argv),
      options(shared_configuration(file, line).options),
      mesh(make_mesh(options, Layout::as_configured)) {
  expect_measurable(options);
  expect_writable_for_all(mesh, {options.json, options.trace});
}

void show(const train::RunOptions& options, const nlohmann::ordered_json& json) {
  Table table({"measure", "value"});
  for (const auto& [name, value] : json.items())
    table.add_row({name, value.is_number_float() ? decimal(value.get<double>(), 3)
                         : value.is_string()     ? value.get<std::string>()
                                                 : value.dump()});
  std::cout << table.text();
  write_json(options.json, json.dump(2));
}

}  // namespace coterie::cli
