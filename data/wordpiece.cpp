#include "data/wordpiece.h"

#include <algorithm>

namespace coterie::data {
namespace {

/// Children stand from this state on, so that a leaf (base 0) finds none.
constexpr std::size_t kFirstChild = 256;

/// Cells that are tried before the ones behind are given up, so that no vocabulary makes the search quadratic.
constexpr std::size_t kWindow = 4096;

/// The pieces first..last-1, in order, that share the bytes that lead to a state.
struct Subtree {
  std::int32_t state;
  std::size_t first;
  std::size_t last;
  std::size_t depth;
};

}  // namespace

WordPiece::WordPiece(std::span<const Piece> pieces, std::string_view prefix, std::int32_t unk_id)
    : states_(2 * kFirstChild), first_free_(kFirstChild), unk_id_(unk_id) {
  std::vector<const Piece*> sorted;
  sorted.reserve(pieces.size());
  for (const Piece& piece : pieces)
    if (!piece.token.empty()) sorted.push_back(&piece);
  std::sort(sorted.begin(), sorted.end(), [](const Piece* a, const Piece* b) { return a->token < b->token; });
  build(sorted);
  for (const char byte : prefix)
    if (continuation_ != kNone) continuation_ = child(continuation_, byte);
}

void WordPiece::build(const std::vector<const Piece*>& sorted) {
  std::vector<Subtree> open{{kRoot, 0, sorted.size(), 0}};
  std::vector<unsigned char> labels;
  std::vector<std::size_t> starts;
  while (!open.empty()) {
    Subtree tree = open.back();
    open.pop_back();
    if (tree.first < tree.last && sorted[tree.first]->token.size() == tree.depth)
      states_[static_cast<std::size_t>(tree.state)].id = sorted[tree.first++]->id;
    if (tree.first == tree.last) continue;
    labels.clear();
    starts.clear();
    for (std::size_t i = tree.first; i < tree.last; ++i) {
      const auto byte = static_cast<unsigned char>(sorted[i]->token[tree.depth]);
      if (!labels.empty() && labels.back() == byte) continue;
      labels.push_back(byte);
      starts.push_back(i);
    }
    starts.push_back(tree.last);
    const std::int32_t base = place(labels);
    states_[static_cast<std::size_t>(tree.state)].base = base;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::int32_t next = base + labels[i];
      states_[static_cast<std::size_t>(next)].parent = tree.state;
      open.push_back({next, starts[i], starts[i + 1], tree.depth + 1});
    }
  }
}

std::int32_t WordPiece::place(std::span<const unsigned char> labels) {
  while (states_[first_free_].parent != kFree) ++first_free_;
  std::size_t candidate = std::max<std::size_t>(first_free_, kFirstChild + labels[0]);
  for (;; ++candidate) {
    const std::size_t base = candidate - labels[0];
    // 256 cells stay behind every base: a walk never leaves the array, and `first_free_` always finds a cell.
    if (base + 2 * kFirstChild > states_.size()) states_.resize(2 * states_.size());
    const bool fits = std::all_of(labels.begin(), labels.end(),
                                  [&](unsigned char label) { return states_[base + label].parent == kFree; });
    if (!fits) continue;
    if (candidate > kWindow) first_free_ = std::max(first_free_, candidate - kWindow);
    return static_cast<std::int32_t>(base);
  }
}

void WordPiece::append_ids(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::size_t before = ids.size();
  std::int32_t state = kRoot;
  for (std::size_t start = 0; start < word.size();) {
    std::int32_t longest = kNone;
    std::size_t end = start;
    for (std::size_t i = start; state != kNone && i < word.size(); ++i) {
      state = child(state, word[i]);
      if (state == kNone) break;
      const std::int32_t id = states_[static_cast<std::size_t>(state)].id;
      if (id == kNone) continue;
      longest = id;
      end = i + 1;
    }
    if (longest == kNone) {
      ids.resize(before);
      ids.push_back(unk_id_);
      return;
    }
    ids.push_back(longest);
    start = end;
    state = continuation_;
  }
}

}  // namespace coterie::data
