// coterie bench comm: the collectives of a step among all ranks, at several sizes.
#include <ATen/Functions.h>

#include "cli/bench.h"
#include "cli/ranks.h"

namespace coterie::cli {
namespace {

constexpr int kRepetitions = 9;

/// The time of the slowest rank: with uneven traffic the others only wait for it.
double slowest_ms(const dist::ProcessGroup& world, const std::function<void()>& work) {
  world.barrier();
  at::Tensor slowest = at::full({1}, measure(kRepetitions, work).median_ms, at::kDouble);
  world.all_reduce(slowest, dist::Reduce::max);
  return slowest.item<double>();
}

}  // namespace

Exit bench_comm(const std::string& file, const CommandLine& line, int& argc, char**& argv) {
  const RanksOfBench ranks(file, line, argc, argv);
  const dist::ProcessGroup& world = ranks.mesh.world();
  if (world.size() == 1)
    throw ConfigError("bench: comm needs at least 2 ranks, got 1 (launch/run.sh N bench comm ...)");
  const auto size = static_cast<double>(world.size());
  nlohmann::ordered_json json = {{"ranks", world.size()}, {"device", ranks.mesh.device().name()}};
  for (const std::int64_t kib : {64, 1024, 16384, 65536}) {
    const std::int64_t rows = kib * 1024 / 4 / world.size();  // floats that each rank sends to each
    const dist::Splits even(static_cast<std::size_t>(world.size()), rows);
    at::Tensor values = at::zeros({rows * world.size(), 1}, at::TensorOptions(ranks.mesh.device().place()));
    const double bytes = static_cast<double>(values.nbytes());
    const auto record = [&](const std::string& name, double ms, double busbw_factor) {
      const std::string key = str(name, "_", kib, "_kib");
      json[key + "_ms"] = ms;
      json[key + "_algbw_gb_per_s"] = bytes * 1e-6 / ms;
      json[key + "_busbw_gb_per_s"] = busbw_factor * bytes * 1e-6 / ms;
    };
    // The factors of nccl-tests: what a link must carry of the bytes.
    record("all_to_all", slowest_ms(world, [&] { (void)world.all_to_all(values, even, even); }), (size - 1) / size);
    record("all_reduce", slowest_ms(world, [&] { world.all_reduce(values); }), 2 * (size - 1) / size);
  }
  if (world.rank() == 0) show(ranks.options, json);
  return Exit::ok;
}

}  // namespace coterie::cli
