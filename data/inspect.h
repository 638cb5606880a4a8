// What is in a corpus file, for people: sizes by domain and split, the graph, and whether anything leaks.
#pragma once

#include <filesystem>
#include <string>

namespace coterie::data {

/// Reads a whole corpus, every text and token id included, and describes it.
///
/// The leak check looks for what would make a test result too good: equal texts in two splits, and for what would make
/// it wrong: negatives that were cited together, positives that were not.
/// @throws DataError where the file breaks a rule of its format
[[nodiscard]] std::string inspect(const std::filesystem::path& path);

}  // namespace coterie::data
