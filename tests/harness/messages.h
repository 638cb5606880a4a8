// The messages of errors, to compare.
#pragma once

#include <exception>
#include <string>

namespace coterie::test {

/// The message of the `Kind` that `action` throws; a text that says so if it throws another exception, or none.
template <class Kind, class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Kind& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "no exception";
}

}  // namespace coterie::test
