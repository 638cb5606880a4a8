// The table of importers.
#include "data/import.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "data/import_formats.h"
#include "data/options.h"

namespace coterie::data {
namespace {

constexpr std::array<Importer, 7> kImporters = {{
    {"beir", "beir", import_beir},
    {"cacm", "cacm/cacm.all", import_cacm},
    {"cca", "cca_digital_media_health", import_cca},
    {"cisi", "cisi/CISI.ALL", import_cisi},
    {"plain", "plain", import_plain},
    {"smart", "smart", import_smart},
    {"vis", "vis", import_vis},
}};

}  // namespace

std::string source_formats() {
  std::set<std::string_view> formats = {kSynth};
  for (const Importer& importer : kImporters) formats.insert(importer.format);
  return joined(formats);
}

std::span<const Importer> importers() { return kImporters; }

std::vector<Collection> import_source(std::string_view source, const std::filesystem::path& root) {
  const std::size_t colon = std::min(source.find(':'), source.size());
  const std::string_view format = source.substr(0, colon);
  const auto importer =
      std::find_if(kImporters.begin(), kImporters.end(), [&](const Importer& i) { return i.format == format; });
  if (importer == kImporters.end())
    throw ConfigError(str("import: the format of a source must be one of ", source_formats(), ", got '", format,
                          "' (data.sources: '", source, "')"));
  if (colon + 1 == source.size())
    throw ConfigError(str("import: a path must follow the colon, got none (data.sources: '", source, "')"));
  const std::string_view path = colon < source.size() ? source.substr(colon + 1) : importer->default_path;
  return importer->read(root / path);
}

bool is_domain_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  // `all` is the pooled row of every table of domains.
  return name != "all" && !name.empty() && name.size() <= 64 && name[0] != '-' && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace coterie::data
