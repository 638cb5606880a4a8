// The text of a document.
#pragma once

#include <string>
#include <string_view>

namespace coterie::data {

/// The text that the encoder sees: title + ". " + abstract, both trimmed. A title that ends with a full stop gets no
/// second one, and without a title the abstract stands alone.
[[nodiscard]] std::string document_text(std::string_view title, std::string_view abstract);

}  // namespace coterie::data
