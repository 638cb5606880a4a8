// Pairs of a query and a relevant document, from retrieval collections.
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "data/import_formats.h"
#include "data/import_graph.h"
#include "data/retrieval_set.h"

namespace coterie::data {
namespace {

// Gives each query and each document of a pair its number, queries before documents.
class Pairer {
 public:
  explicit Pairer(RetrievalSet set) : set_(std::move(set)) {
    for (std::uint32_t i = 0; i < set_.documents.size(); ++i) index_.emplace(set_.documents[i].id, i);
  }

  std::vector<Collection> collect() {
    Collection made{.domain = set_.name, .documents = {}, .pairs = {}, .dropped = {}};
    for (const Judgement& judgement : set_.judgements) consider(judgement);
    const auto query_numbers = take(set_.queries, asked_, "query:", made.documents);
    const auto document_numbers = take(set_.documents, found_, "", made.documents);
    for (const auto& [query, document, grade] : kept_)
      made.pairs.push_back({query_numbers.at(query), document_numbers.at(document), grade});
    sort_pairs(made.pairs);
    // Documents are searched by the queries of all splits.
    for (std::size_t i = query_numbers.size(); i < made.documents.size(); ++i) made.documents[i].split = Split::every;
    if (absent_ > 0) made.dropped.emplace_back("document not in the collection", absent_);
    if (empty_ > 0) made.dropped.emplace_back("empty text", empty_);
    return {std::move(made)};
  }

 private:
  struct Kept {
    std::uint32_t query;
    std::uint32_t document;
    std::uint32_t grade;
  };
  using Numbers = std::unordered_map<std::uint32_t, std::uint32_t>;

  void consider(const Judgement& judgement) {
    if (judgement.grade < 1) return;
    const auto document = index_.find(judgement.document);
    if (document == index_.end()) {
      ++absent_;
    } else if (trimmed(set_.queries[judgement.query].text).empty() ||
               trimmed(set_.documents[document->second].text).empty()) {
      ++empty_;
    } else {
      asked_.insert(judgement.query);
      found_.insert(document->second);
      kept_.push_back({judgement.query, document->second, static_cast<std::uint32_t>(judgement.grade)});
    }
  }

  // Appends the texts that stand in a pair, in the order of the collection.
  static Numbers take(std::vector<Document>& from, const std::unordered_set<std::uint32_t>& wanted,
                      const std::string& prefix, std::vector<Document>& into) {
    Numbers numbers;
    for (std::uint32_t i = 0; i < from.size(); ++i) {
      if (!wanted.contains(i)) continue;
      numbers.emplace(i, static_cast<std::uint32_t>(into.size()));
      into.push_back({prefix + from[i].id, std::move(from[i].text), from[i].split});
    }
    return numbers;
  }

  RetrievalSet set_;
  std::unordered_map<std::string, std::uint32_t> index_;
  std::unordered_set<std::uint32_t> asked_;
  std::unordered_set<std::uint32_t> found_;
  std::vector<Kept> kept_;
  std::uint64_t absent_ = 0;
  std::uint64_t empty_ = 0;
};

}  // namespace

std::vector<Collection> import_beir(const std::filesystem::path& folder) { return Pairer(read_beir(folder)).collect(); }

std::vector<Collection> import_smart(const std::filesystem::path& folder) {
  return Pairer(read_smart_set(folder)).collect();
}

}  // namespace coterie::data
