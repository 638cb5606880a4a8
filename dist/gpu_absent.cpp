// A build without CUDA: there is no GPU.
#include "base/error.h"
#include "dist/gpu.h"
#include "dist/gpu_group.h"

namespace coterie::dist {
namespace {

constexpr const char* kAbsent = "this program was built without CUDA (build it with launch/bootstrap.sh cuda)";

}  // namespace

VisibleGpus visible_gpus() { return {{}, kAbsent}; }

void use_gpu(int index) { throw CommError(str("gpu: cannot use GPU ", index, ": ", kAbsent), Exit::bug); }

void finish_gpu_work() {}

std::int64_t peak_gpu_bytes() { return 0; }

std::unique_ptr<ProcessGroup> make_gpu_group(Communicator /*comm*/, std::string name, double /*timeout_s*/) {
  throw CommError(str("gpu: cannot make the group '", name, "': ", kAbsent), Exit::bug);
}

}  // namespace coterie::dist
