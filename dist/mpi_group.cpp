// The collectives, made of rounds of messages. In each round receives are posted before sends.
#include "dist/mpi_group.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "dist/fold.h"

namespace coterie::dist {
namespace {

/// Up to this size an all_reduce sends everything to everybody.
constexpr std::int64_t kGatherBytes = 8 << 10;
/// A larger one goes chunk by chunk, so that scratch memory is small and stays in cache.
constexpr std::int64_t kChunkBytes = 4 << 20;

char* address(const at::Tensor& values) { return static_cast<char*>(values.data_ptr()); }

std::int64_t bytes_of(const at::Tensor& values) { return static_cast<std::int64_t>(values.nbytes()); }

/// Where each block begins, in bytes, and where the last one ends.
std::vector<std::int64_t> offsets_of(const Splits& counts, const at::Tensor& rows) {
  std::int64_t row_bytes = rows.element_size();
  for (const std::int64_t size : rows.sizes().slice(1)) row_bytes *= size;
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t count : counts) offsets.push_back(offsets.back() + count * row_bytes);
  return offsets;
}

void copy_bytes(char* to, const char* from, std::int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

bool on_gpu(const at::Tensor& values) { return !values.device().is_cpu(); }

/// Memory of the same shape that the GPU can copy to and from by itself.
at::Tensor pinned_like(const at::Tensor& values) {
  return at::empty(values.sizes(), values.options().requires_grad(false).device(at::kCPU).pinned_memory(true));
}

/// The values in pinned memory. Waits for the GPU to have made them.
at::Tensor staged(const at::Tensor& values) { return pinned_like(values).copy_(values); }

}  // namespace

MpiGroup::MpiGroup(Communicator comm, std::string name, double timeout_s, std::int64_t message_bytes)
    : ProcessGroup(name), channel_{std::move(comm), std::move(name), timeout_s, message_bytes} {
  COTERIE_CHECK(ShapeError, message_bytes >= 1 && message_bytes < (std::int64_t{1} << 31),
                "mpi: message_bytes must be in 1..2147483647, got ", message_bytes);
}

void MpiGroup::do_all_to_all(const at::Tensor& rows, const Splits& send, at::Tensor& out, const Splits& receive) const {
  if (on_gpu(rows)) {
    at::Tensor arrived = pinned_like(out);
    MpiGroup::do_all_to_all(staged(rows), send, arrived, receive);
    out.copy_(arrived, /*non_blocking=*/true);
    return;
  }
  const auto from = offsets_of(send, rows);
  const auto to = offsets_of(receive, out);
  Messages round(channel_, operation(), {rows, out});
  for (int peer = 0; peer < size(); ++peer) {
    const auto p = static_cast<std::size_t>(peer);
    if (peer != rank()) round.receive(peer, address(out) + to[p], to[p + 1] - to[p]);
  }
  for (int peer = 0; peer < size(); ++peer) {
    const auto p = static_cast<std::size_t>(peer);
    if (peer != rank()) round.send(peer, address(rows) + from[p], from[p + 1] - from[p]);
  }
  const auto self = static_cast<std::size_t>(rank());
  copy_bytes(address(out) + to[self], address(rows) + from[self], from[self + 1] - from[self]);
  round.wait();
}

void MpiGroup::do_all_gather(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const {
  if (on_gpu(rows)) {
    at::Tensor arrived = pinned_like(out);
    MpiGroup::do_all_gather(staged(rows), counts, arrived);
    out.copy_(arrived, /*non_blocking=*/true);
    return;
  }
  const auto to = offsets_of(counts, out);
  Messages round(channel_, operation(), {rows, out});
  for (int peer = 0; peer < size(); ++peer) {
    const auto p = static_cast<std::size_t>(peer);
    if (peer != rank()) round.receive(peer, address(out) + to[p], to[p + 1] - to[p]);
  }
  for (int peer = 0; peer < size(); ++peer)
    if (peer != rank()) round.send(peer, address(rows), bytes_of(rows));
  copy_bytes(address(out) + to[static_cast<std::size_t>(rank())], address(rows), bytes_of(rows));
  round.wait();
}

void MpiGroup::do_reduce_scatter(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const {
  if (on_gpu(rows)) {
    at::Tensor block = pinned_like(out);
    MpiGroup::do_reduce_scatter(staged(rows), counts, block);
    out.copy_(block, /*non_blocking=*/true);
    return;
  }
  const auto from = offsets_of(counts, rows);
  const auto self = static_cast<std::size_t>(rank());
  const std::int64_t block_bytes = bytes_of(out);
  const at::Tensor scratch = at::empty({size() - 1, block_bytes}, at::kByte);
  std::vector<const void*> sources;
  Messages round(channel_, operation(), {rows, scratch});
  char* next = address(scratch);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) {
      sources.push_back(address(rows) + from[self]);
      continue;
    }
    sources.push_back(next);
    round.receive(peer, next, block_bytes);
    next += block_bytes;
  }
  for (int peer = 0; peer < size(); ++peer) {
    const auto p = static_cast<std::size_t>(peer);
    if (peer != rank()) round.send(peer, address(rows) + from[p], from[p + 1] - from[p]);
  }
  round.wait();
  fold(Reduce::sum, rows.scalar_type(), sources, address(out), out.numel());
}

void MpiGroup::do_all_reduce(at::Tensor& values, Reduce op) const {
  if (on_gpu(values)) {
    at::Tensor host = staged(values);
    MpiGroup::do_all_reduce(host, op);
    values.copy_(host, /*non_blocking=*/true);
    return;
  }
  if (bytes_of(values) <= kGatherBytes) return reduce_by_gathering(values, op);
  at::Tensor flat = values.view({-1});
  const std::int64_t length = kChunkBytes / flat.element_size();
  at::Tensor scratch = at::empty({std::min(length, flat.numel()) + size()}, flat.options());
  for (std::int64_t begin = 0; begin < flat.numel(); begin += length) {
    at::Tensor chunk = flat.narrow(0, begin, std::min(length, flat.numel() - begin));
    reduce_chunk(chunk, scratch, op);
  }
}

void MpiGroup::reduce_by_gathering(at::Tensor& values, Reduce op) const {
  const std::int64_t bytes = bytes_of(values);
  const at::Tensor all = at::empty({size(), bytes}, at::kByte);
  std::vector<const void*> sources;
  Messages round(channel_, operation(), {values, all});
  for (int peer = 0; peer < size(); ++peer) {
    char* to = address(all) + peer * bytes;
    sources.push_back(peer == rank() ? address(values) : to);
    if (peer != rank()) round.receive(peer, to, bytes);
  }
  for (int peer = 0; peer < size(); ++peer)
    if (peer != rank()) round.send(peer, address(values), bytes);
  round.wait();
  fold(op, values.scalar_type(), sources, address(values), values.numel());
}

void MpiGroup::reduce_chunk(at::Tensor& chunk, at::Tensor& scratch, Reduce op) const {
  const std::int64_t element = chunk.element_size();
  const auto part = [&](int peer) { return chunk.numel() * peer / size() * element; };
  char* values = address(chunk);
  const std::int64_t own_bytes = part(rank() + 1) - part(rank());

  Messages scatter(channel_, operation(), {chunk, scratch});
  std::vector<const void*> sources;
  char* next = address(scratch);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) {
      sources.push_back(values + part(rank()));
      continue;
    }
    sources.push_back(next);
    scatter.receive(peer, next, own_bytes);
    next += own_bytes;
  }
  for (int peer = 0; peer < size(); ++peer)
    if (peer != rank()) scatter.send(peer, values + part(peer), part(peer + 1) - part(peer));
  scatter.wait();
  fold(op, chunk.scalar_type(), sources, values + part(rank()), own_bytes / element);

  Messages gather(channel_, operation(), {chunk});
  for (int peer = 0; peer < size(); ++peer)
    if (peer != rank()) gather.receive(peer, values + part(peer), part(peer + 1) - part(peer));
  for (int peer = 0; peer < size(); ++peer)
    if (peer != rank()) gather.send(peer, values + part(rank()), own_bytes);
  gather.wait();
}

void MpiGroup::do_broadcast(at::Tensor& values, int root) const {
  if (on_gpu(values)) {
    at::Tensor host = staged(values);
    MpiGroup::do_broadcast(host, root);
    values.copy_(host, /*non_blocking=*/true);
    return;
  }
  // A binomial tree over the ranks counted from the root: rank r receives from r without its highest bit.
  const int place = (rank() - root + size()) % size();
  const auto rank_at = [&](int where) { return (where + root) % size(); };
  int bit = 1;
  while (bit <= place) bit <<= 1;
  if (place > 0) {
    Messages from_parent(channel_, operation(), {values});
    from_parent.receive(rank_at(place - (bit >> 1)), address(values), bytes_of(values));
    from_parent.wait();
  }
  Messages to_children(channel_, operation(), {values});
  for (; place + bit < size(); bit <<= 1) to_children.send(rank_at(place + bit), address(values), bytes_of(values));
  to_children.wait();
}

void MpiGroup::do_barrier() const {
  Messages round(channel_, operation(), {});
  for (int peer = 0; peer < size(); ++peer)
    if (peer != rank()) round.receive(peer, nullptr, 0);
  for (int peer = 0; peer < size(); ++peer)
    if (peer != rank()) round.send(peer, nullptr, 0);
  round.wait();
}

}  // namespace coterie::dist
