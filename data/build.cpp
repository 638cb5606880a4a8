// Building of a corpus' content.
#include "data/build.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"
#include "data/corpus_tables.h"
#include "data/negatives.h"

namespace coterie::data {
namespace {

void check(const std::vector<Collection>& collections) {
  std::set<std::string_view> domains;
  std::uint64_t documents = 0;
  for (const Collection& collection : collections) {
    if (!domains.insert(collection.domain).second)
      throw DataError(
          str("build: a domain must come from one source, got '", collection.domain, "' twice (data.sources)"));
    documents += collection.documents.size();
    for (const Document& document : collection.documents)
      COTERIE_CHECK(ShapeError, document.split, "build: document '", document.id, "' has no split");
    for (const Pair& pair : collection.pairs)
      COTERIE_CHECK(ShapeError, pair.a < pair.b && pair.b < collection.documents.size(), "build: pair (", pair.a, ", ",
                    pair.b, ") of ", collection.documents.size(), " documents");
  }
  if (documents == 0) throw DataError("build: at least one document is needed, got none (data.sources)");
  if (documents > std::numeric_limits<std::uint32_t>::max())
    throw DataError(str("build: a corpus may have ", std::numeric_limits<std::uint32_t>::max(), " documents, got ",
                        documents, " (data.sources)"));
  if (collections.size() > std::numeric_limits<std::uint16_t>::max())
    throw DataError(str("build: a corpus may have ", std::numeric_limits<std::uint16_t>::max(), " domains, got ",
                        collections.size(), " (data.sources)"));
}

std::vector<std::int32_t> encode_one(const TextEncoder& encoder, const CorpusContent& content, std::size_t i) {
  auto ids = encoder.encode(content.texts[i]);
  COTERIE_CHECK(ShapeError, ids.size() >= 2, "build: '", content.ids[i], "' must give [CLS] and [SEP] at least, got ",
                ids.size(), " tokens");
  for (const std::int32_t id : ids)
    COTERIE_CHECK(ShapeError, id >= 0 && id < encoder.vocabulary, "build: token ids must be in 0..",
                  encoder.vocabulary - 1, ", got ", id, " in '", content.ids[i], "'");
  return ids;
}

// Tokenizes all texts, on several threads. Blocks of documents are handed out in order; each result has its own place.
void tokenize(CorpusContent& content, const TextEncoder& encoder, int threads) {
  constexpr std::size_t kBlock = 64;
  content.tokens.resize(content.texts.size());
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  std::size_t failed_block = std::numeric_limits<std::size_t>::max();
  const auto work = [&] {
    while (true) {
      const std::size_t begin = next.fetch_add(kBlock);
      if (begin >= content.texts.size()) return;
      try {
        for (std::size_t i = begin; i < std::min(begin + kBlock, content.texts.size()); ++i)
          content.tokens[i] = encode_one(encoder, content, i);
      } catch (...) {
        // The first failing document is reported: all blocks before it have been handed out already.
        const std::lock_guard lock(mutex);
        if (begin < failed_block) failure = std::current_exception();
        failed_block = std::min(failed_block, begin);
        next = content.texts.size();
      }
    }
  };
  {
    std::vector<std::jthread> pool;
    for (int i = 1; i < threads; ++i) pool.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

void count_pair(SplitReport& report, std::uint32_t weight) {
  ++report.pairs;
  ++report.weights[std::clamp<std::uint32_t>(weight, 1, 4) - 1];
  report.max_weight = std::max(report.max_weight, weight);
}

class Builder {
 public:
  Builder(const TextEncoder& encoder, const BuildOptions& options, RandomKey key)
      : encoder_(encoder), options_(options), key_(key) {}

  Built build(std::vector<Collection> collections) {
    content_.tokenizer = encoder_.fingerprint;
    content_.vocabulary = encoder_.vocabulary;
    for (Collection& collection : collections) {
      firsts_.push_back(static_cast<std::uint32_t>(content_.ids.size()));
      add_documents(collection);
      add_pairs(collection);
    }
    firsts_.push_back(static_cast<std::uint32_t>(content_.ids.size()));
    const auto named = [](std::int32_t expert) { return expert >= 0; };
    if (std::none_of(content_.expert.begin(), content_.expert.end(), named)) content_.expert.clear();
    tokenize(content_, encoder_, options_.threads);
    count_tokens();
    add_negatives();
    return {std::move(content_), std::move(report_)};
  }

 private:
  void add_documents(Collection& collection) {
    const auto domain = static_cast<std::uint16_t>(content_.domains.size());
    content_.domains.push_back(collection.domain);
    auto& report = report_.domains.emplace_back();
    report.domain = collection.domain;
    report.dropped = collection.dropped;
    report_.notes.insert(report_.notes.end(), collection.notes.begin(), collection.notes.end());
    for (Document& document : collection.documents) {
      content_.ids.push_back(collection.domain + ":" + document.id);
      content_.texts.push_back(std::move(document.text));
      content_.domain.push_back(domain);
      content_.split.push_back(*document.split);
      content_.expert.push_back(document.expert.value_or(-1));
      for (const Split split : {Split::train, Split::validation, Split::test})
        if (belongs_to(*document.split, split)) ++report.splits[static_cast<std::size_t>(split)].documents;
    }
  }

  void add_pairs(const Collection& collection) {
    DomainReport& report = report_.domains.back();
    std::uint64_t across = 0;
    std::uint64_t light = 0;
    for (const Pair& local : collection.pairs) {
      const Pair pair{firsts_.back() + local.a, firsts_.back() + local.b, local.weight};
      content_.graph.push_back(pair);
      const auto split = shared_split(content_.split[pair.a], content_.split[pair.b]);
      if (!split) {
        ++across;
      } else if (*split == Split::train && pair.weight < options_.min_weight) {
        ++light;
      } else {
        content_.positives[static_cast<std::size_t>(*split)].push_back(pair);
        count_pair(report.splits[static_cast<std::size_t>(*split)], pair.weight);
      }
    }
    report.graph = collection.pairs.size();
    report.dropped.emplace_back("across splits", across);
    report.dropped.emplace_back(str("training weight below ", options_.min_weight), light);
  }

  void count_tokens() {
    for (std::size_t i = 0; i < content_.tokens.size(); ++i) {
      for (const Split split : {Split::train, Split::validation, Split::test}) {
        if (!belongs_to(content_.split[i], split)) continue;
        SplitReport& report = report_.domains[content_.domain[i]].splits[static_cast<std::size_t>(split)];
        report.tokens += content_.tokens[i].size();
        report.max_tokens = std::max<std::uint64_t>(report.max_tokens, content_.tokens[i].size());
      }
    }
  }

  void add_negatives() {
    const auto classes = text_classes(content_.texts);
    note_leaks(classes);
    for (const Split split : {Split::validation, Split::test}) {
      const RandomKey key = key_.derive("negatives").derive(name_of(split));
      auto& all = content_.negatives[static_cast<std::size_t>(split)];
      for (std::size_t d = 0; d < report_.domains.size(); ++d) {
        SplitReport& report = report_.domains[d].splits[static_cast<std::size_t>(split)];
        const auto documents = documents_of(d, split);
        const auto searched = documents_of(d, Split::every);
        const NegativeRules rules{content_.graph, classes, report.pairs};
        const RandomKey domain_key = key.derive(report_.domains[d].domain);
        const auto found = searched.empty() ? sample_negatives(documents, rules, domain_key)
                                            : sample_negatives_between(documents, searched, rules, domain_key);
        report.negatives = found.size();
        all.insert(all.end(), found.begin(), found.end());
        note_shortage(report_.domains[d].domain, split, report);
      }
    }
  }

  // The documents of a domain that are of this split and of no other; or those of every split.
  [[nodiscard]] std::vector<std::uint32_t> documents_of(std::size_t domain, Split split) const {
    std::vector<std::uint32_t> documents;
    for (std::uint32_t i = firsts_[domain]; i < firsts_[domain + 1]; ++i)
      if (content_.split[i] == split) documents.push_back(i);
    return documents;
  }

  // Splits that were given, or equal texts in two domains: `assign_splits` keeps the others together.
  void note_leaks(const std::vector<std::uint32_t>& classes) {
    std::size_t leaks = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const Split split = content_.split[i];
      const Split first = content_.split[classes[i]];
      leaks += split != first && split != Split::every && first != Split::every ? 1 : 0;
    }
    if (leaks > 0)
      report_.notes.push_back(str(leaks,
                                  " documents have the text of a document in another split: results will look "
                                  "better than they are"));
  }

  void note_shortage(const std::string& domain, Split split, const SplitReport& report) {
    if (report.pairs == 0)
      report_.notes.push_back(str(domain, ", ", name_of(split), ": no pair, so this part measures nothing"));
    else if (report.negatives < report.pairs)
      report_.notes.push_back(str(domain, ", ", name_of(split), ": ", report.pairs, " pairs, but only ",
                                  report.negatives, " pairs of its documents are not co-cited"));
  }

  const TextEncoder& encoder_;
  const BuildOptions& options_;
  RandomKey key_;
  CorpusContent content_;
  BuildReport report_;
  std::vector<std::uint32_t> firsts_;  // first document of each domain, and the number of all
};

}  // namespace

Built build_content(std::vector<Collection> collections, const TextEncoder& encoder, const BuildOptions& options,
                    RandomKey key) {
  check(collections);
  return Builder(encoder, options, key).build(std::move(collections));
}

}  // namespace coterie::data
