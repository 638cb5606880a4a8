// Drawing, and deciding when to draw.
#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <limits>
#include <ostream>
#include <sstream>
#include <utility>

#include "base/str.h"
#include "base/table.h"

namespace coterie {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 10;
constexpr double kLinesPerTask = 100;

// Wrapping is off while the line is drawn: a line wider than the terminal could not be rewritten in place.
constexpr std::string_view kDrawStart = "\r\x1b[?7l";
constexpr std::string_view kDrawEnd = "\x1b[K\x1b[?7h";
constexpr std::string_view kErase = "\r\x1b[K";

std::string two_digits(std::int64_t value) { return str(std::setw(2), std::setfill('0'), value); }

// About three significant digits; a slow task is better told in seconds for each unit.
std::string rate_text(double per_second, const std::string& unit) {
  if (!(per_second > 0)) return str("? ", unit, "/s");
  if (per_second < 0.1) return str(decimal(1 / per_second, 1), " s each");
  return str(decimal(per_second, per_second < 10 ? 2 : per_second < 100 ? 1 : 0), " ", unit, "/s");
}

}  // namespace

ProgressStyle standard_error_style() {
  const char* terminal = std::getenv("TERM");
  const bool can_erase = terminal != nullptr && std::string_view(terminal) != "dumb" && *terminal != '\0';
  return ::isatty(STDERR_FILENO) == 1 && can_erase ? ProgressStyle::in_place : ProgressStyle::lines;
}

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string duration_text(double seconds) {
  constexpr double kTooLong = 1e12;
  if (!(seconds >= 0) || seconds > kTooLong) return "?";
  const auto total = static_cast<std::int64_t>(std::llround(seconds));
  const std::int64_t minutes = total / 60;
  const std::int64_t hours = minutes / 60;
  if (total < 60) return str(total, " s");
  if (hours < 1) return str(minutes, ":", two_digits(total % 60));
  if (hours < 48) return str(hours, ":", two_digits(minutes % 60), ":", two_digits(total % 60));
  return str(hours / 24, " d ", two_digits(hours % 24), " h");
}

double remaining_seconds(const ProgressTask& task, std::int64_t done, double elapsed_s) {
  const std::int64_t by_us = done - task.before;
  if (done >= task.total) return 0;
  if (by_us <= 0) return -1;
  return elapsed_s * static_cast<double>(task.total - done) / static_cast<double>(by_us);
}

std::string progress_text(const ProgressTask& task, std::int64_t done, double elapsed_s) {
  const double rate = elapsed_s > 0 ? static_cast<double>(done - task.before) / elapsed_s : 0;
  const std::int64_t percent = task.total > 0 ? 100 * done / task.total : 100;
  std::string text =
      str(task.name, " ", done, "/", task.total, " ", task.unit, "  ", percent, "%  ", rate_text(rate, task.unit));
  if (done >= task.total) return text + "  took " + duration_text(elapsed_s);
  return text + "  ETA " + duration_text(remaining_seconds(task, done, elapsed_s));
}

Progress::Progress(ProgressTask task, ProgressStyle style, std::ostream& out, std::function<double()> now_s)
    : task_(std::move(task)),
      style_(style),
      out_(out),
      now_s_(std::move(now_s)),
      start_s_(now_s_()),
      last_shown_s_(style == ProgressStyle::in_place ? -std::numeric_limits<double>::infinity() : start_s_) {}

Progress::~Progress() {
  if (open_) out_ << std::endl;
}

bool Progress::due(std::int64_t done, double now_s) const {
  if (done >= task_.total) return true;
  const double since_s = now_s - last_shown_s_;
  if (style_ == ProgressStyle::in_place) return since_s >= kRedrawSeconds;
  const double elapsed_s = now_s - start_s_;
  const double whole_s = elapsed_s + std::max(0.0, remaining_seconds(task_, done, elapsed_s));
  return since_s >= std::max(kLineSeconds, whole_s / kLinesPerTask);
}

void Progress::update(std::int64_t done, std::string_view note) {
  const double now_s = now_s_();
  if (!due(done, now_s)) return;
  last_shown_s_ = now_s;
  std::string text = progress_text(task_, done, now_s - start_s_);
  if (!note.empty()) text += str("  ", note);
  if (style_ == ProgressStyle::lines) {
    out_ << text << std::endl;
    return;
  }
  out_ << kDrawStart << text << kDrawEnd << std::flush;
  open_ = true;
}

void Progress::hide() {
  if (!open_) return;
  out_ << kErase << std::flush;
  open_ = false;
  last_shown_s_ = -std::numeric_limits<double>::infinity();
}

}  // namespace coterie
