// The plain form: documents.jsonl and pairs.jsonl.
#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"
#include "data/document_text.h"
#include "data/import.h"
#include "data/import_formats.h"
#include "data/import_graph.h"
#include "data/import_json.h"

namespace coterie::data {
namespace {

// Where a document stands.
struct Location {
  std::size_t collection = 0;
  std::uint32_t document = 0;
  std::int64_t line = 0;
};

std::string text_of(const JsonLine& line) {
  if (line.has("text") && line.has("abstract")) line.fail("a document has 'text' or 'abstract', got both");
  const bool whole = !line.has("abstract");
  std::string text = whole ? line.text("text") : document_text(line.text("title"), line.text("abstract"));
  const char* const needed = whole ? "text" : "abstract";
  if (trimmed(whole ? text : line.text("abstract")).empty()) line.fail(str("'", needed, "' must not be empty"));
  return text;
}

std::optional<Split> split_of(const JsonLine& line) {
  if (!line.has("split")) return std::nullopt;
  const std::string name = line.text("split");
  if (name == "train") return Split::train;
  if (name == "validation" || name == "val") return Split::validation;
  if (name == "test") return Split::test;
  line.fail(str("'split' must be train, validation, val or test, got ", excerpt(name)));
}

std::optional<std::int32_t> expert_of(const JsonLine& line) {
  if (!line.has("expert")) return std::nullopt;
  return static_cast<std::int32_t>(line.integer("expert", 0, kMostNamedExperts - 1));
}

class PlainImporter {
 public:
  explicit PlainImporter(const std::filesystem::path& folder) : folder_(folder) {}

  std::vector<Collection> read() {
    read_documents(folder_ / "documents.jsonl");
    read_pairs(folder_ / "pairs.jsonl");
    for (std::size_t i = 0; i < collections_.size(); ++i) {
      sort_pairs(collections_[i].pairs);
      if (across_[i] > 0) collections_[i].dropped.emplace_back("across domains", across_[i]);
    }
    return std::move(collections_);
  }

 private:
  void read_documents(const std::filesystem::path& file) {
    const std::string default_domain =
        std::filesystem::absolute(folder_ / "").lexically_normal().parent_path().filename().string();
    for_each_json_line("plain", file, [&](const JsonLine& line, std::int64_t number) {
      std::string id = line.id("id");
      const std::string domain = line.has("domain") ? line.text("domain") : default_domain;
      if (!is_domain_name(domain)) {
        const char* const where = line.has("domain") ? "" : ", the folder's name, since the document has no 'domain'";
        line.fail(str("a domain must be ", kDomainRule, ", got ", excerpt(domain), where));
      }
      const std::size_t index = collection_of(domain);
      auto& documents = collections_[index].documents;
      if (documents.size() >= kMaxDocuments) line.fail(str("a domain may have ", kMaxDocuments, " documents"));
      const auto [known, added] =
          located_.emplace(id, Location{index, static_cast<std::uint32_t>(documents.size()), number});
      if (!added)
        line.fail(str("an id must stand once, got ", excerpt(id), " again, first in line ", known->second.line));
      documents.push_back({std::move(id), text_of(line), split_of(line), expert_of(line)});
    });
    if (collections_.empty())
      throw DataError(str("plain: at least one document is needed, got none (", file.string(), ")"));
  }

  std::size_t collection_of(const std::string& domain) {
    const auto [known, added] = domains_.emplace(domain, collections_.size());
    if (added) {
      collections_.push_back({.domain = domain, .documents = {}, .pairs = {}, .dropped = {}});
      across_.push_back(0);
    }
    return known->second;
  }

  void read_pairs(const std::filesystem::path& file) {
    std::unordered_map<std::uint64_t, std::int64_t> first_line;
    for_each_json_line("plain", file, [&](const JsonLine& line, std::int64_t number) {
      const Location& a = locate(line, "a");
      const Location& b = locate(line, "b");
      const auto weight =
          line.has("weight") ? static_cast<std::uint32_t>(line.integer("weight", 1, kMaxWeight)) : std::uint32_t{1};
      if (a.line == b.line) line.fail(str("a pair must be of two documents, got ", excerpt(line.id("a")), " twice"));
      // The line of a document is a number for it that is unique in the file.
      const auto [known, added] =
          first_line.emplace(pair_key(static_cast<std::uint32_t>(a.line), static_cast<std::uint32_t>(b.line)), number);
      if (!added)
        line.fail(str("a pair must stand once, in either direction, got it again, first in line ", known->second));
      if (a.collection != b.collection) {
        ++across_[std::min(a.collection, b.collection)];
        return;
      }
      collections_[a.collection].pairs.push_back(
          {std::min(a.document, b.document), std::max(a.document, b.document), weight});
    });
  }

  const Location& locate(const JsonLine& line, const char* side) const {
    const std::string id = line.id(side);
    const auto found = located_.find(id);
    if (found == located_.end())
      line.fail(str("'", side, "' must be the id of a document, got ", excerpt(id), ", which documents.jsonl lacks"));
    return found->second;
  }

  static constexpr std::int64_t kMaxWeight = 0xFFFFFFFF;

  const std::filesystem::path& folder_;
  std::vector<Collection> collections_;
  std::vector<std::uint64_t> across_;  // of each collection: pairs with a later one
  std::unordered_map<std::string, std::size_t> domains_;
  std::unordered_map<std::string, Location> located_;
};

}  // namespace

std::vector<Collection> import_plain(const std::filesystem::path& folder) { return PlainImporter(folder).read(); }

}  // namespace coterie::data
