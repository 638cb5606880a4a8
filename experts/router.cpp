#include "experts/router.h"

#include <algorithm>

namespace coterie::experts {

std::vector<std::int64_t> sequence_of_tokens(const BatchLayout& layout) {
  std::vector<std::int64_t> sequence(layout.offsets.empty() ? 0 : static_cast<std::size_t>(layout.offsets.back()));
  for (std::size_t b = 0; b + 1 < layout.offsets.size(); ++b)
    std::fill(sequence.begin() + layout.offsets[b], sequence.begin() + layout.offsets[b + 1],
              static_cast<std::int64_t>(b));
  return sequence;
}

}  // namespace coterie::experts
