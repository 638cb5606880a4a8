// Measuring spans of time.
#pragma once

#include <chrono>

namespace coterie {

/// Milliseconds between calls, by a clock that only goes forward.
class Stopwatch {
 public:
  /// Since construction or the last call.
  [[nodiscard]] double lap_ms() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double, std::milli> span = now - start_;
    start_ = now;
    return span.count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace coterie
