// Folding the values of several ranks into one, element by element, always in the same order.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <span>

#include "dist/process_group.h"

namespace coterie::dist {

/// out[i] = ((s0[i] op s1[i]) op s2[i]) op ... for the sources in the given order.
///
/// @param dtype    float, double or int64
/// @param sources  at least one; each `count` values
/// @param out      `count` values; may be one of the sources
/// @throws ShapeError for any other dtype
void fold(Reduce op, at::ScalarType dtype, std::span<const void* const> sources, void* out, std::int64_t count);

}  // namespace coterie::dist
