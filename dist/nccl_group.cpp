// Issuing collectives to NCCL.
#include "dist/nccl_group.h"

#include <ATen/Functions.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>

#include "base/log.h"

namespace coterie::dist {
namespace {

char* address(const at::Tensor& values) { return static_cast<char*>(values.data_ptr()); }

/// Elements of each rank's block of rows.
Splits elements_of(const Splits& counts, const at::Tensor& rows) {
  std::int64_t row = 1;
  for (const std::int64_t size : rows.sizes().slice(1)) row *= size;
  Splits elements = counts;
  for (std::int64_t& count : elements) count *= row;
  return elements;
}

std::int64_t before(const Splits& counts, int rank) {
  std::int64_t sum = 0;
  for (int r = 0; r < rank; ++r) sum += counts[static_cast<std::size_t>(r)];
  return sum;
}

std::int64_t block_of(const Splits& counts, int rank) { return counts[static_cast<std::size_t>(rank)]; }

/// The next multiple of 16 bytes: where every block begins at one NCCL moves as many at a time, else element by
/// element.
std::int64_t aligned(std::int64_t elements, const at::Tensor& values) {
  const std::int64_t step = std::max<std::int64_t>(1, 16 / values.element_size());
  return (elements + step - 1) / step * step;
}

void fold_into(at::Tensor& folded, const at::Tensor& next, Reduce op) {
  switch (op) {
    case Reduce::sum:
      folded.add_(next);
      return;
    case Reduce::max:
      at::maximum_out(folded, folded, next);
      return;
    case Reduce::min:
      at::minimum_out(folded, folded, next);
      return;
  }
}

}  // namespace

NcclGroup::NcclGroup(Communicator comm, std::string name, double timeout_s)
    : MpiGroup(std::move(comm), std::move(name), timeout_s) {
  if (size() == 1) return;
  ncclUniqueId id;
  if (rank() == 0) check(ncclGetUniqueId(&id), "name the group");
  at::Tensor bytes = at::empty({sizeof(id.internal)}, at::kByte);
  if (rank() == 0) std::memcpy(bytes.data_ptr(), id.internal, sizeof(id.internal));
  ProcessGroup::broadcast(bytes, 0);
  std::memcpy(id.internal, bytes.data_ptr(), sizeof(id.internal));

  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;  // only such a communicator can be given up safely
  ncclComm_t raw = nullptr;
  const ncclResult_t result = ncclCommInitRankConfig(&raw, size(), id, rank(), &config);
  comm_ = Handle<NcclTraits>(raw);
  settle(result, "connect the ranks");
  watch_ = std::make_unique<NcclWatch>(raw, str("'", ProcessGroup::name(), "' (rank ", rank(), " of ", size(), ")"),
                                       timeout_s);
}

NcclGroup::~NcclGroup() {
  watch_.reset();
  if (comm_.get() == nullptr || std::uncaught_exceptions() > 0) return;
  try {
    settle(ncclCommFinalize(comm_.get()), "take leave of each other");
  } catch (const CommError& error) {
    log::error(error.what());
    std::_Exit(static_cast<int>(error.code()));
  }
}

void NcclGroup::check(ncclResult_t result, const std::string& doing) const {
  if (result == ncclSuccess || result == ncclInProgress) return;
  throw CommError(str("nccl: cannot ", doing, ": ", nccl_text(result, comm_.get()), ", in group '", name(), "' (rank ",
                      rank(), " of ", size(), ")"));
}

void NcclGroup::settle(ncclResult_t result, const std::string& doing) const {
  const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> limit(timeout_s());
  while (result == ncclInProgress) {
    check(ncclCommGetAsyncError(comm_.get(), &result), doing);
    if (result != ncclInProgress) break;
    if (std::chrono::steady_clock::now() - start > limit)
      throw CommError(str("nccl: did not ", doing, " within ", timeout_s(), " s, in group '", name(), "' (rank ",
                          rank(), " of ", size(), ")"),
                      Exit::hang);
    std::this_thread::yield();
  }
  check(result, doing);
}

void NcclGroup::check(ncclResult_t result) const {
  if (result != ncclSuccess && result != ncclInProgress) check(result, str("issue ", operation().kind));
}

void NcclGroup::issue(const std::function<void(cudaStream_t)>& calls) const {
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
  {
    const auto turn = watch_->turn();
    check(ncclGroupStart());
    calls(stream);
    settle(ncclGroupEnd(), str("issue ", operation().kind));
  }
  watch_->expect(operation(), stream);
}

void NcclGroup::exchange(const std::vector<Message>& messages) const {
  issue([&](cudaStream_t stream) {
    // Empty messages are left out, on both sides: both know the counts.
    for (const Message& m : messages) {
      if (m.from_bytes > 0)
        check(ncclSend(m.from, static_cast<std::size_t>(m.from_bytes), ncclUint8, m.peer, comm_.get(), stream));
      if (m.to_bytes > 0)
        check(ncclRecv(m.to, static_cast<std::size_t>(m.to_bytes), ncclUint8, m.peer, comm_.get(), stream));
    }
  });
}

void NcclGroup::do_all_to_all(const at::Tensor& rows, const Splits& send, at::Tensor& out,
                              const Splits& receive) const {
  if (rows.device().is_cpu()) return MpiGroup::do_all_to_all(rows, send, out, receive);
  const Splits from = elements_of(send, rows);
  const Splits to = elements_of(receive, out);
  const std::int64_t element = rows.element_size();
  std::vector<Message> messages;
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) continue;
    messages.push_back({peer, address(rows) + before(from, peer) * element, block_of(from, peer) * element,
                        address(out) + before(to, peer) * element, block_of(to, peer) * element});
  }
  exchange(messages);
  const std::int64_t own = block_of(send, rank());
  out.narrow(0, before(receive, rank()), own).copy_(rows.narrow(0, before(send, rank()), own));
}

at::Tensor NcclGroup::fold_blocks(const at::Tensor& values, const Splits& counts, Reduce op) const {
  const std::int64_t own = block_of(counts, rank());
  const std::int64_t element = values.element_size();
  const std::int64_t stride = aligned(own, values);
  const at::Tensor arrived = at::empty({size(), stride}, values.options());
  std::vector<Message> messages;
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) continue;
    messages.push_back({peer, address(values) + before(counts, peer) * element, block_of(counts, peer) * element,
                        address(arrived) + peer * stride * element, own * element});
  }
  exchange(messages);
  const auto from = [&](int peer) { return arrived.select(0, peer).narrow(0, 0, own); };
  from(rank()).copy_(values.narrow(0, before(counts, rank()), own));
  at::Tensor folded = from(0);
  for (int peer = 1; peer < size(); ++peer) fold_into(folded, from(peer), op);
  return folded;
}

void NcclGroup::share_blocks(at::Tensor& out, const Splits& counts) const {
  const std::int64_t element = out.element_size();
  issue([&](cudaStream_t stream) {
    for (int root = 0; root < size(); ++root) {
      const auto bytes = static_cast<std::size_t>(block_of(counts, root) * element);
      char* const block = address(out) + before(counts, root) * element;
      if (bytes > 0) check(ncclBroadcast(block, block, bytes, ncclUint8, root, comm_.get(), stream));
    }
  });
}

void NcclGroup::do_all_reduce(at::Tensor& values, Reduce op) const {
  if (values.device().is_cpu()) return MpiGroup::do_all_reduce(values, op);
  at::Tensor flat = values.view({-1});
  Splits counts;
  const std::int64_t part = aligned((flat.numel() + size() - 1) / size(), flat);
  for (int r = 0; r < size(); ++r) counts.push_back(std::clamp<std::int64_t>(flat.numel() - r * part, 0, part));
  flat.narrow(0, before(counts, rank()), block_of(counts, rank())).copy_(fold_blocks(flat, counts, op));
  share_blocks(flat, counts);
}

void NcclGroup::do_all_gather(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const {
  if (rows.device().is_cpu()) return MpiGroup::do_all_gather(rows, counts, out);
  out.narrow(0, before(counts, rank()), block_of(counts, rank())).copy_(rows);
  share_blocks(out, elements_of(counts, rows));
}

void NcclGroup::do_reduce_scatter(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const {
  if (rows.device().is_cpu()) return MpiGroup::do_reduce_scatter(rows, counts, out);
  out.view({-1}).copy_(fold_blocks(rows.view({-1}), elements_of(counts, rows), Reduce::sum));
}

void NcclGroup::do_broadcast(at::Tensor& values, int root) const {
  if (values.device().is_cpu()) return MpiGroup::do_broadcast(values, root);
  if (values.numel() == 0) return;
  issue([&](cudaStream_t stream) {
    check(ncclBroadcast(address(values), address(values), values.nbytes(), ncclUint8, root, comm_.get(), stream));
  });
}

}  // namespace coterie::dist
