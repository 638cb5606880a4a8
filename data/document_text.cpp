#include "data/document_text.h"

#include "base/text.h"

namespace coterie::data {

std::string document_text(std::string_view title, std::string_view abstract) {
  const std::string_view head = trimmed(title);
  const std::string_view tail = trimmed(abstract);
  if (head.empty()) return std::string(tail);
  std::string text(head);
  text += head.back() == '.' ? " " : ". ";
  text += tail;
  return std::string(trimmed(text));
}

}  // namespace coterie::data
