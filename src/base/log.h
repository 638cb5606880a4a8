// Log lines on standard error, prefixed with the rank when there are several.
#pragma once

#include <string>

namespace coterie::log {

/// Names this process in every later line; with one rank the prefix is left out.
void set_rank(int rank, int size);

/// Whether this process is rank 0, which speaks for all.
[[nodiscard]] bool leads();

/// Progress and facts; printed by rank 0 only.
void info(const std::string& text);
/// Something merely unwise; printed by the rank that notices.
void warn(const std::string& text);
/// Why the process ends; printed by the rank that notices.
void error(const std::string& text);

}  // namespace coterie::log
