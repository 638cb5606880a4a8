// Phases that may fail on one rank: the outcome is agreed before anybody goes on.
#include "dist/together.h"

#include <filesystem>

#include "base/error.h"

namespace coterie::dist {

void together(const ProcessGroup& group, const std::function<void()>& phase) {
  std::string failure;
  std::int64_t code = 0;
  try {
    phase();
  } catch (const Error& error) {
    failure = error.what();
    code = static_cast<std::int64_t>(error.code());
  } catch (const std::filesystem::filesystem_error& error) {
    failure = error.what();
    code = static_cast<std::int64_t>(Exit::io);
  } catch (const std::exception& error) {
    failure = error.what();
    code = static_cast<std::int64_t>(Exit::bug);
  } catch (...) {
    failure = "together: a phase threw what is not a std::exception";
    code = static_cast<std::int64_t>(Exit::bug);
  }
  const std::int64_t none = group.size();
  const std::int64_t first = group.all_reduce(code == 0 ? none : group.rank(), Reduce::min);
  if (first == none) return;
  const auto root = static_cast<int>(first);
  const std::int64_t first_code = group.all_gather_counts(std::span(&code, 1))[static_cast<std::size_t>(first)];
  throw Error(group.broadcast(failure, root), static_cast<Exit>(first_code));
}

std::string on_leader(const ProcessGroup& group, const std::function<std::string()>& phase) {
  std::string text;
  together(group, [&] {
    if (group.rank() == 0) text = phase();
  });
  return group.broadcast(text, 0);
}

}  // namespace coterie::dist
