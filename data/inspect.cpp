// The tables and the leak check of `data inspect`.
#include "data/inspect.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/str.h"
#include "base/table.h"
#include "data/corpus.h"

namespace coterie::data {
namespace {

constexpr std::size_t kMaxExamples = 3;

// What one row of the table counts.
struct Counts {
  std::uint64_t documents = 0;
  std::uint64_t tokens = 0;
  std::int64_t longest = 0;
  std::uint64_t positives = 0;
  std::uint64_t weight = 0;
  std::uint64_t negatives = 0;

  void add(const Counts& other) {
    documents += other.documents;
    tokens += other.tokens;
    longest = std::max(longest, other.longest);
    positives += other.positives;
    weight += other.weight;
    negatives += other.negatives;
  }
};

std::string mean(std::uint64_t sum, std::uint64_t count) {
  return count == 0 ? "-" : decimal(static_cast<double>(sum) / static_cast<double>(count), 2);
}

std::vector<std::string> cells(const std::string& domain, const std::string& split, const Counts& counts) {
  return {domain,
          split,
          str(counts.documents),
          mean(counts.tokens, counts.documents),
          str(counts.longest),
          str(counts.positives),
          mean(counts.weight, counts.positives),
          str(counts.negatives)};
}

// A pair counts for the domain of its first document.
std::string size_table(const Corpus& corpus) {
  std::vector<Counts> counts(corpus.domains().size() * kSplits);
  const auto at = [&](std::uint32_t document, int split) -> Counts& {
    return counts[static_cast<std::size_t>(corpus.domain(document)) * kSplits + static_cast<std::size_t>(split)];
  };
  for (std::uint32_t i = 0; i < corpus.documents(); ++i) {
    Counts one;
    one.documents = 1;
    one.longest = corpus.length(i);
    one.tokens = static_cast<std::uint64_t>(one.longest);
    for (int split = 0; split < kSplits; ++split)
      if (belongs_to(corpus.split(i), static_cast<Split>(split))) at(i, split).add(one);
  }
  for (int split = 0; split < kSplits; ++split) {
    for (const Pair& pair : corpus.positives(static_cast<Split>(split))) {
      ++at(pair.a, split).positives;
      at(pair.a, split).weight += pair.weight;
    }
    for (const Pair& pair : corpus.negatives(static_cast<Split>(split))) ++at(pair.a, split).negatives;
  }
  Table table({"domain", "split", "documents", "mean length", "longest", "pairs", "mean weight", "negatives"});
  std::vector<Counts> all(kSplits);
  for (std::size_t domain = 0; domain < corpus.domains().size(); ++domain) {
    for (std::size_t split = 0; split < kSplits; ++split) {
      table.add_row(
          cells(corpus.domains()[domain], name_of(static_cast<Split>(split)), counts[domain * kSplits + split]));
      all[split].add(counts[domain * kSplits + split]);
    }
  }
  for (std::size_t split = 0; split < kSplits; ++split)
    table.add_row(cells("all", name_of(static_cast<Split>(split)), all[split]));
  return table.text();
}

std::string graph_text(const Corpus& corpus) {
  std::uint64_t pairs = 0;
  std::uint64_t weight = 0;
  std::uint32_t heaviest = 0;
  std::uint64_t across_splits = 0;
  std::uint64_t across_domains = 0;
  std::uint64_t lonely = 0;
  std::size_t most = 0;
  for (std::uint32_t a = 0; a < corpus.documents(); ++a) {
    const auto partners = corpus.partners(a);
    const auto weights = corpus.partner_weights(a);
    lonely += partners.empty() ? 1 : 0;
    most = std::max(most, partners.size());
    for (std::size_t k = 0; k < partners.size(); ++k) {
      if (partners[k] < a) continue;
      ++pairs;
      weight += weights[k];
      heaviest = std::max(heaviest, weights[k]);
      across_splits += shared_split(corpus.split(a), corpus.split(partners[k])) ? 0 : 1;
      across_domains += corpus.domain(a) == corpus.domain(partners[k]) ? 0 : 1;
    }
  }
  return str("graph: ", pairs, " co-cited pairs, mean weight ", mean(weight, pairs), ", largest ", heaviest, "; ",
             across_splits, " across splits, ", across_domains, " across domains\n",
             "       partners of a document: mean ", mean(2 * pairs, static_cast<std::uint64_t>(corpus.documents())),
             ", most ", most, "; ", lonely, " documents without any\n");
}

// One line of the leak check, with the first examples.
class Finding {
 public:
  explicit Finding(std::string what) : what_(std::move(what)) {}

  void add(const Corpus& corpus, std::uint32_t a, std::uint32_t b) {
    if (++count_ > kMaxExamples) return;
    const auto named = [&](std::uint32_t document) {
      return str(corpus.id(document), " (", name_of(corpus.split(document)), ")");
    };
    examples_ += str("    ", named(a), " and ", named(b), "\n");
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::string text() const { return str("  ", what_, ": ", count_, "\n", examples_); }

 private:
  std::string what_;
  std::uint64_t count_ = 0;
  std::string examples_;
};

// Equal texts in two splits, found in the texts themselves; each document is named with the first one like it.
Finding equal_texts(const Corpus& corpus, Finding& wrong_classes) {
  Finding finding("equal texts in two splits");
  std::unordered_map<std::string, std::uint32_t> first;
  std::map<std::pair<std::uint32_t, Split>, std::uint32_t> first_in_split;
  for (std::uint32_t i = 0; i < corpus.documents(); ++i) {
    const std::uint32_t like = first.emplace(corpus.text(i), i).first->second;
    if (like != corpus.text_class(i)) wrong_classes.add(corpus, like, i);
    if (corpus.split(like) == Split::every || corpus.split(i) == Split::every) continue;
    if (corpus.split(like) != corpus.split(i) && first_in_split.emplace(std::pair(like, corpus.split(i)), i).second)
      finding.add(corpus, like, i);
  }
  return finding;
}

std::string leak_text(const Corpus& corpus) {
  Finding wrong_classes("documents whose stored text class is wrong");
  std::vector<Finding> findings = {equal_texts(corpus, wrong_classes)};
  Finding cited_negatives("negatives that were cited together");
  Finding uncited_positives("pairs that were not cited together");
  for (int split = 0; split < kSplits; ++split) {
    for (const Pair& pair : corpus.negatives(static_cast<Split>(split)))
      if (corpus.co_cited(pair.a, pair.b)) cited_negatives.add(corpus, pair.a, pair.b);
    for (const Pair& pair : corpus.positives(static_cast<Split>(split)))
      if (!corpus.co_cited(pair.a, pair.b)) uncited_positives.add(corpus, pair.a, pair.b);
  }
  findings.push_back(cited_negatives);
  findings.push_back(uncited_positives);
  findings.push_back(wrong_classes);
  // Opening the file has refused these two.
  std::string text = "  documents in two splits: 0\n  pairs across splits: 0\n";
  std::uint64_t count = 0;
  for (const Finding& finding : findings) {
    text += finding.text();
    count += finding.count();
  }
  return str("leak check: ", count == 0 ? "nothing found" : str(count, " found"), "\n", text);
}

void read_all_tokens(const Corpus& corpus) {
  std::vector<std::int32_t> ids;
  for (std::uint32_t i = 0; i < corpus.documents(); ++i) {
    ids.clear();
    corpus.read_tokens(i, std::max<std::int64_t>(2, corpus.length(i)), ids);
  }
}

}  // namespace

std::string inspect(const std::filesystem::path& path) {
  const Corpus corpus(path);
  read_all_tokens(corpus);
  return str(path.string(), ": ", corpus.documents(), " documents in ", corpus.domains().size(), " domains\n",
             "tokenizer: ", corpus.tokenizer(), ", ", corpus.vocabulary(), " ids\n\n", size_table(corpus), "\n",
             graph_text(corpus), "\n", leak_text(corpus));
}

}  // namespace coterie::data
