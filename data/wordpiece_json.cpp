#include "data/wordpiece_json.h"

#include <system_error>

#include "base/file_ops.h"

namespace coterie::data {
namespace {

/// The largest published WordPiece vocabularies (half a million tokens) take about 20 MB.
constexpr std::uintmax_t kMaxBytes = 64U << 20U;
constexpr int kMaxDepth = 32;
/// Longer values are cut in messages.
constexpr std::size_t kShown = 60;

/// A value as a message shows it.
std::string shown(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kShown) text = text.substr(0, kShown) + "...";
  return text;
}

}  // namespace

std::string read_tokenizer_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > kMaxBytes)
    fail_tokenizer(path, "the file must have at most ", kMaxBytes, " bytes, got ", bytes);
  std::string text = read_file(path);
  if (text.starts_with("version https://git-lfs"))
    fail_tokenizer(path, "the file is only a Git LFS pointer, fetch its content with 'git lfs pull'");
  return text;
}

nlohmann::json parse_tokenizer_json(const std::filesystem::path& path) {
  const std::string text = read_tokenizer_file(path);
  const auto bounded = [&path](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    if (depth > kMaxDepth) fail_tokenizer(path, "values must be nested at most ", kMaxDepth, " deep, got more");
    return true;
  };
  try {
    return nlohmann::json::parse(text, bounded);
  } catch (const nlohmann::json::exception& problem) {
    fail_tokenizer(path, "not valid JSON, got ", problem.what());
  }
}

void JsonNode::reject(std::string_view wanted) const {
  fail_tokenizer(*path_, name_, " must be ", wanted, ", got ", shown(*value_));
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (!value_->is_object()) reject("an object");
  const auto member = value_->find(std::string(key));
  if (member == value_->end()) return std::nullopt;
  return JsonNode(*member, name_.empty() ? std::string(key) : str(name_, '.', key), *path_);
}

JsonNode JsonNode::at(std::string_view key) const {
  if (auto member = find(key)) return *std::move(member);
  fail_tokenizer(*path_, name_.empty() ? "the document" : name_, " has no member '", key, "'");
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  if (!value_->is_object()) reject("an object");
  std::vector<std::pair<std::string, JsonNode>> all;
  all.reserve(value_->size());
  for (const auto& [key, value] : value_->items()) all.emplace_back(key, JsonNode(value, str(name_, '.', key), *path_));
  return all;
}

std::vector<JsonNode> JsonNode::elements() const {
  if (!value_->is_array()) reject("an array");
  std::vector<JsonNode> all;
  all.reserve(value_->size());
  for (const auto& value : *value_) all.emplace_back(value, str(name_, '[', all.size(), ']'), *path_);
  return all;
}

bool JsonNode::boolean() const {
  if (!value_->is_boolean()) reject("true or false");
  return value_->get<bool>();
}

const std::string& JsonNode::text() const {
  if (!value_->is_string()) reject("a string");
  return value_->get_ref<const std::string&>();
}

std::int64_t JsonNode::integer(std::int64_t low, std::int64_t high) const {
  const bool fits = value_->is_number_unsigned() ? value_->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                                                 : value_->is_number_integer();
  if (!fits || value_->get<std::int64_t>() < low || value_->get<std::int64_t>() > high)
    reject(str("a whole number in ", low, "..", high));
  return value_->get<std::int64_t>();
}

}  // namespace coterie::data
