// The one way in which C handles (MPI, HDF5, OpenSSL, CUDA, NCCL) are owned.
#pragma once

#include <utility>

namespace coterie {

/// Owns one C handle and releases it exactly once. Moves; does not copy.
///
/// `Traits` names the raw type, its null, and how to release it.
template <class Traits>
class Handle {
 public:
  using Raw = typename Traits::Raw;

  Handle() noexcept = default;
  explicit Handle(Raw raw) noexcept : raw_(raw) {}
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, Traits::null())) {}
  Handle(const Handle&) = delete;
  /// Takes by value, so the handle held before is released when `other` dies.
  Handle& operator=(Handle other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Handle() {
    if (raw_ != Traits::null()) Traits::release(raw_);
  }

  [[nodiscard]] Raw get() const noexcept { return raw_; }

 private:
  Raw raw_ = Traits::null();
};

}  // namespace coterie
