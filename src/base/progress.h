// How far a long command has come: one line rewritten in place on a terminal, plain lines elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace coterie {

/// How progress is shown.
enum class ProgressStyle {
  in_place,  ///< one line, rewritten: a terminal
  lines,     ///< a line now and then: a file or a pipe
};

/// What suits standard error: in place on a terminal that understands it, lines elsewhere.
[[nodiscard]] ProgressStyle standard_error_style();

/// Seconds of a clock that only goes forward.
[[nodiscard]] double monotonic_seconds();

/// What is being done, and how much of it there is.
struct ProgressTask {
  std::string name;         ///< for example `train`
  std::string unit;         ///< plural, for example `steps`
  std::int64_t total = 0;   ///< units in all
  std::int64_t before = 0;  ///< units done by an earlier process: they count as done, not for the rate
};

/// A span of time for people: `8 s`, `2:05`, `3:02:05`, `2 d 03 h`; `?` if it is unknown (negative or not finite).
[[nodiscard]] std::string duration_text(double seconds);

/// Seconds until `total`, if all goes on as since the start; negative as long as nothing was done.
[[nodiscard]] double remaining_seconds(const ProgressTask& task, std::int64_t done, double elapsed_s);

/// The line: `train 120/400 steps  30%  2.50 steps/s  ETA 1:52`.
[[nodiscard]] std::string progress_text(const ProgressTask& task, std::int64_t done, double elapsed_s);

/// Shows the progress of one task. The caller makes one on rank 0 only.
///
/// In place, the line is redrawn at most ten times a second. As lines, one is due every ten seconds, or after a
/// hundredth of the whole time if that is longer, so that a run of days leaves about a hundred. The last unit is always
/// shown.
class Progress {
 public:
  /// @param out    outlives this object; `std::cerr` in the program
  /// @param now_s  seconds of any clock that only goes forward, for example `monotonic_seconds`
  Progress(ProgressTask task, ProgressStyle style, std::ostream& out, std::function<double()> now_s);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Ends a line that is still open, so that what follows starts on its own line.
  ~Progress();

  /// Says that `done` units are complete.
  ///
  /// @param note  put behind the line, for example `loss 1.234`
  void update(std::int64_t done, std::string_view note = {});

  /// Takes the line off the terminal so that something else can be printed; the next update draws it again.
  void hide();

 private:
  [[nodiscard]] bool due(std::int64_t done, double now_s) const;

  ProgressTask task_;
  ProgressStyle style_;
  std::ostream& out_;
  std::function<double()> now_s_;
  double start_s_;
  double last_shown_s_;
  bool open_ = false;  // the terminal's line holds our text
};

}  // namespace coterie
