// What was found for a few queries, for people to read.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "eval/retrieval.h"

namespace coterie::eval {

/// A document that was found.
struct FoundExample {
  std::string id;
  float score = 0;
  std::string text;  ///< its beginning
  bool relevant = false;
};

/// A query and its best documents.
struct QueryExample {
  std::string id;
  std::string text;  ///< its beginning
  std::vector<FoundExample> found;
};

/// The first three queries of a run by their ids, each with its five best documents.
/// @param run  of the task's queries
[[nodiscard]] std::vector<QueryExample> first_queries(const RetrievalTask& task, const Ranking& run);

/// An array of objects with the fields' names.
[[nodiscard]] nlohmann::ordered_json examples_json(const std::vector<QueryExample>& examples);

/// A text on one line, blanks and control characters as one blank each time; cut behind so many characters, with `...`
/// in the place of the rest.
[[nodiscard]] std::string beginning_of(std::string_view text, std::size_t most_characters);

}  // namespace coterie::eval
