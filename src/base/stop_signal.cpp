#include "base/stop_signal.h"

#include <csignal>

namespace coterie {
namespace {

volatile std::sig_atomic_t requested = 0;

void on_signal(int) { requested = 1; }

void install(int signal, int flags) {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_stop_signals() {
  // SIGUSR1 may come several times, to mpirun and to each rank: it never ends the process.
  install(SIGUSR1, SA_RESTART);
  install(SIGTERM, SA_RESTART | static_cast<int>(SA_RESETHAND));
  install(SIGINT, SA_RESTART | static_cast<int>(SA_RESETHAND));
}

bool stop_requested() noexcept { return requested != 0; }

}  // namespace coterie
