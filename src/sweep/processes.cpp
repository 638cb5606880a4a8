// fork and exec, not posix_spawn: that cannot tie a child's life to its parent's.
#include "sweep/processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/handle.h"

namespace coterie::sweep {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCannotExecute = 127;
constexpr auto kPause = std::chrono::milliseconds(20);

struct DescriptorTraits {
  using Raw = int;
  static Raw null() noexcept { return -1; }
  static void release(Raw raw) noexcept { ::close(raw); }
};
using Descriptor = Handle<DescriptorTraits>;

Descriptor open_file(const fs::path& path, int flags) {
  Descriptor file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (file.get() < 0) throw IoError(str("file: cannot open '", path.string(), "': ", errno_text(errno)));
  return file;
}

/// The environment of this process, and what Open MPI wants to hear before root may start ranks.
std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  if (::geteuid() != 0) return variables;
  variables.emplace_back("OMPI_ALLOW_RUN_AS_ROOT=1");
  variables.emplace_back("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1");
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Becomes the command. Between fork and exec only what is safe in a signal handler may be called.
[[noreturn]] void become(char* const* words, char* const* variables, int in, int log, pid_t parent) {
  const bool ready = ::setpgid(0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && ::dup2(in, 0) >= 0 &&
                     ::dup2(log, 1) >= 0 && ::dup2(log, 2) >= 0;
  if (ready && ::getppid() == parent) ::execvpe(words[0], words, variables);
  constexpr char kText[] = "cannot be executed\n";
  static_cast<void>(!::write(log, kText, sizeof kText - 1));
  ::_exit(kCannotExecute);
}

double seconds_of(const struct timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

class SystemProcesses final : public Processes {
 public:
  SystemProcesses() = default;
  SystemProcesses(const SystemProcesses&) = delete;
  SystemProcesses& operator=(const SystemProcesses&) = delete;
  // Only an error leaves some: they save and end, as if this process had died.
  ~SystemProcesses() override { signal_all(); }

  int start(const Command& command) override {
    std::vector<std::string> words = command.words;
    std::vector<std::string> variables = environment();
    const auto word_pointers = pointers_to(words);
    const auto variable_pointers = pointers_to(variables);
    const Descriptor in = open_file("/dev/null", O_RDONLY);
    const Descriptor log = open_file(command.log, O_WRONLY | O_CREAT | O_APPEND);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) become(word_pointers.data(), variable_pointers.data(), in.get(), log.get(), parent);
    if (child < 0) throw IoError(str("process: cannot start '", command.words[0], "': ", errno_text(errno)));
    children_.push_back({child, Clock::now()});
    return child;
  }

  std::optional<Ended> wait(double at_most_s) override {
    const auto deadline = Clock::now() + std::chrono::duration<double>(at_most_s);
    while (true) {
      for (std::size_t i = 0; i < children_.size(); ++i)
        if (const auto ended = end_of(children_[i])) {
          children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
          return ended;
        }
      if (Clock::now() >= deadline) return std::nullopt;
      std::this_thread::sleep_for(kPause);
    }
  }

  void ask_to_stop() override { signal_all(); }

 private:
  struct Child {
    pid_t process;
    Clock::time_point start;
  };

  void signal_all() const noexcept {
    for (const Child& child : children_) ::kill(child.process, SIGUSR1);
  }

  static std::optional<Ended> end_of(const Child& child) {
    int status = 0;
    struct rusage used = {};
    if (::wait4(child.process, &status, WNOHANG, &used) != child.process) return std::nullopt;
    const std::chrono::duration<double> span = Clock::now() - child.start;
    return Ended{.id = child.process,
                 .code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                 .seconds = span.count(),
                 .core_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime),
                 .peak_mib = static_cast<double>(used.ru_maxrss) / 1024.0};
  }

  std::vector<Child> children_;
};

}  // namespace

std::unique_ptr<Processes> system_processes() { return std::make_unique<SystemProcesses>(); }

}  // namespace coterie::sweep
