// A process group that counts what goes through it.
#pragma once

#include <map>
#include <utility>

#include "dist/process_group.h"

namespace coterie::test {

using Counts = std::map<dist::Collective, int>;

/// A group that counts what goes through it.
class CountingGroup final : public dist::ProcessGroup {
 public:
  explicit CountingGroup(const dist::ProcessGroup& group) : ProcessGroup("counting"), group_(group) {}
  [[nodiscard]] int rank() const noexcept override { return group_.rank(); }
  [[nodiscard]] int size() const noexcept override { return group_.size(); }
  /// Since the latest call.
  [[nodiscard]] Counts take() { return std::exchange(counts_, {}); }

 private:
  void do_all_to_all(const at::Tensor& rows, const dist::Splits& send, at::Tensor& out,
                     const dist::Splits& receive) const override {
    ++counts_[dist::Collective::all_to_all];
    out.copy_(group_.all_to_all(rows, send, receive));
  }
  void do_all_reduce(at::Tensor& values, dist::Reduce op) const override {
    ++counts_[dist::Collective::all_reduce];
    group_.all_reduce(values, op);
  }
  void do_all_gather(const at::Tensor& rows, const dist::Splits& counts, at::Tensor& out) const override {
    ++counts_[dist::Collective::all_gather];
    out.copy_(group_.all_gather(rows, counts));
  }
  void do_reduce_scatter(const at::Tensor& rows, const dist::Splits& counts, at::Tensor& out) const override {
    ++counts_[dist::Collective::reduce_scatter];
    out.copy_(group_.reduce_scatter(rows, counts));
  }
  void do_broadcast(at::Tensor& values, int root) const override {
    ++counts_[dist::Collective::broadcast];
    group_.broadcast(values, root);
  }
  void do_barrier() const override {
    ++counts_[dist::Collective::barrier];
    group_.barrier();
  }

  const dist::ProcessGroup& group_;
  mutable Counts counts_;
};

}  // namespace coterie::test
