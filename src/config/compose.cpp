// How files, their `defaults` and arguments are laid over each other.
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"
#include "config/argument.h"
#include "config/document.h"
#include "config/spelling.h"
#include "config/tree.h"

namespace coterie::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxFiles = 256;  // defaults that name each other twice would double at every level

/// An entry of `defaults`, and where it was written.
struct Entry {
  std::string name;
  std::string origin;
};

/// A file on the way from the root file to the one being read.
struct Link {
  fs::path canonical;
  std::string name;
  std::string group;
};

std::string bounded_content(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw ConfigError(str("config: '", path.string(), "' is a directory"));
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw ConfigError(str("config: cannot read '", path.string(), "': ", errno_text(errno)));
  std::string content(kMaxFileBytes + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (in.bad()) throw ConfigError(str("config: cannot read '", path.string(), "': ", errno_text(errno)));
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (content.size() > kMaxFileBytes)
    throw ConfigError(str("config: '", path.string(), "' is larger than ", kMaxFileBytes, " bytes"));
  return content;
}

/// The same for each file, whichever way it was reached.
fs::path one_name(const fs::path& path) {
  std::error_code error;
  const fs::path out = fs::weakly_canonical(path, error);
  return error ? path : out;
}

/// Takes the list `defaults` out of a document.
std::vector<Entry> take_defaults(Value& document) {
  Value::Table& table = *document.table();
  const auto found = table.find("defaults");
  if (found == table.end()) return {};
  const Value value = std::move(found->second);
  table.erase(found);
  if (value.list() == nullptr)
    throw ConfigError(
        str("config: defaults is ", show(value), ", must be a list of strings (", value.origin.text, ")"));
  std::vector<Entry> entries;
  for (const Value& item : *value.list()) {
    const std::string* const name = item.string();
    if (name == nullptr || name->empty() || name->front() == '/' || name->back() == '/')
      throw ConfigError(str("config: defaults has ", show(item), ", must be 'group/name' (", item.origin.text, ")"));
    entries.push_back({*name, item.origin.text});
  }
  return entries;
}

/// Sets a dotted key; anything on the way that is not a table becomes one.
void set(Value& root, const std::vector<std::string>& path, Value value) {
  const Origin origin = value.origin;
  for (auto part = path.rbegin(); part != path.rend(); ++part) {
    Value::Table table;
    table.emplace(*part, std::move(value));
    value = Value{.data = std::move(table), .origin = origin, .key_origin = origin.text};
  }
  merge(root, std::move(value));
}

/// The TOML files of a folder, for messages.
std::string names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".toml") names.push_back(at->path().stem().string());
  std::sort(names.begin(), names.end());
  const std::vector<std::string_view> views(names.begin(), names.end());
  return names.empty() ? std::string() : str("; ", folder.string(), " has ", joined(views));
}

/// Lays files over each other in the order of their `defaults`.
class Composer {
 public:
  /// @param choices  for each group the chosen name and the argument that chose it
  explicit Composer(std::map<std::string, Entry> choices) : choices_(std::move(choices)) {}

  void add(const fs::path& path, const fs::path& base, const std::string& group) {
    if (++files_ > kMaxFiles)
      throw ConfigError(str("config: more than ", kMaxFiles, " files through ", chain_[0].name));
    Value document = parse_document(bounded_content(path), printable(path.string()));
    chain_.push_back({one_name(path), printable(path.string()), group});
    for (const Entry& entry : take_defaults(document)) add_default(entry, base);
    chain_.pop_back();
    merge(root_, std::move(document));
  }

  /// Whether the argument for this group replaced an entry.
  [[nodiscard]] bool used(const std::string& group) const {
    return std::find(used_.begin(), used_.end(), group) != used_.end();
  }
  [[nodiscard]] Value take() { return std::move(root_); }

 private:
  void add_default(Entry entry, fs::path base) {
    while (entry.name.starts_with("../")) {
      base /= "..";
      entry.name.erase(0, 3);
    }
    const std::size_t slash = entry.name.rfind('/');
    const std::string group = slash == std::string::npos ? std::string() : entry.name.substr(0, slash);
    const auto choice = choices_.find(group);
    const bool inside = std::any_of(chain_.begin(), chain_.end(), [&](const Link& l) { return l.group == group; });
    if (choice != choices_.end() && !inside) {
      used_.push_back(group);
      entry = {str(group, "/", choice->second.name),
               str(choice->second.origin, " in place of '", printable(entry.name), "', ", entry.origin)};
    }
    const fs::path path = (base / (entry.name + ".toml")).lexically_normal();
    std::error_code error;
    if (!fs::exists(path, error))
      throw ConfigError(str("config: default '", printable(entry.name), "' is missing, no file ",
                            printable(path.string()), " (", entry.origin, ")", names_in(path.parent_path())));
    for (const Link& link : chain_)
      if (link.canonical == one_name(path))
        throw ConfigError(str("config: default '", printable(entry.name), "' of ", chain_.back().name,
                              " leads back to ", link.name, " (", entry.origin, ")"));
    add(path, base, group);
  }

  std::map<std::string, Entry> choices_;
  std::vector<std::string> used_;
  std::vector<Link> chain_;
  std::size_t files_ = 0;
  Value root_{.data = Value::Table{}, .origin = {.text = "defaults"}};
};

Tree compose_with(const fs::path* file, const std::vector<std::string>& texts) {
  std::vector<Argument> arguments;
  std::vector<std::string> problems;
  std::map<std::string, Entry> choices;
  for (const std::string& text : texts) {
    Argument argument = parse_argument(text);
    if (!argument.problem.empty()) {
      problems.push_back(std::move(argument.problem));
      continue;
    }
    if (argument.path.size() == 1 && argument.value.string() != nullptr)
      choices.insert_or_assign(argument.path[0], Entry{*argument.value.string(), argument.value.origin.text});
    arguments.push_back(std::move(argument));
  }
  Composer composer(std::move(choices));
  if (file != nullptr) composer.add(*file, file->parent_path(), "");
  Value root = composer.take();
  for (Argument& argument : arguments) {
    const bool chose =
        argument.path.size() == 1 && argument.value.string() != nullptr && composer.used(argument.path[0]);
    if (!chose) set(root, argument.path, std::move(argument.value));
  }
  return Tree(std::move(root), std::move(problems));
}

}  // namespace

Tree::Tree(Value root, std::vector<std::string> problems) : root_(std::move(root)), problems_(std::move(problems)) {}

std::string Tree::origin(std::string_view key) const {
  const Value* at = &root_;
  for (std::size_t begin = 0; begin <= key.size();) {
    const std::size_t end = std::min(key.find('.', begin), key.size());
    const Value::Table* const table = at->table();
    if (table == nullptr) return "default";
    const auto found = table->find(key.substr(begin, end - begin));
    if (found == table->end()) return "default";
    at = &found->second;
    begin = end + 1;
  }
  return at->origin.text;
}

Tree compose(const std::filesystem::path& file, const std::vector<std::string>& arguments) {
  return compose_with(&file, arguments);
}

Tree compose(const std::vector<std::string>& arguments) { return compose_with(nullptr, arguments); }

Tree tree_of_text(std::string_view text, const std::string& name) { return Tree(parse_document(text, name)); }

}  // namespace coterie::config
