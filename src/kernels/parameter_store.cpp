#include "kernels/parameter_store.h"

#include <ATen/Functions.h>

#include "base/error.h"

namespace coterie::kernels {

ParameterStore::ParameterStore(const std::vector<Declaration>& declarations, const Dtypes& dtypes,
                               const at::Device& device)
    : dtypes_(dtypes), device_(device) {
  const at::TensorOptions placed(device);
  std::map<ParameterKind, std::size_t> segment_of;
  std::vector<std::int64_t> sizes;
  for (const Declaration& d : declarations) {
    const auto [found, fresh] = segment_of.try_emplace(d.kind, segments_.size());
    if (fresh) {
      segments_.push_back({.kind = d.kind, .values = {}, .gradients = {}, .names = {}});
      sizes.push_back(0);
    }
    const std::size_t segment = found->second;
    COTERIE_CHECK(ShapeError, places_.try_emplace(d.name, Place{segment, sizes[segment]}).second, "parameters: '",
                  d.name, "' is declared twice");
    segments_[segment].names.push_back(d.name);
    names_.push_back(d.name);
    sizes[segment] += d.value.numel();
  }
  for (std::size_t s = 0; s < segments_.size(); ++s) {
    segments_[s].values = at::empty({sizes[s]}, placed.dtype(dtypes.master));
    segments_[s].gradients = at::zeros({sizes[s]}, placed.dtype(dtypes.master));
    if (dtypes.product != dtypes.master) copies_.push_back(at::empty({sizes[s]}, placed.dtype(dtypes.product)));
  }
  for (const Declaration& d : declarations) {
    const Place place = places_.at(d.name);
    const auto view = [&](const at::Tensor& flat) {
      return flat.narrow(0, place.offset, d.value.numel()).view(d.value.sizes());
    };
    at::Tensor leaf = view(segments_[place.segment].values).detach();
    leaf.copy_(d.value);
    leaf.set_requires_grad(true);
    leaf.mutable_grad() = view(segments_[place.segment].gradients);
    leaves_.emplace(d.name, std::move(leaf));
  }
  refresh();
}

const at::Tensor& ParameterStore::at(const std::string& name) const {
  const auto found = leaves_.find(name);
  COTERIE_CHECK(ShapeError, found != leaves_.end(), "parameters: there is no '", name, "'");
  return found->second;
}

Operand ParameterStore::operand(const std::string& name) const {
  const at::Tensor& leaf = at(name);
  return {leaf, copies_.empty() ? leaf : slice(name, copies_)};
}

Operand ParameterStore::joined(const std::vector<std::string>& names) const {
  std::vector<std::int64_t> sizes = at(names.front()).sizes().vec();
  const Place first = places_.at(names.front());
  sizes[0] = 0;
  std::int64_t end = first.offset;
  for (const std::string& name : names) {
    const at::Tensor& leaf = at(name);
    const Place place = places_.at(name);
    COTERIE_CHECK(ShapeError,
                  place.segment == first.segment && place.offset == end &&
                      leaf.sizes().slice(1) == at::IntArrayRef(sizes).slice(1),
                  "parameters: '", name, "' does not continue '", names.front(), "'");
    sizes[0] += leaf.size(0);
    end += leaf.numel();
  }
  const auto view = [&](const at::Tensor& flat) {
    return flat.narrow(0, first.offset, end - first.offset).view(sizes);
  };
  const Segment& segment = segments_[first.segment];
  at::Tensor leaf = view(segment.values).detach().set_requires_grad(true);
  leaf.mutable_grad() = view(segment.gradients);
  return {leaf, copies_.empty() ? leaf : view(copies_[first.segment])};
}

at::Tensor ParameterStore::slice(const std::string& name, const std::vector<at::Tensor>& flat_per_segment) const {
  const at::Tensor& leaf = at(name);
  const Place place = places_.at(name);
  return flat_per_segment.at(place.segment).narrow(0, place.offset, leaf.numel()).view(leaf.sizes());
}

void ParameterStore::zero_gradients() {
  for (const Segment& segment : segments_) segment.gradients.zero_();
}

void ParameterStore::refresh() {
  for (std::size_t s = 0; s < copies_.size(); ++s) copies_[s].copy_(segments_[s].values);
}

}  // namespace coterie::kernels
