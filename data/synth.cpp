// Topics, documents and citing papers of a synthetic corpus.
#include "data/synth.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "data/document_text.h"
#include "data/import_graph.h"
#include "data/synth_words.h"

namespace coterie::data {
namespace {

constexpr std::size_t kTopicWords = 6;
constexpr double kTopicShare = 0.75;        // of the content words of a document
constexpr double kSecondTopicShare = 0.20;  // of the documents
constexpr double kOutsideShare = 0.08;      // of the citing papers
constexpr std::uint64_t kLeastReferences = 2;
constexpr std::uint64_t kMostReferences = 6;

// The random numbers of one document, topic or paper, in the order in which it asks for them.
class Draws {
 public:
  explicit Draws(RandomKey key) : key_(key) {}
  std::uint64_t below(std::uint64_t bound) { return random_below(key_, next_++, bound); }
  double unit() { return random_unit(key_, next_++); }
  // An index that prefers the front: the density falls with one over the square root.
  std::uint64_t skewed_below(std::uint64_t bound) {
    const double u = unit();
    return std::min(static_cast<std::uint64_t>(u * u * static_cast<double>(bound)), bound - 1);
  }

 private:
  RandomKey key_;
  std::uint64_t next_ = 0;
};

using Words = std::vector<std::string_view>;

class Domain {
 public:
  Domain(const SynthOptions& options, std::uint64_t number, RandomKey key)
      : options_(options), key_(key.derive(number)) {
    const std::uint64_t field = number % kSynthFields.size();
    const std::uint64_t second = (field + number / kSynthFields.size()) % kSynthFields.size();
    made_.domain = kSynthFields[field].name;
    words_.assign(kSynthFields[field].words.begin(), kSynthFields[field].words.end());
    if (second != field) {
      made_.domain += str("-", kSynthFields[second].name);
      words_.insert(words_.end(), kSynthFields[second].words.begin(), kSynthFields[second].words.end());
    }
  }

  Collection make() {
    make_topics();
    make_documents();
    make_citations();
    return std::move(made_);
  }

 private:
  void make_topics() {
    const auto topics = static_cast<std::size_t>(options_.topics);
    members_.resize(topics);
    for (std::size_t t = 0; t < topics; ++t) {
      const Permutation shuffled(key_.derive("topic").derive(t), words_.size());
      Words& topic = topics_.emplace_back();
      for (std::size_t i = 0; i < kTopicWords; ++i) topic.push_back(words_[shuffled(i)]);
    }
  }

  void make_documents() {
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(options_.documents); ++i) {
      Draws draws(key_.derive("document").derive(i));
      std::vector<std::size_t> topics = {draws.below(topics_.size())};
      if (draws.unit() < kSecondTopicShare) {
        const std::size_t other = draws.below(topics_.size());
        if (other != topics[0]) topics.push_back(other);
      }
      for (const std::size_t topic : topics) members_[topic].push_back(i);
      made_.documents.push_back({std::to_string(i), text(topics, draws), std::nullopt});
    }
  }

  std::string text(const std::vector<std::size_t>& topics, Draws& draws) const {
    const std::string title = sentence(kSynthTitles[draws.below(kSynthTitles.size())], topics, draws);
    const double mean = static_cast<double>(options_.words);
    const auto wanted = static_cast<std::size_t>(mean * (0.6 + 0.8 * draws.unit()));
    std::string abstract;
    std::size_t count = words(title).size();
    do {
      const std::string next = sentence(kSynthSentences[draws.below(kSynthSentences.size())], topics, draws);
      count += words(next).size();
      abstract += (abstract.empty() ? "" : " ") + next + '.';
    } while (count < wanted);
    return document_text(title, abstract);
  }

  std::string sentence(std::string_view pattern, const std::vector<std::size_t>& topics, Draws& draws) const {
    std::string out;
    for (const char c : pattern) {
      if (c == '*')
        out += content_word(topics, draws);
      else
        out += c;
    }
    out[0] = static_cast<char>(out[0] - 'a' + 'A');
    return out;
  }

  std::string_view content_word(const std::vector<std::size_t>& topics, Draws& draws) const {
    const bool topical = draws.unit() < kTopicShare;
    const Words& source = topical ? topics_[topics[draws.below(topics.size())]] : words_;
    return source[draws.below(source.size())];
  }

  void make_citations() {
    std::vector<ReferenceList> lists;
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(options_.citing_papers); ++i) {
      Draws draws(key_.derive("paper").derive(i));
      const auto& candidates = members_[draws.below(members_.size())];
      if (candidates.empty()) continue;
      ReferenceList& list = lists.emplace_back();
      list.citing = str("synthetic paper ", i);
      const std::uint64_t references = kLeastReferences + draws.below(kMostReferences - kLeastReferences + 1);
      for (std::uint64_t r = 0; r < references; ++r)
        list.documents.push_back(candidates[draws.skewed_below(candidates.size())]);
      if (draws.unit() < kOutsideShare)
        list.documents.push_back(static_cast<std::uint32_t>(draws.below(made_.documents.size())));
    }
    made_.pairs = co_citations(std::move(lists));
  }

  const SynthOptions& options_;
  RandomKey key_;
  Collection made_;
  Words words_;
  std::vector<Words> topics_;
  std::vector<std::vector<std::uint32_t>> members_;  // documents of each topic
};

}  // namespace

std::vector<Collection> synthesize(const SynthOptions& options, RandomKey key) {
  constexpr auto kMost = static_cast<std::int64_t>(kSynthFields.size() * kSynthFields.size());
  COTERIE_CHECK(ShapeError, options.domains >= 1 && options.domains <= kMost, "synth: domains must be in 1..", kMost,
                ", got ", options.domains);
  COTERIE_CHECK(ShapeError, options.documents >= 1 && options.topics >= 1, "synth: ", options.documents,
                " documents and ", options.topics, " topics");
  std::vector<Collection> collections;
  for (std::int64_t d = 0; d < options.domains; ++d)
    collections.push_back(Domain(options, static_cast<std::uint64_t>(d), key.derive("synth")).make());
  return collections;
}

}  // namespace coterie::data
