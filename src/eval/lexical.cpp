// Term vectors, and inverted lists of them.
#include "eval/lexical.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"
#include "data/terms.h"

namespace coterie::eval {
namespace {

/// What a collection says about its terms.
struct TermCounts {
  std::int64_t documents = 0;  // that hold it
  std::int64_t total = 0;      // times it occurs
};

/// Counts over a collection.
struct Collected {
  std::map<std::string, TermCounts> terms;  // in the order of bytes
  std::int64_t words = 0;
};

Collected collect(std::span<const std::string_view> texts) {
  Collected all;
  for (const std::string_view text : texts) {
    std::map<std::string, std::int64_t> here;
    for (std::string& term : data::terms(text)) ++here[std::move(term)];
    for (const auto& [term, count] : here) {
      TermCounts& counts = all.terms[term];
      ++counts.documents;
      counts.total += count;
      all.words += count;
    }
  }
  return all;
}

double product(const TermVector& x, const TermVector& y) {
  double sum = 0;
  for (auto i = x.begin(), j = y.begin(); i != x.end() && j != y.end();) {
    if (i->term == j->term)
      sum += (i++)->weight * (j++)->weight;
    else if (i->term < j->term)
      ++i;
    else
      ++j;
  }
  return sum;
}

/// Known terms and how often a text has each.
class Vocabulary {
 public:
  void add(const std::string& term, double idf) {
    numbers_.emplace(term, static_cast<std::uint32_t>(numbers_.size()));
    idf_.push_back(idf);
  }

  [[nodiscard]] double idf(std::uint32_t term) const { return idf_[term]; }

  [[nodiscard]] TermVector count(std::span<const std::string> words) const {
    std::map<std::uint32_t, double> counts;
    for (const std::string& word : words)
      if (const auto known = numbers_.find(word); known != numbers_.end()) counts[known->second] += 1;
    TermVector vector;
    for (const auto& [term, count] : counts) vector.push_back({term, count});
    return vector;
  }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<double> idf_;
};

class TfIdf final : public TermWeighting {
 public:
  TfIdf(std::span<const std::string_view> texts, std::int64_t max_features) {
    const Collected all = collect(texts);
    std::vector<std::pair<std::string, TermCounts>> terms(all.terms.begin(), all.terms.end());
    if (max_features > 0 && terms.size() > static_cast<std::size_t>(max_features)) {
      std::stable_sort(terms.begin(), terms.end(),
                       [](const auto& x, const auto& y) { return x.second.total > y.second.total; });
      terms.resize(static_cast<std::size_t>(max_features));
    }
    const auto n = static_cast<double>(texts.size());
    for (const auto& [term, counts] : terms)
      vocabulary_.add(term, std::log((1 + n) / (1 + static_cast<double>(counts.documents))) + 1);
  }

  [[nodiscard]] TermVector document(std::string_view text) const override {
    TermVector vector = vocabulary_.count(data::terms(text));
    double squares = 0;
    for (TermWeight& entry : vector) {
      entry.weight *= vocabulary_.idf(entry.term);
      squares += entry.weight * entry.weight;
    }
    for (TermWeight& entry : vector) entry.weight /= std::sqrt(squares);
    return vector;
  }
  [[nodiscard]] TermVector query(std::string_view text) const override { return document(text); }
  [[nodiscard]] double similarity(const TextVectors& a, const TextVectors& b) const override {
    return product(a.document, b.document);
  }

 private:
  Vocabulary vocabulary_;
};

class Bm25 final : public TermWeighting {
 public:
  Bm25(std::span<const std::string_view> texts, const Bm25Options& options) : options_(options) {
    const Collected all = collect(texts);
    const auto n = static_cast<double>(texts.size());
    mean_length_ = static_cast<double>(all.words) / n;
    for (const auto& [term, counts] : all.terms) {
      const auto df = static_cast<double>(counts.documents);
      vocabulary_.add(term, std::log(1 + (n - df + 0.5) / (df + 0.5)));
    }
  }

  [[nodiscard]] TermVector document(std::string_view text) const override {
    const auto words = data::terms(text);
    const double length = static_cast<double>(words.size()) / mean_length_;
    TermVector vector = vocabulary_.count(words);
    for (TermWeight& entry : vector) {
      const double damping = options_.k1 * (1 - options_.b + options_.b * length);
      entry.weight = vocabulary_.idf(entry.term) * entry.weight * (options_.k1 + 1) / (entry.weight + damping);
    }
    return vector;
  }
  [[nodiscard]] TermVector query(std::string_view text) const override { return vocabulary_.count(data::terms(text)); }
  [[nodiscard]] double similarity(const TextVectors& a, const TextVectors& b) const override {
    const double mean = (product(a.query, b.document) + product(b.query, a.document)) / 2;
    return mean / (1 + mean);
  }

 private:
  Bm25Options options_;
  double mean_length_ = 0;
  Vocabulary vocabulary_;
};

/// The documents of each term.
class InvertedLists {
 public:
  InvertedLists(const TermWeighting& weighting, const std::vector<RetrievalText>& documents)
      : documents_(documents.size()) {
    for (std::uint32_t d = 0; d < documents.size(); ++d)
      for (const TermWeight& entry : weighting.document(documents[d].text))
        lists_[entry.term].push_back({d, entry.weight});
  }

  [[nodiscard]] std::vector<Hit> best(const TermVector& query, std::size_t depth) const {
    std::vector<double> scores(documents_, 0);
    for (const TermWeight& entry : query)
      if (const auto list = lists_.find(entry.term); list != lists_.end())
        for (const TermWeight& posting : list->second) scores[posting.term] += entry.weight * posting.weight;
    TopK best(depth);
    for (std::uint32_t d = 0; d < scores.size(); ++d)
      if (scores[d] > 0) best.offer({static_cast<float>(scores[d]), d});
    return best.take();
  }

 private:
  std::size_t documents_;
  std::unordered_map<std::uint32_t, TermVector> lists_;  // of document numbers and weights
};

}  // namespace

std::unique_ptr<TermWeighting> make_tf_idf(std::span<const std::string_view> texts, std::int64_t max_features) {
  return std::make_unique<TfIdf>(texts, max_features);
}

std::unique_ptr<TermWeighting> make_bm25(std::span<const std::string_view> texts, const Bm25Options& options) {
  return std::make_unique<Bm25>(texts, options);
}

std::unique_ptr<TermWeighting> make_baseline(const std::string& name, std::span<const std::string_view> texts,
                                             const Bm25Options& bm25) {
  constexpr std::string_view kLimited = "tfidf_";
  if (name == "tfidf") return make_tf_idf(texts, 0);
  if (name == "bm25") return make_bm25(texts, bm25);
  const auto features =
      name.starts_with(kLimited) ? to_number(std::string_view(name).substr(kLimited.size()), 1U << 30) : std::nullopt;
  if (!features || *features == 0)
    throw ConfigError(str("config: a baseline must be tfidf, tfidf_N with N features, or bm25, got ", excerpt(name),
                          " (eval.baselines)"));
  return make_tf_idf(texts, static_cast<std::int64_t>(*features));
}

ScoredPairs score_pairs(const TermWeighting& weighting, const data::Corpus& corpus, data::Split split) {
  ScoredPairs scored = pairs_to_score(corpus, split);
  std::unordered_map<std::uint32_t, TextVectors> known;
  const auto vectors_of = [&](std::uint32_t document) -> const TextVectors& {
    const auto [found, added] = known.try_emplace(document);
    if (added) found->second = weighting.vectors(corpus.text(document));
    return found->second;
  };
  for (const data::Pair& pair : scored.pairs)
    scored.scores.push_back(weighting.similarity(vectors_of(pair.a), vectors_of(pair.b)));
  return scored;
}

Ranking retrieve(const TermWeighting& weighting, const RetrievalTask& task, std::size_t depth,
                 const dist::ProcessGroup& group) {
  const InvertedLists lists(weighting, task.documents);
  const auto answer = [&](std::int64_t first, std::int64_t last) {
    std::vector<std::vector<Hit>> hits;
    for (std::int64_t q = first; q < last; ++q) {
      hits.push_back(lists.best(weighting.query(task.queries[static_cast<std::size_t>(q)].text), depth));
      // Where all tie at 0 the first is the last by id. A run file without a line of the query would leave it out of
      // the means of those who read it.
      if (hits.back().empty() && depth > 0 && !task.documents.empty()) hits.back().push_back({0.0F, 0});
    }
    return hits;
  };
  return ranking_of(task, share_queries(static_cast<std::int64_t>(task.queries.size()), group, answer));
}

}  // namespace coterie::eval
