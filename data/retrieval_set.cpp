// Reading of retrieval collections.
#include "data/retrieval_set.h"

#include <array>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"
#include "data/document_text.h"
#include "data/import.h"
#include "data/import_json.h"
#include "data/judgements.h"
#include "data/smart_reader.h"

namespace coterie::data {
namespace {

namespace fs = std::filesystem;

std::string name_of_folder(const fs::path& folder) {
  std::string name = ascii_lower(fs::absolute(folder / "").lexically_normal().parent_path().filename().string());
  if (!is_domain_name(name))
    throw DataError(
        str("retrieval: the folder's name must be ", kDomainRule, ", got ", excerpt(name), " (", folder.string(), ")"));
  return name;
}

// Texts of one file, each id once.
class Texts {
 public:
  Texts(std::vector<Document>& documents, const fs::path& file) : documents_(documents), file_(file) {}

  void add(std::string id, std::string text, std::int64_t line) {
    const auto [known, added] = first_line_.emplace(id, line);
    if (!added)
      throw DataError(str("retrieval: an id must stand once, got ", excerpt(id), " again, first in line ",
                          known->second, " (", place(file_, line), ")"));
    documents_.push_back({std::move(id), std::move(text), std::nullopt});
  }

 private:
  std::vector<Document>& documents_;
  const fs::path& file_;
  std::unordered_map<std::string, std::int64_t> first_line_;
};

// Judgements of a set, each of a known query and none contradicted.
class Judge {
 public:
  explicit Judge(RetrievalSet& set) : set_(set) {
    for (std::size_t i = 0; i < set.queries.size(); ++i)
      index_.emplace(set.queries[i].id, static_cast<std::uint32_t>(i));
  }

  // @return  the query
  std::uint32_t add(const JudgementLine& judged, const fs::path& file) {
    const auto query = index_.find(judged.query);
    if (query == index_.end())
      throw DataError(str("retrieval: a judgement must name a query of the collection, got ", excerpt(judged.query),
                          " (", place(file, judged.line), ")"));
    const auto [known, added] = grades_.emplace(std::pair(query->second, judged.document), judged.grade);
    if (added) set_.judgements.push_back({query->second, judged.document, judged.grade});
    if (known->second != judged.grade)
      throw DataError(str("retrieval: a document must have one grade for a query, ", known->second, " before, got ",
                          judged.grade, " for ", excerpt(judged.document), " (", place(file, judged.line), ")"));
    return query->second;
  }

 private:
  RetrievalSet& set_;
  std::unordered_map<std::string, std::uint32_t> index_;
  std::map<std::pair<std::uint32_t, std::string>, std::int64_t> grades_;
};

void check(const RetrievalSet& set, const fs::path& folder) {
  if (set.documents.empty() || set.queries.empty() || set.judgements.empty())
    throw DataError(str("retrieval: documents, queries and judgements are needed, got ", set.documents.size(), ", ",
                        set.queries.size(), " and ", set.judgements.size(), " (", folder.string(), ")"));
}

// The one file of a folder whose name in lower case is `name` or ends in `extension`.
fs::path only_file(const fs::path& folder, std::string_view extension, std::string_view name) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string here = ascii_lower(entry.path().filename().string());
    if (entry.is_regular_file() && (here == name || here.ends_with(extension))) found.push_back(entry.path());
  }
  if (error) throw IoError(str("retrieval: cannot read folder '", folder.string(), "': ", error.message()));
  if (found.size() != 1)
    throw DataError(str("retrieval: exactly one file *", extension, " or ", name, " is needed, got ", found.size(),
                        " (", folder.string(), ")"));
  return found.front();
}

// SMART numbers may have leading zeros in one file and none in another.
std::string plain_number(std::string_view word) {
  const std::size_t digit = word.find_first_not_of('0');
  return std::string(digit == std::string_view::npos ? word : word.substr(digit));
}

}  // namespace

RetrievalSet read_beir(const fs::path& folder) {
  RetrievalSet set{.name = name_of_folder(folder), .documents = {}, .queries = {}, .judgements = {}};
  const fs::path documents = folder / "corpus.jsonl";
  const fs::path queries = folder / "queries.jsonl";
  Texts corpus(set.documents, documents);
  for_each_json_line("beir", documents, [&](const JsonLine& line, std::int64_t number) {
    const std::string title = line.has("title") ? line.text("title") : "";
    corpus.add(line.id("_id"), document_text(title, line.text("text")), number);
  });
  Texts asked(set.queries, queries);
  for_each_json_line("beir", queries, [&](const JsonLine& line, std::int64_t number) {
    asked.add(line.id("_id"), std::string(trimmed(line.text("text"))), number);
  });
  Judge judge(set);
  // Later files win: a query that a test judges is never trained on.
  constexpr std::array<std::pair<const char*, Split>, 3> kFiles = {
      {{"train.tsv", Split::train}, {"dev.tsv", Split::validation}, {"test.tsv", Split::test}}};
  for (const auto& [name, split] : kFiles) {
    const fs::path file = folder / "qrels" / name;
    if (!fs::exists(file)) continue;
    for (const JudgementLine& line : read_judgements(file)) set.queries[judge.add(line, file)].split = split;
  }
  check(set, folder);
  return set;
}

RetrievalSet read_smart_set(const fs::path& folder) {
  constexpr std::string_view kFields = "TAWXBNKC";
  RetrievalSet set{.name = name_of_folder(folder), .documents = {}, .queries = {}, .judgements = {}};
  const auto read = [&](const fs::path& file, std::vector<Document>& into) {
    for (const SmartRecord& record : read_smart(file, kFields))
      into.push_back({std::to_string(record.id), document_text(record.title, record.abstract), std::nullopt});
  };
  read(only_file(folder, ".all", "cacm.all"), set.documents);
  read(only_file(folder, ".qry", "query.text"), set.queries);
  const fs::path judged = only_file(folder, ".rel", "qrels.text");
  const std::string text = read_utf8(judged);
  LineReader lines(text);
  Judge judge(set);
  while (const auto line = lines.next()) {
    const auto columns = words(*line);
    if (columns.empty()) continue;
    if (columns.size() != 4)
      throw DataError(str("smart: a judgement must be four numbers, query and document first, got ", excerpt(*line),
                          " (", place(judged, lines.number()), ")"));
    judge.add({plain_number(columns[0]), plain_number(columns[1]), 1, lines.number()}, judged);
  }
  check(set, folder);
  return set;
}

RetrievalSet read_retrieval_set(std::string_view source, const fs::path& root) {
  constexpr std::array<std::pair<std::string_view, RetrievalSet (*)(const fs::path&)>, 2> kReaders = {
      {{"beir:", read_beir}, {"smart:", read_smart_set}}};
  for (const auto& [format, read] : kReaders)
    if (source.starts_with(format) && source.size() > format.size()) return read(root / source.substr(format.size()));
  throw ConfigError(str("retrieval: a collection must be beir:PATH or smart:PATH, got ", excerpt(source)));
}

}  // namespace coterie::data
