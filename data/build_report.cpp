// The tables of `data build`.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/str.h"
#include "base/table.h"
#include "data/build.h"

namespace coterie::data {
namespace {

using nlohmann::ordered_json;

void add(SplitReport& sum, const SplitReport& part) {
  sum.documents += part.documents;
  sum.pairs += part.pairs;
  for (std::size_t i = 0; i < std::size(sum.weights); ++i) sum.weights[i] += part.weights[i];
  sum.max_weight = std::max(sum.max_weight, part.max_weight);
  sum.negatives += part.negatives;
  sum.tokens += part.tokens;
  sum.max_tokens = std::max(sum.max_tokens, part.max_tokens);
}

void add_part(Table& table, const std::string& domain, const std::string& split, const SplitReport& part) {
  std::vector<std::string> cells = {domain, split, str(part.documents), str(part.pairs)};
  for (const std::uint64_t pairs : part.weights) cells.push_back(str(pairs));
  cells.push_back(str(part.max_weight));
  cells.push_back(str(part.negatives));
  const auto documents = static_cast<double>(part.documents);
  cells.push_back(part.documents == 0 ? "-" : decimal(static_cast<double>(part.tokens) / documents, 1));
  cells.push_back(str(part.max_tokens));
  table.add_row(std::move(cells));
}

std::string parts_table(const std::vector<DomainReport>& domains) {
  Table table({"domain", "split", "documents", "pairs", "w=1", "w=2", "w=3", "w>=4", "max w", "negatives",
               "mean tokens", "max tokens"});
  SplitReport sums[kSplits];
  for (const DomainReport& domain : domains) {
    for (int s = 0; s < kSplits; ++s) {
      add_part(table, domain.domain, name_of(static_cast<Split>(s)), domain.splits[s]);
      add(sums[s], domain.splits[s]);
    }
  }
  for (int s = 0; s < kSplits; ++s) add_part(table, "all", name_of(static_cast<Split>(s)), sums[s]);
  return table.text();
}

// One row per domain, one column per reason.
std::string dropped_table(const std::vector<DomainReport>& domains) {
  std::vector<std::string> header = {"domain", "co-cited pairs"};
  for (const DomainReport& domain : domains)
    for (const auto& [reason, pairs] : domain.dropped)
      if (std::find(header.begin() + 2, header.end(), reason) == header.end()) header.push_back(reason);
  Table table(header);
  std::vector<std::uint64_t> sums(header.size(), 0);
  const auto add_counts = [&](const std::string& name, const std::vector<std::uint64_t>& counts) {
    std::vector<std::string> cells = {name};
    for (std::size_t i = 1; i < counts.size(); ++i) cells.push_back(str(counts[i]));
    table.add_row(std::move(cells));
  };
  for (const DomainReport& domain : domains) {
    std::vector<std::uint64_t> counts(header.size(), 0);
    counts[1] = domain.graph;
    for (const auto& [reason, pairs] : domain.dropped)
      counts[static_cast<std::size_t>(std::find(header.begin() + 2, header.end(), reason) - header.begin())] += pairs;
    for (std::size_t i = 0; i < counts.size(); ++i) sums[i] += counts[i];
    add_counts(domain.domain, counts);
  }
  add_counts("all", sums);
  return table.text();
}

ordered_json to_json(const SplitReport& part) {
  return {{"documents", part.documents},   {"pairs", part.pairs},         {"pairs_by_weight", part.weights},
          {"max_weight", part.max_weight}, {"negatives", part.negatives}, {"tokens", part.tokens},
          {"max_tokens", part.max_tokens}};
}

ordered_json to_json(const DomainReport& domain) {
  ordered_json out = {{"co_cited_pairs", domain.graph}};
  for (int s = 0; s < kSplits; ++s) out[name_of(static_cast<Split>(s))] = to_json(domain.splits[s]);
  out["dropped"] = ordered_json::object();
  for (const auto& [reason, pairs] : domain.dropped) out["dropped"][reason] = pairs;
  return out;
}

}  // namespace

std::string BuildReport::json() const {
  ordered_json out;
  for (const DomainReport& domain : domains) out["domains"][domain.domain] = to_json(domain);
  out["notes"] = notes;
  return out.dump(2);
}

std::string BuildReport::text() const {
  std::string out = parts_table(domains) + "\npairs dropped\n" + dropped_table(domains);
  for (const std::string& note : notes) out += "note: " + note + '\n';
  return out;
}

}  // namespace coterie::data
