// Every operation of torch on tensors of emulated GPUs: it is done by the CPU's kernel, in the same memory.
#include "tests/emulated_gpus/tensors.h"

#include <ATen/Functions.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAFunctions.h>
#include <torch/library.h>

#include <map>
#include <optional>
#include <string_view>

#include "base/str.h"
#include "tests/emulated_gpus/gpus.h"
#include "tests/emulated_gpus/stream.h"

namespace coterie::emulated {
namespace {

/// What a GPU's memory really is.
struct Memory {
  c10::Storage host;
  const void* first;  // where it was when the GPU got it
};

at::DataPtr on_gpu_of(const c10::Storage& host, at::Device gpu) {
  auto* const memory = new Memory{host, host.data()};
  add_memory(memory->first, host.nbytes(), gpu.index());
  const auto release = [](void* context) {
    const auto free = [memory = static_cast<Memory*>(context)] {
      remove_memory(memory->first);
      delete memory;
    };
    // What is still under way on the stream may use memory that the program has let go.
    if (done(issued()))
      free();
    else
      issue(free);
  };
  return {host.mutable_data(), memory, +release, gpu};
}

c10::Storage gpu_storage_of(const c10::Storage& host, at::Device gpu) {
  return {c10::Storage::use_byte_size_t(), host.nbytes(), on_gpu_of(host, gpu), /*allocator=*/nullptr,
          /*resizable=*/false};
}

const c10::Storage& host_storage_of(const at::Tensor& on_gpu) {
  return static_cast<const Memory*>(on_gpu.storage().data_ptr().get_context())->host;
}

at::Tensor view_of(const c10::Storage& storage, const at::Tensor& like) {
  const c10::InferenceMode as_like(like.is_inference());
  const auto key = storage.device().is_cuda() ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
  at::Tensor view =
      at::detail::make_tensor<c10::TensorImpl>(c10::Storage(storage), c10::DispatchKeySet(key), like.dtype());
  view.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  return view;
}

template <class Change>
c10::List<at::Tensor> each(const c10::IValue& tensors, const Change& change) {
  c10::List<at::Tensor> changed;
  for (const at::Tensor& tensor : tensors.toTensorVector()) changed.push_back(change(tensor));
  return changed;
}

/// One call of an operation, whose tensors change sides.
class Call {
 public:
  explicit Call(std::string name) : name_(std::move(name)) {}

  void to_host(c10::IValue& value) {
    if (value.isTensor()) {
      value = to_host(value.toTensor());
    } else if (value.isTensorList()) {
      value = each(value, [&](const at::Tensor& tensor) { return to_host(tensor); });
    } else if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> tensors;
      for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector())
        tensors.push_back(tensor ? std::optional(to_host(*tensor)) : std::nullopt);
      value = tensors;
    } else if (value.isDevice() && value.toDevice().is_cuda()) {
      lies_on(value.toDevice());
      value = at::Device(at::kCPU);
    }
  }

  void to_gpu(c10::IValue& value) {
    if (value.isTensor()) {
      value = to_gpu(value.toTensor());
    } else if (value.isTensorList()) {
      value = each(value, [&](const at::Tensor& tensor) { return to_gpu(tensor); });
    }
  }

 private:
  void lies_on(at::Device device) {
    if (!device.has_index()) device.set_index(static_cast<c10::DeviceIndex>(current_gpu()));
    TORCH_CHECK(!gpu_ || *gpu_ == device, name_, ": tensors lie on ", *gpu_, " and ", device);
    gpu_ = device;
  }

  at::Tensor to_host(const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    if (!tensor.is_cuda()) {
      TORCH_CHECK(tensor.dim() == 0, name_, ": a tensor of the CPU meets one of a GPU");
      return tensor;
    }
    lies_on(tensor.device());
    const c10::Storage& storage = host_storage_of(tensor);
    at::Tensor seen = view_of(storage, tensor);
    gpu_of_[storage.unsafeGetStorageImpl()] = tensor.storage();
    original_[seen.unsafeGetTensorImpl()] = tensor;
    kept_.push_back(seen);
    return seen;
  }

  at::Tensor to_gpu(const at::Tensor& tensor) {
    if (!tensor.defined() || tensor.is_cuda()) return tensor;
    const auto original = original_.find(tensor.unsafeGetTensorImpl());
    if (original != original_.end()) return changed(original->second, tensor);
    const auto known = gpu_of_.find(tensor.storage().unsafeGetStorageImpl());
    return view_of(known != gpu_of_.end() ? known->second : gpu_storage_of(tensor.storage(), *gpu_), tensor);
  }

  /// An argument that the operation has written to, perhaps in other memory and another shape.
  [[nodiscard]] at::Tensor changed(at::Tensor original, const at::Tensor& seen) const {
    if (seen.storage().data() != original.storage().data()) {
      auto* const storage = original.storage().unsafeGetStorageImpl();
      storage->set_data_ptr(on_gpu_of(seen.storage(), *gpu_));
      storage->set_nbytes(seen.storage().nbytes());
    }
    if (seen.sizes() != original.sizes() || seen.strides() != original.strides())
      original.unsafeGetTensorImpl()->set_sizes_and_strides(seen.sizes(), seen.strides(), seen.storage_offset());
    return original;
  }

  std::string name_;
  std::optional<at::Device> gpu_;
  std::map<c10::StorageImpl*, c10::Storage> gpu_of_;  // of the host's memory
  std::map<c10::TensorImpl*, at::Tensor> original_;   // of arguments as the CPU sees them
  std::vector<at::Tensor> kept_;                      // so that no result has the address of an argument
};

void warn_of_wait() {
  if (c10::cuda::warning_state().get_sync_debug_mode() == c10::cuda::SyncDebugMode::L_WARN)
    TORCH_WARN("called a synchronizing CUDA operation");
}

/// Operations whose results the host needs at once.
bool waits(std::string_view name) {
  for (const std::string_view waiting : {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal",
                                         "aten::masked_select", "aten::bincount", "aten::_unique2", "aten::unique_dim"})
    if (name == waiting) return true;
  return false;
}

void on_gpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  finish();
  if (waits(op.schema().name())) warn_of_wait();
  Call call(op.schema().name());
  for (auto value = stack->end() - static_cast<std::ptrdiff_t>(op.schema().arguments().size()); value != stack->end();
       ++value)
    call.to_host(*value);
  const at::AutoDispatchBelowADInplaceOrView no_graph;
  op.callBoxed(stack);
  for (auto value = stack->end() - static_cast<std::ptrdiff_t>(op.schema().returns().size()); value != stack->end();
       ++value)
    call.to_gpu(*value);
}

at::Tensor& copy_between(at::Tensor& to, const at::Tensor& from, bool non_blocking) {
  const auto memory = [](const at::Tensor& tensor) {
    return tensor.is_cuda() ? view_of(host_storage_of(tensor), tensor) : tensor;
  };
  const auto copy = [to = memory(to), from = memory(from)] {
    const at::AutoDispatchBelowADInplaceOrView no_graph;
    to.copy_(from);
  };
  if (non_blocking && to.is_cuda() != from.is_cuda()) {
    issue(copy);
    return to;
  }
  finish();
  if (to.is_cuda() != from.is_cuda()) warn_of_wait();
  copy();
  return to;
}

/// GPUs alone have it.
at::Tensor mm_in(const at::Tensor& a, const at::Tensor& b, at::ScalarType dtype) {
  const at::AutoDispatchBelowADInplaceOrView no_graph;
  return seen_by_gpu(at::mm(seen_by_host(a).to(dtype), seen_by_host(b).to(dtype)), a.device());
}

}  // namespace

at::Tensor seen_by_host(const at::Tensor& on_gpu) {
  finish();
  return view_of(host_storage_of(on_gpu), on_gpu);
}

at::Tensor seen_by_gpu(const at::Tensor& on_host, at::Device gpu) {
  return view_of(gpu_storage_of(on_host.storage(), gpu), on_host);
}

}  // namespace coterie::emulated

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&coterie::emulated::on_gpu>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("copy_", &coterie::emulated::copy_between);
  library.impl("mm.dtype", &coterie::emulated::mm_in);
}
