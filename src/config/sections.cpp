#include "config/sections.h"

#include <algorithm>
#include <utility>

namespace coterie::config {
namespace {

template <class Keep>
Tree filtered(const Tree& tree, const Keep& keep) {
  Value root = tree.root();
  std::erase_if(*root.table(), [&](const auto& entry) { return !keep(entry.first); });
  return Tree(std::move(root), tree.problems());
}

bool contains(std::span<const std::string_view> keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

Tree only(const Tree& tree, std::span<const std::string_view> keys) {
  return filtered(tree, [&](std::string_view key) { return contains(keys, key); });
}

Tree without(const Tree& tree, std::span<const std::string_view> keys) {
  return filtered(tree, [&](std::string_view key) { return !contains(keys, key); });
}

}  // namespace coterie::config
