// Agreeing on who computes where.
#include "dist/device.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/error.h"

namespace coterie::dist {
namespace {

using Ids = std::vector<Gpu::Id>;

// What each rank of the node sees.
std::vector<Ids> survey_gpus(const ProcessGroup& node, const std::vector<Gpu>& mine) {
  const auto own = static_cast<std::int64_t>(mine.size());
  const Splits counts = node.all_gather_counts(std::span(&own, 1));
  at::Tensor rows = at::empty({own, static_cast<std::int64_t>(Gpu::Id().size())}, at::kLong);
  auto* out = rows.mutable_data_ptr<std::int64_t>();
  for (const Gpu& gpu : mine) out = std::copy(gpu.id.begin(), gpu.id.end(), out);
  const at::Tensor all = node.all_gather(rows, counts);
  const auto* next = all.const_data_ptr<std::int64_t>();
  std::vector<Ids> visible;
  for (const std::int64_t count : counts) {
    visible.emplace_back(static_cast<std::size_t>(count));
    for (Gpu::Id& id : visible.back()) {
      std::copy_n(next, id.size(), id.begin());
      next += id.size();
    }
  }
  return visible;
}

std::size_t different(const std::vector<Ids>& visible) {
  std::set<Gpu::Id> all;
  for (const Ids& ids : visible) all.insert(ids.begin(), ids.end());
  return all.size();
}

}  // namespace

std::vector<int> assign_gpus(const std::vector<Ids>& visible) {
  std::set<Gpu::Id> taken;
  std::vector<int> chosen;
  for (const Ids& ids : visible) {
    const auto free = std::find_if(ids.begin(), ids.end(), [&](const Gpu::Id& id) { return taken.insert(id).second; });
    chosen.push_back(free == ids.end() ? -1 : static_cast<int>(free - ids.begin()));
  }
  return chosen;
}

Device choose_device(DeviceKind wanted, const DistOptions& options, const ProcessGroup& world,
                     const ProcessGroup& node) {
  if (wanted == DeviceKind::cpu) return {};
  const VisibleGpus mine = visible_gpus();
  const std::int64_t least = world.all_reduce(static_cast<std::int64_t>(mine.gpus.size()), Reduce::min);
  if (least == 0) {
    if (wanted == DeviceKind::automatic) return {};
    throw ConfigError(str("config: device is cuda, and ",
                          mine.gpus.empty() ? "there is no GPU: " + mine.why_none : "another rank sees no GPU"));
  }
  const std::vector<Ids> visible = survey_gpus(node, mine.gpus);
  const std::vector<int> chosen = assign_gpus(visible);
  const bool lacking = std::find(chosen.begin(), chosen.end(), -1) != chosen.end();
  const bool shared = world.any(lacking);
  if (shared && !options.share_gpu)
    throw ConfigError(str("config: every rank must have a GPU of its own, got ",
                          lacking ? str(different(visible), " GPUs for ", node.size(), " ranks on this node")
                                  : std::string("fewer GPUs than ranks on another node"),
                          "; start fewer ranks, or set dist.share_gpu=true or device=cpu"));
  const int own = chosen[static_cast<std::size_t>(node.rank())];
  const int gpu = own >= 0 ? own : node.rank() % static_cast<int>(mine.gpus.size());
  use_gpu(gpu);
  return {gpu, str("GPU ", gpu, " (", mine.gpus[static_cast<std::size_t>(gpu)].name, ")"), shared};
}

void make_deterministic() {
  // Without it cuBLAS may add in another order from run to run; it is read when cuBLAS starts.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  // Filling what is not written yet would help to find bugs only.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

}  // namespace coterie::dist
