// The SMART format of the classic test collections: records of fields, each begun by a marker line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/collection.h"
#include "data/import_graph.h"

namespace coterie::data {

/// One line of a record's `.X` field: `other TAB value TAB own`.
struct SmartLink {
  std::uint32_t other = 0;
  std::uint32_t value = 0;
  std::int64_t line = 0;
};

/// One record, as far as the importers need it.
struct SmartRecord {
  std::uint32_t id = 0;
  std::string title;             ///< UTF-8; the lines of the field, trimmed, one blank between
  std::string abstract;          ///< the same for `.W`
  std::vector<SmartLink> links;  ///< the lines of `.X`
};

/// Reads a SMART file. Its bytes are taken as Latin-1.
///
/// A marker is a full stop, one of `fields` (or `I` with the record's number) and nothing but blanks; any other line is
/// content of the field it stands in, whatever it begins with.
///
/// @param fields  the letters of the collection's field markers
/// @throws IoError; DataError with file and line: content outside a field, a number that is none or stands twice, an
///         `.X` line that is not three numbers of which the first is a record and the last the line's own
[[nodiscard]] std::vector<SmartRecord> read_smart(const std::filesystem::path& path, std::string_view fields);

/// A collection of the records that have an abstract, in the order of the file, named by their numbers.
///
/// @param weights  co-citation weight of each pair of record numbers, by `pair_key`; pairs of which a record has no
///                 abstract are dropped and counted
/// @param path     the file, for messages
/// @throws DataError if no record has an abstract
[[nodiscard]] Collection smart_collection(std::string domain, const std::vector<SmartRecord>& records,
                                          const std::map<std::uint64_t, std::uint32_t>& weights,
                                          const std::filesystem::path& path);

}  // namespace coterie::data
