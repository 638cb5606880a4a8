#include "train/agreement.h"

#include "base/error.h"
#include "base/sha256.h"
#include "dist/together.h"

namespace coterie::train {
namespace {

// `holders` are the ranks that must agree, a part of the world.
void expect_same(const dist::ProcessGroup& world, const dist::ProcessGroup& holders, const std::string& what,
                 const std::string& sha256, const std::string& where) {
  const std::string first = holders.broadcast(sha256, 0);
  dist::together(world, [&] {
    if (sha256 != first)
      throw DataError(str("run: ", what, " must be the same on all ranks, sha256 ", first, ", got ", sha256,
                          " on rank ", world.rank(), " (", where, ")"));
  });
}

std::string checksum(const kernels::ParameterStore& parameters, const kernels::AdamW& optimizer,
                     kernels::Sharing sharing) {
  Sha256 hash;
  hash.update(std::to_string(optimizer.steps()));
  for (std::size_t i = 0; i < parameters.segments().size(); ++i) {
    const kernels::Segment& segment = parameters.segments()[i];
    if (segment.kind.sharing != sharing) continue;
    for (const at::Tensor& flat : {segment.values, optimizer.first_moments()[i], optimizer.second_moments()[i]}) {
      const at::Tensor host = flat.cpu();
      hash.update(std::span(static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()));
    }
  }
  return hash.hex();
}

}  // namespace

void expect_same_file(const dist::ProcessGroup& world, const std::string& what, const std::string& sha256,
                      const std::string& path) {
  expect_same(world, world, what, sha256, path);
}

void expect_same_parameters(const dist::Mesh& mesh, const kernels::ParameterStore& parameters,
                            const kernels::AdamW& optimizer, const std::string& source) {
  expect_same(mesh.world(), mesh.world(), "dense parameters",
              checksum(parameters, optimizer, kernels::Sharing::replicated), source);
  expect_same(mesh.world(), mesh.data_group(), "copies of experts",
              checksum(parameters, optimizer, kernels::Sharing::expert), source);
}

}  // namespace coterie::train
