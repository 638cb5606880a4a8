// Doing something that may fail on one rank only, without leaving the others behind.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "dist/process_group.h"

namespace coterie::dist {

/// Runs `phase` on every rank; if it throws anywhere, the first such rank's error is thrown on all, with its exit code.
///
/// `phase` itself must not communicate over the group unless it cannot throw before.
/// @note collective over the group
void together(const ProcessGroup& group, const std::function<void()>& phase);

/// The same for a phase that makes something.
/// @return  what `phase` made on this rank
/// @note collective over the group
template <class Phase>
[[nodiscard]] auto made_together(const ProcessGroup& group, const Phase& phase) {
  std::optional<decltype(phase())> made;
  together(group, [&] { made.emplace(phase()); });
  return std::move(*made);
}

/// The same for something that rank 0 does for all.
/// @return  rank 0's text on every rank
/// @note collective over the group
std::string on_leader(const ProcessGroup& group, const std::function<std::string()>& phase);

}  // namespace coterie::dist
