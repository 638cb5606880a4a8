// What started this process, as far as that matters to a command that never starts MPI.
#pragma once

#include <string>

namespace coterie::cli {

/// Refuses a command of one process under a launcher that started several: each would do all of the work.
/// @throws ConfigError naming the command and the variable that says so
void expect_one_process(const std::string& command);

}  // namespace coterie::cli
