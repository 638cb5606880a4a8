// The group of one rank: the base class does all there is to do.
#include "dist/solo_group.h"

namespace coterie::dist {
namespace {

class SoloGroup final : public ProcessGroup {
 public:
  SoloGroup() : ProcessGroup("solo") {}
  [[nodiscard]] int rank() const noexcept override { return 0; }
  [[nodiscard]] int size() const noexcept override { return 1; }

 private:
  void do_all_to_all(const at::Tensor&, const Splits&, at::Tensor&, const Splits&) const override {}
  void do_all_reduce(at::Tensor&, Reduce) const override {}
  void do_all_gather(const at::Tensor&, const Splits&, at::Tensor&) const override {}
  void do_reduce_scatter(const at::Tensor&, const Splits&, at::Tensor&) const override {}
  void do_broadcast(at::Tensor&, int) const override {}
  void do_barrier() const override {}
};

}  // namespace

std::unique_ptr<ProcessGroup> make_solo_group() { return std::make_unique<SoloGroup>(); }

}  // namespace coterie::dist
