#include "report/examples.h"

#include "base/error.h"
#include "base/json_file.h"
#include "base/table.h"
#include "report/html.h"
#include "report/json_fields.h"

namespace coterie::report {
namespace {

using nlohmann::json;

QueryExample read_query(const json& object, const std::string& place) {
  QueryExample out{.id = text_field(object, "id", place), .text = text_field(object, "text", place), .found = {}};
  for (const json& document : list_field(object, "found", place)) {
    const std::string here = str(place, ", document ", out.found.size() + 1);
    out.found.push_back({.id = text_field(document, "id", here),
                         .score = number_field(document, "score", here),
                         .text = text_field(document, "text", here),
                         .relevant = truth_field(document, "relevant", here)});
  }
  return out;
}

}  // namespace

Examples read_examples(const std::filesystem::path& path) {
  const json object = read_json_object(path);
  Examples out{.model = text_field(object, "model", path.string()),
               .collection = text_field(object, "collection", path.string()),
               .queries = {}};
  for (const json& query : list_field(object, "queries", path.string()))
    out.queries.push_back(read_query(query, str(path.string(), ", query ", out.queries.size() + 1)));
  return out;
}

std::string examples_table(const Examples& examples) {
  Table table({"query", "rank", "document", "score", "relevant", "text"});
  for (const QueryExample& query : examples.queries) {
    std::string name = str(query.id, ": ", query.text);
    if (query.found.empty()) table.add_row({name, "-", "-", "-", "-", "nothing was found"});
    for (std::size_t i = 0; i < query.found.size(); ++i) {
      const FoundDocument& document = query.found[i];
      table.add_row({i == 0 ? name : "", str(i + 1), document.id, decimal(document.score, 4),
                     document.relevant ? "yes" : "no", document.text});
    }
  }
  return table.rows() == 0 ? std::string()
                           : html_table(table, str(examples.collection, ", ", examples.model,
                                                   ": the best documents of the first queries by id"));
}

}  // namespace coterie::report
