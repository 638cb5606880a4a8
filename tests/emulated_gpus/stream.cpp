// The queue and its thread, which live until the process ends.
#include "tests/emulated_gpus/stream.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace coterie::emulated {
namespace {

class Stream {
 public:
  Stream() {
    std::thread([this] { run(); }).detach();
  }

  void issue(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    ++issued_;
    changed_.notify_all();
  }

  std::uint64_t issued() {
    const std::lock_guard lock(mutex_);
    return issued_;
  }

  bool done(std::uint64_t count) {
    const std::lock_guard lock(mutex_);
    return done_ >= count;
  }

  void finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&, until = issued_] { return done_ >= until; });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !queue_.empty(); });
      const std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      lock.lock();
      ++done_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::uint64_t issued_ = 0;
  std::uint64_t done_ = 0;
};

Stream& stream() {
  static Stream* const only = new Stream;  // its thread never ends
  return *only;
}

}  // namespace

void issue(std::function<void()> work) { stream().issue(std::move(work)); }

std::uint64_t issued() { return stream().issued(); }

bool done(std::uint64_t count) { return stream().done(count); }

void finish() { stream().finish(); }

}  // namespace coterie::emulated
