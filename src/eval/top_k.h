// The best documents of a query, kept while all of them pass by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace coterie::eval {

/// A document and its score.
struct Hit {
  float score = 0;
  std::uint32_t document = 0;  ///< number in the index

  /// Whether it is ranked before another: by score from the highest, ties by the lowest number.
  [[nodiscard]] bool before(const Hit& other) const noexcept {
    return score != other.score ? score > other.score : document < other.document;
  }
  friend bool operator==(const Hit&, const Hit&) = default;
};

/// Keeps the k best of all hits that are offered, whatever their order.
class TopK {
 public:
  explicit TopK(std::size_t k) : k_(k) {}

  /// @param hit  with a score that is not NaN
  void offer(const Hit& hit);
  /// What was kept, best first; the object is empty afterwards.
  [[nodiscard]] std::vector<Hit> take();

 private:
  std::size_t k_;
  std::vector<Hit> heap_;  // the worst in front
};

}  // namespace coterie::eval
