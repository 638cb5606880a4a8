// Splitting by paper.
#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "base/error.h"

namespace coterie::data {
namespace {

constexpr std::uint64_t kMillion = 1000000;

// A fraction in millionths: 0.15 + 0.2 of 20 documents must be 7, whatever the doubles add up to.
std::uint64_t millionths(double fraction) { return static_cast<std::uint64_t>(std::llround(fraction * kMillion)); }

// Positions [0, n) of the documents in a random order in which those of equal text stand together.
std::vector<std::uint32_t> random_order(const std::vector<Document>& documents, RandomKey key) {
  const Permutation permutation(key, documents.size());
  std::unordered_map<std::string_view, std::uint64_t> first;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto [known, added] = first.emplace(documents[i].text, permutation(i));
    if (!added) known->second = std::min(known->second, permutation(i));
  }
  std::vector<std::uint32_t> order(documents.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t x, std::uint32_t y) {
    return std::pair(first.at(documents[x].text), permutation(x)) <
           std::pair(first.at(documents[y].text), permutation(y));
  });
  return order;
}

void split_collection(Collection& collection, const SplitFractions& fractions, RandomKey key) {
  const std::uint64_t n = collection.documents.size();
  const std::uint64_t test = n * millionths(fractions.test) / kMillion;
  const std::uint64_t kept = n * (millionths(fractions.test) + millionths(fractions.validation)) / kMillion;
  const auto order = random_order(collection.documents, key);
  for (std::uint64_t i = 0; i < n; ++i) {
    Document& document = collection.documents[order[i]];
    const bool same_paper = i > 0 && document.text == collection.documents[order[i - 1]].text;
    document.split = same_paper ? collection.documents[order[i - 1]].split
                     : i < test ? Split::test
                     : i < kept ? Split::validation
                                : Split::train;
  }
}

bool is_own(const Document& document) { return document.split != Split::every; }

// Splits the documents for which `chosen` holds, as if there were no others.
template <class Chosen>
void split_part(Collection& collection, const Chosen& chosen, const SplitFractions& fractions, RandomKey key) {
  Collection part{.domain = collection.domain, .documents = {}, .pairs = {}, .dropped = {}};
  for (const Document& document : collection.documents)
    if (chosen(document)) part.documents.push_back(document);
  split_collection(part, fractions, key);
  std::size_t next = 0;
  for (Document& document : collection.documents)
    if (chosen(document)) document.split = part.documents[next++].split;
}

// Takes validation queries out of the training queries of a collection whose files name none.
void hold_out_queries(Collection& collection, const SplitFractions& fractions, RandomKey key) {
  const auto has = [&](Split split) {
    return std::any_of(collection.documents.begin(), collection.documents.end(),
                       [&](const Document& document) { return document.split == split; });
  };
  if (!has(Split::every) || has(Split::validation) || !has(Split::train)) return;
  const auto trains = [](const Document& document) { return document.split == Split::train; };
  split_part(collection, trains, {.validation = fractions.validation, .test = 0}, key);
}

}  // namespace

void assign_splits(std::vector<Collection>& collections, const SplitFractions& fractions, RandomKey key) {
  const double validation = fractions.validation;
  const double test = fractions.test;
  // Written so that NaN fails too.
  if (!(validation >= 0 && test >= 0 && validation + test < 1))
    throw ConfigError(str("split: validation and test fractions must not be negative and sum to less than 1, got ",
                          validation, " and ", test, " (data.validation_fraction, data.test_fraction)"));
  for (Collection& collection : collections) {
    const auto& documents = collection.documents;
    const auto given =
        std::find_if(documents.begin(), documents.end(), [](const Document& d) { return d.split && is_own(d); });
    const auto missing = std::find_if(documents.begin(), documents.end(), [](const Document& d) { return !d.split; });
    const RandomKey domain_key = key.derive("split").derive(collection.domain);
    if (missing == documents.end()) {
      hold_out_queries(collection, fractions, domain_key);
      continue;
    }
    if (given != documents.end())
      throw DataError(str("split: all documents of a domain must carry a split or none, got one for '", given->id,
                          "' and none for '", missing->id, "' (domain ", collection.domain, ")"));
    split_part(collection, is_own, fractions, domain_key);
  }
}

}  // namespace coterie::data
