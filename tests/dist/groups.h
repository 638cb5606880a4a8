// The process groups that every test of collectives runs on, and small tensors for it.
#pragma once

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dist/mpi_group.h"
#include "dist/solo_group.h"

namespace coterie::dist {

/// Long enough for a loaded machine, short enough to fail before CTest's own limit.
inline constexpr double kPatienceS = 60;

/// One way to make a group, and where the tensors lie that it is given.
struct Backend {
  std::string name;
  std::unique_ptr<ProcessGroup> (*make)();  ///< gives nothing where this machine has too few GPUs
  at::DeviceType device = at::kCPU;
};

inline std::unique_ptr<ProcessGroup> make_world(std::int64_t message_bytes = MpiGroup::kMessageBytes) {
  return std::make_unique<MpiGroup>(Communicator::world(), "world", kPatienceS, message_bytes);
}

/// The ranks whose number has the same remainder.
inline std::unique_ptr<ProcessGroup> make_part(int parts) {
  const Communicator world = Communicator::world();
  return std::make_unique<MpiGroup>(world.split(world.rank() % parts, world.rank()), "part", kPatienceS);
}

/// The backends under test, of cpu_backends.cpp or of gpu_backends.cpp.
std::vector<Backend> backends();

/// Runs a test body on a group of each backend.
class OnEveryBackend : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (!group_) GTEST_SKIP() << "there are fewer GPUs than ranks need";
  }
  [[nodiscard]] const ProcessGroup& group() const { return *group_; }
  [[nodiscard]] int rank() const { return group_->rank(); }
  [[nodiscard]] int size() const { return group_->size(); }
  /// The values where the backend under test wants them.
  [[nodiscard]] static at::Tensor placed(const at::Tensor& values) { return values.to(GetParam().device); }
  /// The same count for every rank.
  [[nodiscard]] Splits splits(std::int64_t count) const { return Splits(static_cast<std::size_t>(size()), count); }

 private:
  std::unique_ptr<ProcessGroup> group_ = GetParam().make();
};

/// How GoogleTest spells a backend.
struct BackendName {
  std::string operator()(const testing::TestParamInfo<Backend>& info) const { return info.param.name; }
};

/// A contiguous tensor [values.size() / width, width].
template <class Value>
at::Tensor rows_of(const std::vector<Value>& values, std::int64_t width) {
  at::Tensor rows =
      at::empty({static_cast<std::int64_t>(values.size()) / width, width}, c10::CppTypeToScalarType<Value>::value);
  std::copy(values.begin(), values.end(), rows.template data_ptr<Value>());
  return rows;
}

/// The elements in memory order.
template <class Value>
std::vector<Value> values_of(const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu();
  const Value* first = host.template const_data_ptr<Value>();
  return {first, first + host.numel()};
}

/// What the call throws, as text, or nothing.
template <class Kind, class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Kind& error) {
    return error.what();
  }
  return {};
}

}  // namespace coterie::dist
