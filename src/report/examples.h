// What was found for a few queries of a collection, as `coterie eval` leaves it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace coterie::report {

/// A document that was found.
struct FoundDocument {
  std::string id;
  double score = 0.0;
  std::string text;
  bool relevant = false;
};

/// A query and its best documents.
struct QueryExample {
  std::string id;
  std::string text;
  std::vector<FoundDocument> found;
};

/// One model on one collection.
struct Examples {
  std::string model;
  std::string collection;
  std::vector<QueryExample> queries;
};

/// Reads an `examples.MODEL.COLLECTION.json`.
/// @throws DataError naming query and document if a field is missing or not of its type; IoError
[[nodiscard]] Examples read_examples(const std::filesystem::path& path);

/// A row for each document, the query beside its first.
[[nodiscard]] std::string examples_table(const Examples& examples);

}  // namespace coterie::report
