// Folding in blocks that stay in the nearest cache and let `out` be one of the sources.
#include "dist/fold.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/error.h"

namespace coterie::dist {
namespace {

constexpr std::int64_t kBlock = 1024;

template <class Value>
bool is_nan(Value value) {
  if constexpr (std::is_floating_point_v<Value>) return value != value;
  return false;
}

template <class Value, class Op>
void fold_with(std::span<const void* const> sources, Value* out, std::int64_t count, Op op) {
  std::array<Value, kBlock> folded;
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t length = std::min(kBlock, count - begin);
    const Value* first = static_cast<const Value*>(sources[0]) + begin;
    std::copy(first, first + length, folded.begin());
    for (const void* source : sources.subspan(1)) {
      const Value* next = static_cast<const Value*>(source) + begin;
      for (std::int64_t i = 0; i < length; ++i) {
        Value& value = folded[static_cast<std::size_t>(i)];
        value = op(value, next[i]);
      }
    }
    std::copy(folded.begin(), folded.begin() + length, out + begin);
  }
}

template <class Value>
void fold_values(Reduce op, std::span<const void* const> sources, void* out, std::int64_t count) {
  auto* values = static_cast<Value*>(out);
  switch (op) {
    case Reduce::sum:
      return fold_with(sources, values, count, [](Value a, Value b) { return a + b; });
    case Reduce::max:
      return fold_with(sources, values, count, [](Value a, Value b) { return b > a || is_nan(b) ? b : a; });
    case Reduce::min:
      return fold_with(sources, values, count, [](Value a, Value b) { return b < a || is_nan(b) ? b : a; });
  }
}

}  // namespace

void fold(Reduce op, at::ScalarType dtype, std::span<const void* const> sources, void* out, std::int64_t count) {
  if (dtype == at::kFloat) return fold_values<float>(op, sources, out, count);
  if (dtype == at::kDouble) return fold_values<double>(op, sources, out, count);
  COTERIE_CHECK(ShapeError, dtype == at::kLong, "fold: dtype must be one of Float, Double, Long, got ", dtype);
  fold_values<std::int64_t>(op, sources, out, count);
}

}  // namespace coterie::dist
