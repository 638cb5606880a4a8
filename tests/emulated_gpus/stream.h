// The stream of this process's emulated GPU: what is issued to it is done later, in order, by a thread.
#pragma once

#include <cstdint>
#include <functional>

namespace coterie::emulated {

/// Adds work to the end of the stream and returns without waiting for it.
void issue(std::function<void()> work);

/// How much work has been issued so far.
[[nodiscard]] std::uint64_t issued();

/// Whether as much work is done.
[[nodiscard]] bool done(std::uint64_t count);

/// Returns when all that has been issued is done.
void finish();

}  // namespace coterie::emulated
