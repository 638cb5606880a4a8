// A set of ranks and the collectives among them: the one interface through which the project communicates.
//
// Shapes: N rows that go in, R rows that come out; a row is everything behind the first dimension.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

namespace coterie::dist {

/// Rows that each rank sends to, or receives from, every rank of a group. Always size() entries.
using Splits = std::vector<std::int64_t>;

/// How values of several ranks become one. In `max` and `min` a NaN wins.
enum class Reduce { sum, max, min };

/// The kinds of collective.
enum class Collective { all_to_all, all_reduce, all_gather, reduce_scatter, broadcast, barrier };

/// One collective under way: what an error says about it.
struct Operation {
  Collective kind = Collective::barrier;
  std::int64_t number = 0;  ///< counted from 1 in its group; equal on all ranks
  std::int64_t step = -1;   ///< the optimizer step last told; -1 before the first
};

/// Writes the name of the operation, as in `all_reduce`.
std::ostream& operator<<(std::ostream& out, Collective kind);

/// A fixed set of ranks and the collectives among them.
///
/// Every backend implements every operation, and all of them pass the same conformance tests. A group of one rank is a
/// valid group, on which each operation is the identity: no caller ever asks whether the run is distributed. Tensors
/// are contiguous, on the CPU or on this rank's GPU, alike on all ranks; results lie where the argument does, and work
/// on a GPU may still be under way when a call returns, ordered like any other work there. Nothing here is
/// differentiable (see dist/autograd.h): results are detached; on a group of one they share the argument's memory.
///
/// Every operation but the queries is collective over the group: all ranks call the same ones in the same order, each
/// group from one thread at a time. It throws ShapeError before any communication if an argument does not fit,
/// ShapeError on the rank that notices if ranks disagree, and CommError if a peer is lost (Exit::peer) or silent for
/// longer than the group's timeout (Exit::hang). After such an error the group is unusable and the job must end.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  [[nodiscard]] virtual int rank() const noexcept = 0;
  [[nodiscard]] virtual int size() const noexcept = 0;
  /// The name in messages.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Tells the optimizer step that is under way, for messages.
  void set_step(std::int64_t step) noexcept { operation_.step = step; }

  /// Sends the first send[0] rows to rank 0, the next send[1] to rank 1, and so on; returns the rows the others sent
  /// here, ordered by sender.
  ///
  /// @param rows     [N, ...], any dtype
  /// @param send     rows to each rank; sums to N
  /// @param receive  rows from each rank; sums to R; entry r equals what rank r sends here
  /// @return         [R, ...], same dtype and device as `rows`
  [[nodiscard]] at::Tensor all_to_all(const at::Tensor& rows, const Splits& send, const Splits& receive) const;

  /// Replaces each value by its reduction over the ranks.
  ///
  /// Ranks are folded in the order 0, 1, 2, ... for every element, whatever its place: repeatable, bit for bit the same
  /// on all ranks, and the same when a tensor is reduced in pieces.
  ///
  /// @param values  any shape, equal on all ranks; float, double or int64
  /// @note up to 8 KiB of values go whole to each of the other ranks, in one round, with extra memory for those of all
  ///   ranks; of more values 2 (size - 1) / size of the bytes leave this rank, with extra memory of at most 4 MiB and
  ///   one element for each rank, over NCCL of as much as the values
  void all_reduce(at::Tensor& values, Reduce op = Reduce::sum) const;

  /// The reduction of one integer.
  [[nodiscard]] std::int64_t all_reduce(std::int64_t value, Reduce op = Reduce::sum) const;

  /// Whether `value` holds on any rank.
  [[nodiscard]] bool any(bool value) const;

  /// The rows of all ranks, in rank order.
  ///
  /// @param rows    [counts[rank()], ...], any dtype
  /// @param counts  rows of each rank, equal on all ranks
  /// @return        [sum of counts, ...]
  [[nodiscard]] at::Tensor all_gather(const at::Tensor& rows, const Splits& counts) const;

  /// Sums the rows over all ranks, in rank order, and returns this rank's block.
  ///
  /// @param rows    [sum of counts, ...]; float, double or int64
  /// @param counts  rows of each rank's block, equal on all ranks
  /// @return        [counts[rank()], ...]
  [[nodiscard]] at::Tensor reduce_scatter(const at::Tensor& rows, const Splits& counts) const;

  /// Overwrites `values` with those of rank `root`.
  ///
  /// @param values  same shape and dtype on all ranks; any dtype
  void broadcast(at::Tensor& values, int root) const;

  /// The text of rank `root`.
  [[nodiscard]] std::string broadcast(const std::string& text, int root) const;

  /// Returns when every rank has called it.
  void barrier() const;

  /// The integers of all ranks, in rank order: the count matrix from which both sides of an exchange are taken.
  ///
  /// @param mine  n integers, n equal on all ranks
  /// @return      size() * n integers; those of rank r begin at r * n
  [[nodiscard]] std::vector<std::int64_t> all_gather_counts(std::span<const std::int64_t> mine) const;

 protected:
  explicit ProcessGroup(std::string name) : name_(std::move(name)) {}
  /// The collective under way.
  [[nodiscard]] const Operation& operation() const noexcept { return operation_; }

 private:
  // Called with arguments that fit and are in no graph, and only on groups of more than one rank.
  virtual void do_all_to_all(const at::Tensor& rows, const Splits& send, at::Tensor& out,
                             const Splits& receive) const = 0;
  virtual void do_all_reduce(at::Tensor& values, Reduce op) const = 0;
  virtual void do_all_gather(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const = 0;
  virtual void do_reduce_scatter(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const = 0;
  virtual void do_broadcast(at::Tensor& values, int root) const = 0;
  virtual void do_barrier() const = 0;

  /// Counts the collective and returns whether there is anybody to communicate with.
  bool begin(Collective kind) const noexcept;
  void check_root(int root) const;
  void check_counts(Collective kind, std::string_view what, const Splits& counts) const;

  std::string name_;
  mutable Operation operation_;
};

}  // namespace coterie::dist
