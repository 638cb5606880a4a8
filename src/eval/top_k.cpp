// A heap whose top is the worst of those kept.
#include "eval/top_k.h"

#include <algorithm>
#include <utility>

namespace coterie::eval {
namespace {

bool before(const Hit& x, const Hit& y) { return x.before(y); }

}  // namespace

void TopK::offer(const Hit& hit) {
  if (heap_.size() < k_) {
    heap_.push_back(hit);
    std::push_heap(heap_.begin(), heap_.end(), before);
  } else if (k_ > 0 && hit.before(heap_.front())) {
    std::pop_heap(heap_.begin(), heap_.end(), before);
    heap_.back() = hit;
    std::push_heap(heap_.begin(), heap_.end(), before);
  }
}

std::vector<Hit> TopK::take() {
  std::sort(heap_.begin(), heap_.end(), before);
  return std::exchange(heap_, {});
}

}  // namespace coterie::eval
