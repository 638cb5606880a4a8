// Validation, and the trivial case of one rank, for every collective of every backend.
#include "dist/process_group.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <ostream>
#include <string_view>

#include "base/error.h"

namespace coterie::dist {
namespace {

std::int64_t total(const Splits& counts) { return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}); }

/// Everything a backend relies on when it takes a tensor's address.
void check_dense(Collective kind, const at::Tensor& values) {
  COTERIE_CHECK(ShapeError, values.defined(), kind, ": tensor must be defined");
  COTERIE_CHECK(ShapeError, values.is_contiguous() && (values.device().is_cpu() || values.device().is_cuda()), kind,
                ": tensor must be contiguous and on the CPU or a GPU, got ", values.sizes(), " with strides ",
                values.strides(), " on ", values.device());
}

void check_rows(Collective kind, const at::Tensor& rows, std::int64_t expected, std::string_view counts) {
  check_dense(kind, rows);
  COTERIE_CHECK(ShapeError, rows.dim() >= 1, kind, ": rows must be [N, ...], got a scalar");
  COTERIE_CHECK(ShapeError, rows.size(0) == expected, kind, ": ", counts, " ", expected, ", rows has ", rows.size(0));
}

void check_reducible(Collective kind, const at::Tensor& values) {
  const auto dtype = values.scalar_type();
  COTERIE_CHECK(ShapeError, dtype == at::kFloat || dtype == at::kDouble || dtype == at::kLong, kind,
                ": dtype must be one of Float, Double, Long, got ", dtype);
}

at::Tensor empty_rows(const at::Tensor& like, std::int64_t count) {
  std::vector<std::int64_t> sizes = like.sizes().vec();
  sizes[0] = count;
  return at::empty(sizes, like.options().requires_grad(false));
}

at::Tensor make_integer(std::int64_t value) {
  at::Tensor tensor = at::empty({1}, at::kLong);
  *tensor.data_ptr<std::int64_t>() = value;
  return tensor;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, Collective kind) {
  static constexpr std::array<const char*, 6> kNames = {"all_to_all",     "all_reduce", "all_gather",
                                                        "reduce_scatter", "broadcast",  "barrier"};
  return out << kNames[static_cast<std::size_t>(kind)];
}

bool ProcessGroup::begin(Collective kind) const noexcept {
  operation_.kind = kind;
  ++operation_.number;
  return size() > 1;
}

void ProcessGroup::check_root(int root) const {
  COTERIE_CHECK(ShapeError, root >= 0 && root < size(), "broadcast: root must be in 0..", size() - 1, ", got ", root);
}

void ProcessGroup::check_counts(Collective kind, std::string_view what, const Splits& counts) const {
  COTERIE_CHECK(ShapeError, counts.size() == static_cast<std::size_t>(size()), kind, ": must have ", size(), " ", what,
                "counts, one per rank, got ", counts.size());
  const auto negative = std::find_if(counts.begin(), counts.end(), [](std::int64_t count) { return count < 0; });
  COTERIE_CHECK(ShapeError, negative == counts.end(), kind, ": ", what, "counts must not be negative, got ", *negative,
                " for rank ", negative - counts.begin());
}

at::Tensor ProcessGroup::all_to_all(const at::Tensor& rows, const Splits& send, const Splits& receive) const {
  constexpr Collective kKind = Collective::all_to_all;
  check_counts(kKind, "send ", send);
  check_counts(kKind, "receive ", receive);
  check_rows(kKind, rows, total(send), "send counts sum to");
  const auto self = static_cast<std::size_t>(rank());
  COTERIE_CHECK(ShapeError, send[self] == receive[self], kKind, ": rank ", rank(), " sends itself ", send[self],
                " rows, but receives ", receive[self], " from itself");
  if (!begin(kKind)) return rows.detach();
  at::Tensor out = empty_rows(rows, total(receive));
  do_all_to_all(rows.detach(), send, out, receive);
  return out;
}

void ProcessGroup::all_reduce(at::Tensor& values, Reduce op) const {
  check_dense(Collective::all_reduce, values);
  check_reducible(Collective::all_reduce, values);
  if (!begin(Collective::all_reduce)) return;
  at::Tensor detached = values.detach();
  do_all_reduce(detached, op);
}

std::int64_t ProcessGroup::all_reduce(std::int64_t value, Reduce op) const {
  at::Tensor values = make_integer(value);
  all_reduce(values, op);
  return *values.const_data_ptr<std::int64_t>();
}

bool ProcessGroup::any(bool value) const { return all_reduce(std::int64_t{value ? 1 : 0}, Reduce::max) != 0; }

at::Tensor ProcessGroup::all_gather(const at::Tensor& rows, const Splits& counts) const {
  check_counts(Collective::all_gather, "", counts);
  check_rows(Collective::all_gather, rows, counts[static_cast<std::size_t>(rank())], "this rank's count is");
  if (!begin(Collective::all_gather)) return rows.detach();
  at::Tensor out = empty_rows(rows, total(counts));
  do_all_gather(rows.detach(), counts, out);
  return out;
}

at::Tensor ProcessGroup::reduce_scatter(const at::Tensor& rows, const Splits& counts) const {
  check_counts(Collective::reduce_scatter, "", counts);
  check_rows(Collective::reduce_scatter, rows, total(counts), "counts sum to");
  check_reducible(Collective::reduce_scatter, rows);
  if (!begin(Collective::reduce_scatter)) return rows.detach();
  at::Tensor out = empty_rows(rows, counts[static_cast<std::size_t>(rank())]);
  do_reduce_scatter(rows.detach(), counts, out);
  return out;
}

void ProcessGroup::broadcast(at::Tensor& values, int root) const {
  check_root(root);
  check_dense(Collective::broadcast, values);
  if (!begin(Collective::broadcast)) return;
  at::Tensor detached = values.detach();
  do_broadcast(detached, root);
}

std::string ProcessGroup::broadcast(const std::string& text, int root) const {
  check_root(root);
  at::Tensor size_tensor = make_integer(static_cast<std::int64_t>(text.size()));
  broadcast(size_tensor, root);
  const std::int64_t length = *size_tensor.const_data_ptr<std::int64_t>();
  at::Tensor bytes = at::empty({length}, at::kByte);
  if (rank() == root) std::copy(text.begin(), text.end(), static_cast<char*>(bytes.data_ptr()));
  broadcast(bytes, root);
  return {static_cast<const char*>(bytes.data_ptr()), static_cast<std::size_t>(length)};
}

void ProcessGroup::barrier() const {
  if (begin(Collective::barrier)) do_barrier();
}

std::vector<std::int64_t> ProcessGroup::all_gather_counts(std::span<const std::int64_t> mine) const {
  const auto count = static_cast<std::int64_t>(mine.size());
  at::Tensor rows = at::empty({count}, at::kLong);
  std::copy(mine.begin(), mine.end(), rows.data_ptr<std::int64_t>());
  const at::Tensor all = all_gather(rows, Splits(static_cast<std::size_t>(size()), count));
  const auto* first = all.const_data_ptr<std::int64_t>();
  return {first, first + all.numel()};
}

}  // namespace coterie::dist
