#include "tests/style/rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "base/file_ops.h"
#include "base/str.h"

namespace coterie::test {
namespace {

constexpr std::size_t kMaxLines = 400;
constexpr std::size_t kMaxColumns = 120;

using Layers = std::set<std::string, std::less<>>;

/// What each layer may include besides itself: whatever lies below it on a line of the drawing in the README.
const std::map<std::string, Layers, std::less<>>& arrows() {
  static const Layers low = {"base", "config"};
  static const Layers middle = {"base", "config", "dist", "kernels"};
  static const Layers model = {"base", "config", "dist", "kernels", "experts", "data"};
  static const Layers eval = {"base", "config", "dist", "kernels", "experts", "data", "model"};
  static const Layers train = {"base", "config", "dist", "kernels", "experts", "data", "model", "eval"};
  static const Layers cli = {"base",  "config", "dist",  "kernels", "experts", "data",
                             "model", "eval",   "train", "sweep",   "report"};
  static const std::map<std::string, Layers, std::less<>> table = {
      {"base", {}},    {"config", {"base"}}, {"dist", low},    {"kernels", low}, {"data", low},    {"sweep", low},
      {"report", low}, {"experts", middle},  {"model", model}, {"eval", eval},   {"train", train}, {"cli", cli},
  };
  return table;
}

struct Line {
  std::size_t number;
  std::string_view text;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out.push_back({out.size() + 1, text.substr(begin, end - begin)});
    begin = end + 1;
  }
  return out;
}

std::string_view without_leading_spaces(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// A preprocessor line without its `#`, or nothing.
std::string_view directive_of(std::string_view line) {
  line = without_leading_spaces(line);
  return line.starts_with('#') ? without_leading_spaces(line.substr(1)) : std::string_view();
}

struct Include {
  std::size_t line;
  bool quoted;
  std::string_view name;
};

std::vector<Include> includes_of(const Source& source) {
  std::vector<Include> out;
  for (const Line& line : lines_of(source.text)) {
    std::string_view rest = directive_of(line.text);
    if (!rest.starts_with("include")) continue;
    rest = without_leading_spaces(rest.substr(7));
    if (rest.empty() || (rest[0] != '"' && rest[0] != '<')) continue;
    const std::size_t end = rest.find(rest[0] == '"' ? '"' : '>', 1);
    if (end != std::string_view::npos) out.push_back({line.number, rest[0] == '"', rest.substr(1, end - 1)});
  }
  return out;
}

/// A family of headers and the layers that may see them.
struct Family {
  std::string name;
  std::vector<std::string_view> prefixes;
  Layers layers;
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"torch", {"torch/", "ATen/", "c10/"}, {"dist", "kernels", "experts", "model", "eval", "train", "cli"}},
      {"MPI", {"mpi.h"}, {"dist"}},
      {"NCCL", {"nccl"}, {"dist"}},
      {"CUDA", {"cuda", "cublas", "cub/", "ATen/cuda/", "c10/cuda/"}, {"dist", "kernels"}},
      {"HDF5", {"hdf5", "H5"}, {"data"}},
      {"toml++", {"toml"}, {"config"}},
  };
  return all;
}

std::string at(const Source& source, std::size_t line) { return str(source.path, ":", line, ": "); }

/// Characters of UTF-8, which is what an editor counts as columns.
std::size_t columns_of(std::string_view line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Whether a source file starts with the include of a header of its folder, whose first line then speaks for both.
bool starts_with_own_header(const Source& source) {
  const auto includes = includes_of(source);
  if (includes.empty() || includes[0].line != 1 || !includes[0].quoted) return false;
  return !source.path.ends_with(".h") && includes[0].name.ends_with(".h") &&
         layer_of(includes[0].name) == layer_of(source.path);
}

}  // namespace

std::string layer_of(std::string_view path) {
  if (path.starts_with("src/")) path.remove_prefix(4);
  return std::string(path.substr(0, path.find('/')));
}

std::vector<std::string> layering_problems(const Source& source) {
  const std::string layer = layer_of(source.path);
  const auto allowed = arrows().find(layer);
  if (allowed == arrows().end()) return {str(source.path, ": folder '", layer, "' is not in the drawing")};
  std::vector<std::string> out;
  for (const Include& include : includes_of(source)) {
    const std::string target = layer_of(include.name);
    if (arrows().contains(target) && include.name.find('/') != std::string_view::npos) {
      if (target != layer && !allowed->second.contains(target))
        out.push_back(str(at(source, include.line), layer, " must not include ", target, ", got '", include.name, "'"));
    } else if (include.quoted) {
      out.push_back(
          str(at(source, include.line), "must be written from a root as 'folder/x.h', got '", include.name, "'"));
    }
  }
  return out;
}

std::vector<std::string> ownership_problems(const Source& source) {
  const std::string layer = layer_of(source.path);
  std::vector<std::string> out;
  for (const Include& include : includes_of(source))
    for (const Family& family : families()) {
      const bool member = !include.name.starts_with(layer + "/") &&
                          std::any_of(family.prefixes.begin(), family.prefixes.end(),
                                      [&](std::string_view prefix) { return include.name.starts_with(prefix); });
      if (member && !family.layers.contains(layer))
        out.push_back(
            str(at(source, include.line), layer, " must not see ", family.name, ", got '", include.name, "'"));
    }
  return out;
}

std::vector<std::string> feature_problems(const Source& source) {
  std::vector<std::string> out;
  for (const Line& line : lines_of(source.text)) {
    const std::string_view directive = directive_of(line.text);
    const bool conditional = directive.starts_with("if") || directive.starts_with("elif");
    if (conditional && directive.find("COTERIE") != std::string_view::npos)
      out.push_back(str(at(source, line.number), "a feature must be chosen by CMake, got '#", directive, "'"));
  }
  return out;
}

std::vector<std::string> form_problems(const Source& source) {
  std::vector<std::string> out;
  const auto lines = lines_of(source.text);
  const bool introduced = !lines.empty() && lines[0].text.starts_with("// ") && lines[0].text.size() > 10;
  if (!introduced && !starts_with_own_header(source))
    out.push_back(at(source, 1) + "must say in a comment what the file is for");
  if (lines.size() > kMaxLines)
    out.push_back(str(source.path, ": must have at most ", kMaxLines, " lines, got ", lines.size()));
  for (const Line& line : lines)
    if (columns_of(line.text) > kMaxColumns)
      out.push_back(
          str(at(source, line.number), "must have at most ", kMaxColumns, " columns, got ", columns_of(line.text)));
  return out;
}

std::vector<Source> sources_below(const std::filesystem::path& root, const std::vector<std::string>& folders) {
  const std::set<std::string> extensions = {".h", ".cpp", ".cu", ".cuh"};
  std::vector<Source> out;
  for (const std::string& folder : folders) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder))
      if (entry.is_regular_file() && extensions.contains(entry.path().extension().string()))
        out.push_back({entry.path().lexically_relative(root).generic_string(), read_file(entry.path())});
  }
  std::sort(out.begin(), out.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return out;
}

}  // namespace coterie::test
