// A job in which one rank misbehaves, with the main function that every command on ranks has. Started by job_test.cpp
// and gpu_job_test.cpp.
//
//   failing_job HOW TIMEOUT_S [cuda]
#include <ATen/ops/zeros.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/error.h"
#include "dist/environment.h"
#include "dist/mesh.h"

namespace {

using namespace coterie;
using namespace coterie::dist;

/// What the last rank does while the others wait for it.
void misbehave(const std::string& how, const ProcessGroup& world) {
  if (how == "throw") throw DataError("failing_job: thrown on purpose");
  if (how == "exit") std::_Exit(3);
  if (how == "fault") ::setenv("EMULATED_NCCL_FAULT", "6", /*overwrite=*/1);
  if (how == "sleep" || how == "mute") std::this_thread::sleep_for(std::chrono::seconds(60));
  if (how == "barrier") world.barrier();
  if (how == "more") static_cast<void>(world.all_to_all(at::zeros({2}), {2, 0}, {1, 0}));
  if (how == "fewer") static_cast<void>(world.all_to_all(at::zeros({0}), {0, 0}, {1, 0}));
}

void run(const std::string& how, double timeout_s, DeviceKind device) {
  Mesh mesh({}, {.timeout_s = timeout_s}, device);
  const ProcessGroup& world = mesh.world();
  world.barrier();
  mesh.set_step(40);
  if (how == "mute") ::setenv("EMULATED_CUDA_MUTE", "1", /*overwrite=*/1);
  if (how != "fine" && world.rank() == world.size() - 1) misbehave(how, world);
  if (how == "more" || how == "fewer") {
    static_cast<void>(world.all_to_all(at::zeros({1}), {0, 1}, {0, 1}));
  } else {
    at::Tensor gradient = at::zeros({1 << 16}, mesh.device().place());
    world.all_reduce(gradient);
    static_cast<void>(gradient.cpu());
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const MpiEnvironment environment(argc, argv);
    run(argv[1], std::stod(argv[2]), argc > 3 ? DeviceKind::cuda : DeviceKind::cpu);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "caught: %s\n", error.what());
    MpiEnvironment::abort(static_cast<int>(error.code()));
  }
}
