// One pass over the pairs, first fit, with bit masks over the open batches.
#include "data/window_plan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <utility>

#include "base/error.h"

namespace coterie::data {
namespace {

constexpr std::size_t kSlots = 64;
// Deferred pairs looked at again for each pair that a completed batch takes away: what keeps the plan linear.
constexpr std::size_t kRetriesPerPair = 4;

using PairList = std::vector<std::uint32_t>;

// Fills up to 64 batches at a time; which of them hold a class is one bit mask per class.
class Planner {
 public:
  Planner(const std::vector<std::uint32_t>& first, const std::vector<std::uint32_t>& second, std::size_t batch_pairs)
      : first_(first), second_(second), batch_pairs_(batch_pairs) {
    // Classes are renumbered, so that memory depends on the window and not on the corpus.
    std::vector<std::uint32_t> classes(first_);
    classes.insert(classes.end(), second_.begin(), second_.end());
    std::sort(classes.begin(), classes.end());
    classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    for (auto* side : {&first_, &second_})
      for (std::uint32_t& value : *side)
        value = static_cast<std::uint32_t>(std::lower_bound(classes.begin(), classes.end(), value) - classes.begin());
    holders_.assign(classes.size(), 0);
  }

  std::vector<PairList> run() {
    for (std::uint32_t pair = 0; pair < first_.size(); ++pair) {
      if (first_[pair] == second_[pair]) continue;
      if (!place(pair)) deferred_.push_back(pair);
      retry_deferred();
    }
    fill_up();
    return std::move(full_);
  }

 private:
  struct Slot {
    PairList pairs;
    std::uint64_t opened = 0;  // sequence number: the oldest open batch is filled first
  };

  static std::uint64_t bit(std::size_t slot) { return std::uint64_t{1} << slot; }

  [[nodiscard]] bool fits(std::uint32_t pair, std::size_t slot) const {
    return ((holders_[first_[pair]] | holders_[second_[pair]]) & bit(slot)) == 0;
  }

  bool place(std::uint32_t pair) {
    std::uint64_t candidates = open_ & ~(holders_[first_[pair]] | holders_[second_[pair]]);
    if (candidates == 0) {
      if (open_ == ~std::uint64_t{0}) return false;
      const auto slot = static_cast<std::size_t>(std::countr_one(open_));
      open_ |= bit(slot);
      slots_[slot].opened = openings_++;
      put(pair, slot);
      return true;
    }
    auto oldest = static_cast<std::size_t>(std::countr_zero(candidates));
    for (candidates &= candidates - 1; candidates != 0; candidates &= candidates - 1) {
      const auto slot = static_cast<std::size_t>(std::countr_zero(candidates));
      if (slots_[slot].opened < slots_[oldest].opened) oldest = slot;
    }
    put(pair, oldest);
    return true;
  }

  void put(std::uint32_t pair, std::size_t slot) {
    hold(pair, slot);
    slots_[slot].pairs.push_back(pair);
    if (slots_[slot].pairs.size() < batch_pairs_) return;
    full_.push_back(close(slot));
    retries_ += kRetriesPerPair * batch_pairs_;
  }

  // Takes the pairs out of a batch, which is then no longer open.
  PairList close(std::size_t slot) {
    for (const std::uint32_t pair : slots_[slot].pairs) release(pair, slot);
    open_ &= ~bit(slot);
    return std::exchange(slots_[slot].pairs, {});
  }

  void hold(std::uint32_t pair, std::size_t slot) {
    holders_[first_[pair]] |= bit(slot);
    holders_[second_[pair]] |= bit(slot);
  }

  void release(std::uint32_t pair, std::size_t slot) {
    holders_[first_[pair]] &= ~bit(slot);
    holders_[second_[pair]] &= ~bit(slot);
  }

  void retry_deferred() {
    for (std::size_t failures = 0; retries_ > 0 && failures < deferred_.size(); --retries_) {
      const std::uint32_t pair = deferred_.front();
      deferred_.pop_front();
      if (place(pair)) {
        failures = 0;
      } else {
        deferred_.push_back(pair);
        ++failures;
      }
    }
    retries_ = 0;
  }

  // Completes the fullest batches with pairs of the emptiest; a batch that stays short gives its pairs to the rest.
  void fill_up() {
    std::vector<std::size_t> order;
    for (std::size_t slot = 0; slot < kSlots; ++slot)
      if (!slots_[slot].pairs.empty()) order.push_back(slot);
    std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      return std::pair(slots_[y].pairs.size(), slots_[x].opened) < std::pair(slots_[x].pairs.size(), slots_[y].opened);
    });
    PairList spare(deferred_.begin(), deferred_.end());
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t receiver = order[i];
      const std::size_t target = full_.size() + 1;
      take_fitting(spare, receiver, target);
      for (std::size_t j = order.size() - 1; j > i && full_.size() < target; --j) {
        for (const std::uint32_t pair : slots_[order[j]].pairs) release(pair, order[j]);
        take_fitting(slots_[order[j]].pairs, receiver, target);
        for (const std::uint32_t pair : slots_[order[j]].pairs) hold(pair, order[j]);
      }
      if (full_.size() == target) continue;
      const PairList rest = close(receiver);
      spare.insert(spare.end(), rest.begin(), rest.end());
    }
  }

  // Moves pairs into a batch until it is full, that is, until `target` batches are.
  void take_fitting(PairList& from, std::size_t receiver, std::size_t target) {
    std::size_t kept = 0;
    for (const std::uint32_t pair : from) {
      if (full_.size() < target && fits(pair, receiver))
        put(pair, receiver);
      else
        from[kept++] = pair;
    }
    from.resize(kept);
  }

  std::vector<std::uint32_t> first_;
  std::vector<std::uint32_t> second_;
  std::size_t batch_pairs_;
  std::vector<std::uint64_t> holders_;  // per class: the open batches that hold it
  std::array<Slot, kSlots> slots_;
  std::uint64_t open_ = 0;
  std::uint64_t openings_ = 0;
  std::size_t retries_ = 0;
  std::deque<std::uint32_t> deferred_;
  std::vector<PairList> full_;
};

}  // namespace

std::vector<std::vector<std::uint32_t>> plan_window(const std::vector<std::uint32_t>& first,
                                                    const std::vector<std::uint32_t>& second,
                                                    std::int64_t batch_pairs) {
  COTERIE_CHECK(ShapeError, first.size() == second.size() && batch_pairs >= 1, "plan_window: ", first.size(),
                " first and ", second.size(), " second sides, batches of ", batch_pairs);
  return Planner(first, second, static_cast<std::size_t>(batch_pairs)).run();
}

}  // namespace coterie::data
