#include "eval/retrieval_examples.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"

namespace coterie::eval {
namespace {

constexpr std::size_t kQueries = 3;
constexpr std::size_t kFound = 5;
constexpr std::size_t kQueryCharacters = 200;
constexpr std::size_t kDocumentCharacters = 120;

std::string_view text_of_query(const RetrievalTask& task, const std::string& id) {
  const auto found =
      std::find_if(task.queries.begin(), task.queries.end(), [&](const RetrievalText& x) { return x.id == id; });
  COTERIE_CHECK(ShapeError, found != task.queries.end(), "retrieval: the task has no query '", id, "' of the run");
  return found->text;
}

std::string_view text_of_document(const RetrievalTask& task, const std::string& id) {
  const auto found = std::lower_bound(task.documents.begin(), task.documents.end(), id,
                                      [](const RetrievalText& x, const std::string& wanted) { return x.id > wanted; });
  COTERIE_CHECK(ShapeError, found != task.documents.end() && found->id == id, "retrieval: the task has no document '",
                id, "' of the run");
  return found->text;
}

bool is_relevant(const Qrels& qrels, const std::string& query, const std::string& document) {
  const auto judged = qrels.queries.find(query);
  if (judged == qrels.queries.end()) return false;
  const auto grade = judged->second.find(document);
  return grade != judged->second.end() && grade->second >= 1;
}

}  // namespace

std::string beginning_of(std::string_view text, std::size_t most_characters) {
  std::string out;
  std::size_t characters = 0;
  bool blank = false;
  while (!text.empty()) {
    const DecodedChar next = decode_char(text);
    text.remove_prefix(next.bytes);
    if (next.value <= 0x20 || (next.value >= 0x7f && next.value <= 0xa0)) {
      blank = !out.empty();
      continue;
    }
    if (characters + (blank ? 1 : 0) >= most_characters) return out + "...";
    if (blank) out += ' ';
    append_char(out, next.value);
    characters += blank ? 2 : 1;
    blank = false;
  }
  return out;
}

std::vector<QueryExample> first_queries(const RetrievalTask& task, const Ranking& run) {
  std::vector<QueryExample> examples;
  for (const auto& [query, found] : run.queries) {
    if (examples.size() == kQueries) break;
    QueryExample example{query, beginning_of(text_of_query(task, query), kQueryCharacters), {}};
    for (std::size_t i = 0; i < std::min(found.size(), kFound); ++i) {
      const std::string& id = found[i].document;
      example.found.push_back({id, found[i].score, beginning_of(text_of_document(task, id), kDocumentCharacters),
                               is_relevant(task.qrels, query, id)});
    }
    examples.push_back(std::move(example));
  }
  return examples;
}

nlohmann::ordered_json examples_json(const std::vector<QueryExample>& examples) {
  nlohmann::ordered_json queries = nlohmann::ordered_json::array();
  for (const QueryExample& example : examples) {
    nlohmann::ordered_json found = nlohmann::ordered_json::array();
    for (const FoundExample& one : example.found)
      found.push_back({{"id", one.id}, {"score", one.score}, {"text", one.text}, {"relevant", one.relevant}});
    queries.push_back({{"id", example.id}, {"text", example.text}, {"found", found}});
  }
  return queries;
}

}  // namespace coterie::eval
