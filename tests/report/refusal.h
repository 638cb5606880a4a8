// What a reader says to a file that it refuses.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace coterie::report {

/// The message of the DataError that `act` ends with, or `not refused`.
inline std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const DataError& error) {
    return error.what();
  }
  return "not refused";
}

}  // namespace coterie::report
