// Words as lexical baselines count them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace coterie::data {

/// The words of a text in their order, in lower case: runs of at least two letters, numerals and underscores. Nothing
/// is stemmed or left out.
///
/// @param utf8  bytes that are not UTF-8 separate words
/// @par Source
/// scikit-learn's default analyser, `(?u)\b\w\w+\b` after `str.lower`; but a capital sigma always becomes U+03C3, at
/// the end of a word, too.
[[nodiscard]] std::vector<std::string> terms(std::string_view utf8);

}  // namespace coterie::data
