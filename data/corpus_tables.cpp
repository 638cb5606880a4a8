// The rules of a corpus, each with its own error.
#include "data/corpus_tables.h"

#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "data/unicode.h"

namespace coterie::data {
namespace {

// Checks one file; every message starts with the file and the dataset.
class Validator {
 public:
  Validator(const CorpusTables& tables, const std::string& where) : tables_(tables), where_(where) {}

  void sizes() const {
    const std::uint64_t documents = tables_.ids.size();
    COTERIE_CHECK(DataError, documents <= std::numeric_limits<std::uint32_t>::max(), at("/ids/offsets"),
                  "at most 2^32 - 1 documents, got ", documents);
    COTERIE_CHECK(DataError, !tables_.domains.empty() && tables_.domains.size() <= 65535, at("/domains/offsets"),
                  "1 to 65535 domains, got ", tables_.domains.size());
    COTERIE_CHECK(DataError, tables_.vocabulary >= 1 && tables_.vocabulary < (1ULL << 31), at("attribute vocabulary"),
                  "a number in 1..2^31 - 1, got ", tables_.vocabulary);
    same_size("/documents/domain", tables_.domain.size());
    same_size("/documents/split", tables_.split.size());
    if (!tables_.expert.empty()) same_size("/documents/expert", tables_.expert.size());
    same_size("/documents/text_class", tables_.text_class.size());
  }

  void names() const {
    for (const auto* list : {&tables_.domains, &tables_.ids}) {
      const char* name = list == &tables_.ids ? "/ids/bytes" : "/domains/bytes";
      std::unordered_set<std::string_view> seen;
      for (const std::string& text : *list) {
        COTERIE_CHECK(DataError, !text.empty() && is_utf8(text), at(name), "names in UTF-8, none empty, got '", text,
                      "'");
        COTERIE_CHECK(DataError, seen.insert(text).second, at(name), "each name once, got '", text, "' twice");
      }
    }
  }

  void documents() const {
    for (std::size_t i = 0; i < tables_.ids.size(); ++i) {
      COTERIE_CHECK(DataError, tables_.domain[i] < tables_.domains.size(), at("/documents/domain"), "numbers below ",
                    tables_.domains.size(), ", got ", tables_.domain[i], " at ", i);
      const int split = static_cast<int>(tables_.split[i]);
      COTERIE_CHECK(DataError, split <= kSplits, at("/documents/split"), "numbers up to ", kSplits, ", got ", split,
                    " at ", i);
      const int expert = tables_.expert.empty() ? kNoExpert : tables_.expert[i];
      COTERIE_CHECK(DataError, expert == kNoExpert || expert < kMostNamedExperts, at("/documents/expert"),
                    "numbers below ", kMostNamedExperts, ", got ", expert, " at ", i);
      const std::uint32_t first = tables_.text_class[i];
      COTERIE_CHECK(DataError, first <= i && tables_.text_class[first] == first, at("/documents/text_class"),
                    "the first document with the same text, got ", first, " at ", i);
    }
  }

  // Offsets of `count` items that fill [0, size), each of them of a length in [least, most].
  void offsets(const char* name, const std::vector<std::uint64_t>& offsets, std::uint64_t size, std::uint64_t least,
               std::uint64_t most) const {
    COTERIE_CHECK(DataError, offsets.size() == tables_.ids.size() + 1, at(name), tables_.ids.size() + 1,
                  " offsets, one more than documents, got ", offsets.size());
    COTERIE_CHECK(DataError, offsets.front() == 0 && offsets.back() == size, at(name), "offsets from 0 to ", size,
                  ", got ", offsets.front(), " to ", offsets.back());
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
      const bool ordered = offsets[i] <= offsets[i + 1] && offsets[i + 1] <= size;
      COTERIE_CHECK(DataError, ordered && offsets[i + 1] - offsets[i] >= least && offsets[i + 1] - offsets[i] <= most,
                    at(name), "ascending offsets ", least, " to ", most, " apart, got ", offsets[i], " and ",
                    offsets[i + 1], " at ", i);
    }
  }

  void graph() const {
    COTERIE_CHECK(DataError, tables_.partner_weights.size() == tables_.partners.size(), at("/graph/weights"),
                  tables_.partners.size(), " numbers, one per partner, got ", tables_.partner_weights.size());
    const auto documents = static_cast<std::uint32_t>(tables_.ids.size());
    // Rows are walked in order and each is ascending, so row j must meet its partners i in exactly this order.
    std::vector<std::uint64_t> met(tables_.partner_offsets.begin(), tables_.partner_offsets.end() - 1);
    for (std::uint32_t i = 0; i < documents; ++i) {
      for (std::uint64_t k = tables_.partner_offsets[i]; k < tables_.partner_offsets[i + 1]; ++k) {
        const std::uint32_t j = tables_.partners[k];
        const bool ascending = k == tables_.partner_offsets[i] || tables_.partners[k - 1] < j;
        COTERIE_CHECK(DataError, j < documents && j != i && ascending, at("/graph/partners"), "other documents below ",
                      documents, " in ascending order, got ", j, " for document ", i);
        COTERIE_CHECK(DataError, tables_.partner_weights[k] >= 1, at("/graph/weights"), "numbers >= 1, got 0 at ", k);
        const std::uint64_t back = met[j]++;
        const bool mutual = back < tables_.partner_offsets[j + 1] && tables_.partners[back] == i &&
                            tables_.partner_weights[back] == tables_.partner_weights[k];
        COTERIE_CHECK(DataError, mutual, at("/graph/partners"),
                      "each pair in both directions with one weight, got only ", i, " -> ", j, " with weight ",
                      tables_.partner_weights[k]);
      }
    }
  }

  void pairs(const char* kind, Split split, const std::vector<Pair>& pairs) const {
    const std::string name = pairs_name(kind, split);
    const bool positive = std::string_view(kind) == "positives";
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const Pair& pair = pairs[i];
      COTERIE_CHECK(DataError, pair.a < pair.b && pair.b < tables_.ids.size(), at(name), "pairs a < b < ",
                    tables_.ids.size(), ", got (", pair.a, ", ", pair.b, ") at ", i);
      COTERIE_CHECK(DataError, shared_split(tables_.split[pair.a], tables_.split[pair.b]) == split, at(name),
                    "documents of that split, got ", tables_.ids[pair.a], " in ", name_of(tables_.split[pair.a]),
                    " with ", tables_.ids[pair.b], " in ", name_of(tables_.split[pair.b]), " at ", i);
      COTERIE_CHECK(DataError, (pair.weight >= 1) == positive, at(name), positive ? "weights >= 1" : "weights 0",
                    ", got ", pair.weight, " at ", i);
      const bool ascending = i == 0 || pairs[i - 1].a < pair.a || (pairs[i - 1].a == pair.a && pairs[i - 1].b < pair.b);
      COTERIE_CHECK(DataError, ascending, at(name), "pairs in ascending order, each once, got (", pair.a, ", ", pair.b,
                    ") at ", i);
    }
  }

 private:
  [[nodiscard]] std::string at(const std::string& name) const {
    return str("corpus: '", where_, "': ", name, " must hold ");
  }

  void same_size(const char* name, std::size_t size) const {
    COTERIE_CHECK(DataError, size == tables_.ids.size(), at(name), tables_.ids.size(),
                  " numbers, one per document, got ", size);
  }

  const CorpusTables& tables_;
  const std::string& where_;
};

}  // namespace

std::vector<std::uint32_t> text_classes(const std::vector<std::string>& texts) {
  std::unordered_map<std::string_view, std::uint32_t> first;
  std::vector<std::uint32_t> classes;
  classes.reserve(texts.size());
  for (const std::string& text : texts)
    classes.push_back(first.emplace(text, static_cast<std::uint32_t>(classes.size())).first->second);
  return classes;
}

std::string pairs_name(const char* kind, Split split) { return str("/pairs/", kind, "/", name_of(split)); }

void validate(const CorpusTables& tables, const std::string& where, std::uint64_t text_bytes,
              std::uint64_t token_count) {
  const Validator validator(tables, where);
  validator.sizes();
  validator.names();
  validator.documents();
  validator.offsets("/texts/offsets", tables.text_offsets, text_bytes, 0, kMaxTextBytes);
  // [CLS] and [SEP] at least; the bound keeps a length within 31 bits.
  validator.offsets("/tokens/offsets", tables.token_offsets, token_count, 2, kMaxTextBytes + 2);
  validator.offsets("/graph/offsets", tables.partner_offsets, tables.partners.size(), 0, tables.partners.size());
  validator.graph();
  for (int split = 0; split < kSplits; ++split) {
    validator.pairs("positives", static_cast<Split>(split), tables.positives[split]);
    validator.pairs("negatives", static_cast<Split>(split), tables.negatives[split]);
  }
}

}  // namespace coterie::data
