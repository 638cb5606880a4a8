// CISI: information science, with co-citation counts from ISI.
#include "base/error.h"
#include "base/text.h"
#include "data/import_formats.h"
#include "data/smart_reader.h"

namespace coterie::data {

std::vector<Collection> import_cisi(const std::filesystem::path& file) {
  const auto records = read_smart(file, "TAWXB");
  std::map<std::uint64_t, std::uint32_t> weights;
  for (const SmartRecord& record : records) {
    for (const SmartLink& link : record.links) {
      if (link.other == record.id) continue;  // how often the paper itself is cited
      if (link.value == 0)
        throw DataError(str("cisi: a co-citation weight must be at least 1, got 0 (", place(file, link.line), ")"));
      // The last line of every record is written twice, and the other record states the pair too: never added up.
      const auto [known, added] = weights.emplace(pair_key(record.id, link.other), link.value);
      if (!added && known->second != link.value)
        throw DataError(str("cisi: a weight must be the same wherever its pair stands, ", known->second,
                            " before, got ", link.value, " for ", record.id, " with ", link.other, " (",
                            place(file, link.line), ")"));
    }
  }
  return {smart_collection("cisi", records, weights, file)};
}

}  // namespace coterie::data
