// CACM: computer science, with co-citations by repetition.
#include "base/error.h"
#include "base/text.h"
#include "data/import_formats.h"
#include "data/smart_reader.h"

namespace coterie::data {
namespace {

// Types of an `.X` line, as the collection's `cite.info` lists them.
constexpr std::uint32_t kCoupling = 4;
constexpr std::uint32_t kCoCitation = 6;

}  // namespace

std::vector<Collection> import_cacm(const std::filesystem::path& file) {
  const auto records = read_smart(file, "TAWXBNKC");
  std::map<std::uint64_t, std::uint32_t> lines;
  for (const SmartRecord& record : records) {
    for (const SmartLink& link : record.links) {
      if (link.value < kCoupling || link.value > kCoCitation)
        throw DataError(
            str("cacm: the type of an .X line must be 4, 5 or 6, got ", link.value, " (", place(file, link.line), ")"));
      if (link.value == kCoCitation && link.other != record.id) ++lines[pair_key(record.id, link.other)];
    }
  }
  // Each citing paper gives one line in both records of a pair.
  for (auto& [key, weight] : lines) {
    if (weight % 2 != 0)
      throw DataError(str("cacm: a pair must stand in both its records equally often, got ", weight,
                          " co-citation lines for ", key >> 32, " and ", key & 0xFFFFFFFFU, " (", file.string(), ")"));
    weight /= 2;
  }
  return {smart_collection("cacm", records, lines, file)};
}

}  // namespace coterie::data
