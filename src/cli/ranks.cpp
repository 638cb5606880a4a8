#include "cli/ranks.h"

#include <ATen/Parallel.h>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/log.h"
#include "config/config.h"
#include "dist/together.h"
#include "kernels/row_products.h"

namespace coterie::cli {

Configuration shared_configuration(const std::string& file, const CommandLine& line) {
  const dist::Mesh everyone({}, {});
  log::set_rank(everyone.world().rank(), everyone.world().size());
  const std::string text = dist::on_leader(everyone.world(), [&] { return configure(file, line).text; });
  return {config::read<train::RunOptions>(config::tree_of_text(text, "config.toml")), text};
}

dist::Mesh make_mesh(const train::RunOptions& options, Layout layout) {
  dist::ParallelOptions parallel = options.parallel;
  if (layout == Layout::replicated) parallel.expert = 1;
  if (options.deterministic) dist::make_deterministic();
  dist::Mesh mesh(parallel, options.dist, options.device);
  at::set_num_threads(dist::threads_for(options.dist, mesh));
  if (mesh.device().place().is_cuda()) log::info(str("computing on ", mesh.device().name()));
  const bool as_floats = kernels::multiplied_dtype(at::kBFloat16, mesh.device().place()) == at::kFloat;
  if (options.model.precision == model::Precision::bf16 && as_floats && log::leads())
    log::warn("model.precision=bf16 is slower than fp32 here: there are no instructions for it");
  const std::string warning = dist::placement_warning(options.dist, mesh);
  if (!warning.empty() && mesh.node().rank == 0) log::warn(warning);
  return mesh;
}

void expect_writable_for_all(const dist::Mesh& mesh, const std::vector<std::string>& paths) {
  dist::together(mesh.world(), [&] {
    if (mesh.world().rank() != 0) return;
    for (const std::string& path : paths)
      if (!path.empty()) expect_writable(path);
  });
}

}  // namespace coterie::cli
