// What an importer makes: documents and their co-citation graph, domain by domain, before tokenizing and splitting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coterie::data {

/// The part of the corpus that a document belongs to; a pair belongs to one only if both its documents do.
enum class Split : std::uint8_t {
  train = 0,
  validation = 1,
  test = 2,
  every = 3,  ///< all three: a document that is searched, whose queries alone are split
};

/// Splits that pairs may have: all but `every`.
inline constexpr int kSplits = 3;

/// Experts that a document may name, at most.
inline constexpr std::int32_t kMostNamedExperts = 4096;

/// As the enumerator is spelled.
[[nodiscard]] const char* name_of(Split split);

/// Whether a document of split `own` belongs to `split`.
[[nodiscard]] constexpr bool belongs_to(Split own, Split split) { return own == split || own == Split::every; }

/// The one split that two documents share; none if they share none, or all.
[[nodiscard]] constexpr std::optional<Split> shared_split(Split a, Split b) {
  if (a == Split::every) return b == Split::every ? std::nullopt : std::optional(b);
  return belongs_to(b, a) ? std::optional(a) : std::nullopt;
}

/// One abstract: title + ". " + abstract, or the text the user gave.
struct Document {
  std::string id;                                     ///< unique within its collection
  std::string text;                                   ///< UTF-8
  std::optional<Split> split;                         ///< given by the user; otherwise drawn by `assign_splits`
  std::optional<std::int32_t> expert = std::nullopt;  ///< named by the user, for routing by index
};

/// Two documents cited together, or a query and a document that is relevant to it. Indices into the documents of a
/// collection, or of a corpus; a < b.
struct Pair {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t weight = 1;  ///< number of papers that cite both, or the grade; 0 in a random pair

  friend bool operator==(const Pair&, const Pair&) = default;
};

/// The documents of one domain and every co-cited pair among them, sorted by (a, b), each once.
struct Collection {
  std::string domain;
  std::vector<Document> documents;
  std::vector<Pair> pairs;
  /// Pairs left out by the importer, for the table: reason -> count.
  std::vector<std::pair<std::string, std::uint64_t>> dropped;
  /// What else the importer noticed, for the report.
  std::vector<std::string> notes = {};
};

}  // namespace coterie::data
