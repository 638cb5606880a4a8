// WordPiece: cuts one word into the longest pieces that a vocabulary holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::data {

/// A token and its id.
struct Piece {
  std::string token;
  std::int32_t id;
};

/// Greedy longest-match-first segmentation over a vocabulary, in one walk along a double-array trie for each piece.
///
/// @par Source
/// Wu et al. 2016 (arXiv:1609.08144), section 4.1, with the matching of BERT (arXiv:1810.04805): from left to right, a
/// word with a part that matches nothing is unknown as a whole.
class WordPiece {
 public:
  /// @param pieces  tokens are distinct; an empty one matches nothing
  /// @param prefix  stands in front of pieces that do not begin a word
  /// @param unk_id  what a word becomes that cannot be cut
  WordPiece(std::span<const Piece> pieces, std::string_view prefix, std::int32_t unk_id);

  /// Appends the ids of a word.
  ///
  /// @param word  UTF-8, not empty
  void append_ids(std::string_view word, std::vector<std::int32_t>& ids) const;

 private:
  /// One state of the trie. Its child along byte b stands at base + b, if that state's parent is this one.
  struct State {
    std::int32_t base = 0;
    std::int32_t parent = kFree;
    std::int32_t id = kNone;
  };
  static constexpr std::int32_t kFree = -1;
  static constexpr std::int32_t kNone = -1;
  static constexpr std::int32_t kRoot = 0;

  void build(const std::vector<const Piece*>& sorted);
  [[nodiscard]] std::int32_t place(std::span<const unsigned char> labels);
  [[nodiscard]] std::int32_t child(std::int32_t state, char byte) const {
    const std::int32_t next = states_[static_cast<std::size_t>(state)].base + static_cast<unsigned char>(byte);
    return states_[static_cast<std::size_t>(next)].parent == state ? next : kNone;
  }

  std::vector<State> states_;
  std::size_t first_free_;
  std::int32_t continuation_ = kRoot;
  std::int32_t unk_id_;
};

}  // namespace coterie::data
