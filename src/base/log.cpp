#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/str.h"

namespace coterie::log {
namespace {

// Static, because every part of the program may log: the logger, and the rank that its lines name.
struct Sink {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_color_mt("coterie");
  int rank = 0;
  Sink() { logger->set_pattern("%^%H:%M:%S %L%$ %v"); }
};

Sink& sink() {
  static Sink instance;
  return instance;
}

}  // namespace

void set_rank(int rank, int size) {
  sink().rank = rank;
  if (size == 1) return;
  const int width = static_cast<int>(std::to_string(size - 1).size());
  sink().logger->set_pattern(fmt::format("%^%H:%M:%S %L%$ [{:>{}}] %v", rank, width));
}

bool leads() { return sink().rank == 0; }

void info(const std::string& text) {
  if (sink().rank == 0) sink().logger->info("{}", text);
}

void warn(const std::string& text) { sink().logger->warn("{}", text); }

void error(const std::string& text) { sink().logger->error("{}", text); }

}  // namespace coterie::log
