// A polite request to stop: SIGUSR1 from a scheduler before the time limit, SIGTERM, SIGINT.
#pragma once

namespace coterie {

/// Lets the signals set a flag instead of ending the process; a second SIGINT or SIGTERM ends it as usual.
///
/// Signal handlers can reach nothing but static storage: the flag is the one exception to the rule against it.
void catch_stop_signals();

/// Whether one of the signals has come. The ranks must agree on it before they act.
[[nodiscard]] bool stop_requested() noexcept;

}  // namespace coterie
