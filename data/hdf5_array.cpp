// Arrays of numbers in an HDF5 file: the checks before one is believed, and reading and writing its rows.
#include <algorithm>
#include <array>
#include <utility>

#include "data/hdf5.h"

namespace coterie::data {
namespace {

constexpr std::uint64_t kChunkRows = 65536;
// Four times the largest chunk the writer makes (64 Ki numbers of 8 bytes).
constexpr std::uint64_t kMaxChunkBytes = 2 << 20;
constexpr std::size_t kTokenCacheBytes = 64 << 20;
constexpr unsigned kGzipLevel = 4;
// Deflate cannot shrink anything further than this.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

template <class Number>
hid_t type_of() {
  if constexpr (sizeof(Number) == 1) return H5T_STD_U8LE;
  if constexpr (sizeof(Number) == 2) return H5T_STD_U16LE;
  if constexpr (sizeof(Number) == 4) return H5T_STD_U32LE;
  if constexpr (sizeof(Number) == 8) return H5T_STD_U64LE;
}

template <class Number>
hid_t memory_type_of() {
  if constexpr (sizeof(Number) == 1) return H5T_NATIVE_UINT8;
  if constexpr (sizeof(Number) == 2) return H5T_NATIVE_UINT16;
  if constexpr (sizeof(Number) == 4) return H5T_NATIVE_UINT32;
  if constexpr (sizeof(Number) == 8) return H5T_NATIVE_UINT64;
}

struct Extent {
  std::array<hsize_t, 2> size{0, 1};
  int dims = 1;
};

// A hard link only: soft and external links could lead out of the file.
void check_link(hid_t file, const std::string& name, const std::string& where) {
  for (std::size_t slash = name.find('/', 1);; slash = name.find('/', slash + 1)) {
    const std::string part = name.substr(0, slash);
    COTERIE_CHECK(DataError, H5Lexists(file, part.c_str(), H5P_DEFAULT) > 0, "corpus: ", where, " is missing");
    H5L_info_t info{};
    check_h5(H5Lget_info(file, part.c_str(), &info, H5P_DEFAULT), str("look up ", where));
    COTERIE_CHECK(DataError, info.type == H5L_TYPE_HARD, "corpus: ", where, " must lie in the file itself, but '", part,
                  "' is a link elsewhere");
    if (slash == std::string::npos) return;
  }
}

H5Handle open_dataset(hid_t file, const std::string& name, const std::string& where) {
  check_link(file, name, where);
  const H5Handle access(check_h5(H5Pcreate(H5P_DATASET_ACCESS), "make an access list"));
  // A chunk larger than the cache would be read again for every document in it.
  check_h5(H5Pset_chunk_cache(access.get(), 10007, kTokenCacheBytes, 1.0), "size the chunk cache");
  return H5Handle(check_h5(H5Dopen2(file, name.c_str(), access.get()), str("open ", where)));
}

Extent extent_of(hid_t dataset, const std::string& where) {
  const H5Handle space(check_h5(H5Dget_space(dataset), str("read the shape of ", where)));
  Extent extent;
  extent.dims = H5Sget_simple_extent_ndims(space.get());
  COTERIE_CHECK(DataError, H5Sget_simple_extent_type(space.get()) == H5S_SIMPLE && extent.dims >= 1 && extent.dims <= 2,
                "corpus: ", where, " must have 1 or 2 dimensions, got ", extent.dims);
  check_h5(H5Sget_simple_extent_dims(space.get(), extent.size.data(), nullptr), str("read the shape of ", where));
  return extent;
}

void check_filters(hid_t properties, H5Storage storage, const std::string& where) {
  std::vector<H5Z_filter_t> expected = {H5Z_FILTER_FLETCHER32};
  if (storage == H5Storage::compressed) expected.insert(expected.begin(), H5Z_FILTER_DEFLATE);
  std::vector<H5Z_filter_t> found;
  const int count = check_h5(H5Pget_nfilters(properties), str("read the filters of ", where));
  for (unsigned i = 0; i < static_cast<unsigned>(count); ++i) {
    unsigned flags = 0;
    std::size_t values = 0;
    unsigned config = 0;
    found.push_back(H5Pget_filter2(properties, i, &flags, &values, nullptr, 0, nullptr, &config));
  }
  const auto listed = [](const std::vector<H5Z_filter_t>& filters) {
    std::string text;
    for (const H5Z_filter_t filter : filters) text += str(text.empty() ? "" : ", ", filter);
    return text.empty() ? std::string("none") : text;
  };
  COTERIE_CHECK(DataError, found == expected, "corpus: ", where, " must have the HDF5 filters ", listed(expected),
                " (1 gzip, 3 checksum), got ", listed(found));
}

// Each stored chunk holds at least one byte per 1032 it unpacks to, and none is absent: then the size that the file
// claims is one it can really fill, and no chunk unpacks to much more than its own size.
void check_compressed_chunks(hid_t dataset, std::uint64_t rows, std::uint64_t chunk_bytes, const std::string& where) {
  const std::uint64_t limit = kMaxDeflateRatio * H5Dget_storage_size(dataset);
  COTERIE_CHECK(DataError, rows <= limit, "corpus: ", where, " claims ", rows,
                " bytes, but what is stored unpacks to at most ", limit);
  // A few bytes may grow in gzip, by what HDF5 leaves room for; four are the checksum's.
  const std::uint64_t most_stored = chunk_bytes + chunk_bytes / 1000 + 1 + 12 + 4;
  for (std::uint64_t first = 0; first < rows; first += chunk_bytes) {
    unsigned mask = 0;
    haddr_t address = 0;
    hsize_t stored = 0;
    const hsize_t offset = first;
    check_h5(H5Dget_chunk_info_by_coord(dataset, &offset, &mask, &address, &stored), str("look up a chunk of ", where));
    COTERIE_CHECK(DataError, stored > 0 && stored <= most_stored, "corpus: ", where, " stores the chunk at row ", first,
                  " in ", stored, " bytes, expected 1 to ", most_stored);
  }
}

}  // namespace

template <class Number>
H5Array<Number>::H5Array(hid_t file, std::string file_where, std::string name, std::uint64_t columns, H5Storage storage)
    : file_where_(std::move(file_where)), name_(std::move(name)), columns_(columns) {
  const std::string place = where();
  dataset_ = open_dataset(file, name_, place);
  const H5Handle type(check_h5(H5Dget_type(dataset_.get()), str("read the type of ", place)));
  COTERIE_CHECK(DataError, H5Tequal(type.get(), type_of<Number>()) > 0, "corpus: ", place,
                " must hold unsigned little-endian numbers of ", 8 * sizeof(Number), " bits, got ",
                H5Tget_class(type.get()) == H5T_INTEGER ? "other integers of " : "another kind of ",
                8 * H5Tget_size(type.get()), " bits");
  const Extent extent = extent_of(dataset_.get(), place);
  COTERIE_CHECK(DataError, extent.dims == (columns_ == 1 ? 1 : 2) && extent.size[1] == columns_, "corpus: ", place,
                " must have ", columns_ == 1 ? 1 : 2, " dimensions with ", columns_, " columns, got ", extent.dims,
                " with ", extent.size[1]);
  rows_ = extent.size[0];

  const H5Handle properties(check_h5(H5Dget_create_plist(dataset_.get()), str("read the layout of ", place)));
  COTERIE_CHECK(DataError, H5Pget_layout(properties.get()) == H5D_CHUNKED, "corpus: ", place,
                " must be stored in chunks");
  std::array<hsize_t, 2> chunk{1, 1};
  check_h5(H5Pget_chunk(properties.get(), extent.dims, chunk.data()), str("read the chunk size of ", place));
  const std::uint64_t most_rows = kMaxChunkBytes / sizeof(Number) / columns_;
  COTERIE_CHECK(DataError, chunk[0] <= most_rows && chunk[1] <= columns_, "corpus: ", place,
                " must have chunks of at most ", most_rows, " rows, got ", chunk[0]);
  check_filters(properties.get(), storage, place);
  if (storage == H5Storage::compressed) {
    check_compressed_chunks(dataset_.get(), rows_, chunk[0] * sizeof(Number), place);
    return;
  }
  const std::uint64_t stored = H5Dget_storage_size(dataset_.get());
  COTERIE_CHECK(DataError, rows_ <= stored / sizeof(Number) / columns_, "corpus: ", place, " claims ", rows_,
                " rows, but only ", stored, " bytes are stored");
}

template <class Number>
std::string H5Array<Number>::where() const {
  return str("'", file_where_, "': ", name_);
}

template <class Number>
std::vector<Number> H5Array<Number>::read() const {
  std::vector<Number> values(rows_ * columns_);
  read(0, rows_, values);
  return values;
}

template <class Number>
void H5Array<Number>::read(std::uint64_t first, std::uint64_t count, std::span<Number> out) const {
  COTERIE_CHECK(ShapeError, first + count <= rows_ && out.size() == count * columns_, "hdf5: rows ", first, " to ",
                first + count, " of ", rows_, " do not fit into ", out.size(), " numbers");
  if (count == 0) return;
  silence_h5();
  const std::array<hsize_t, 2> start{first, 0};
  const std::array<hsize_t, 2> size{count, columns_};
  const int dims = columns_ == 1 ? 1 : 2;
  const H5Handle file_space(check_h5(H5Dget_space(dataset_.get()), "read a shape"));
  check_h5(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr),
           "select rows");
  const H5Handle memory_space(check_h5(H5Screate_simple(dims, size.data(), nullptr), "make a shape"));
  check_h5(
      H5Dread(dataset_.get(), memory_type_of<Number>(), memory_space.get(), file_space.get(), H5P_DEFAULT, out.data()),
      str("read rows ", first, " to ", first + count, " of ", where()));
}

template <class Number>
void H5Writer::array(const std::string& name, std::span<const Number> values, std::uint64_t columns,
                     H5Storage storage) {
  COTERIE_CHECK(ShapeError, values.size() % columns == 0, "hdf5: ", values.size(), " numbers do not fill ", columns,
                " columns of ", name);
  const int dims = columns == 1 ? 1 : 2;
  const std::array<hsize_t, 2> size{values.size() / columns, columns};
  // A chunk may not be larger than the array can ever be, and not empty.
  const std::array<hsize_t, 2> most{std::max<hsize_t>(size[0], 1), columns};
  const std::array<hsize_t, 2> chunk{std::min<hsize_t>(most[0], kChunkRows / columns), columns};
  const H5Handle space(check_h5<IoError>(H5Screate_simple(dims, size.data(), most.data()), doing("shape", name)));
  const H5Handle properties(check_h5<IoError>(H5Pcreate(H5P_DATASET_CREATE), doing("lay out", name)));
  check_h5<IoError>(H5Pset_chunk(properties.get(), dims, chunk.data()), doing("cut", name));
  if (storage == H5Storage::compressed)
    check_h5<IoError>(H5Pset_deflate(properties.get(), kGzipLevel), doing("compress", name));
  check_h5<IoError>(H5Pset_fletcher32(properties.get()), doing("checksum", name));
  // The same content gives the same bytes, whenever it is written.
  check_h5<IoError>(H5Pset_obj_track_times(properties.get(), false), doing("leave the time out of", name));
  const H5Handle dataset(check_h5<IoError>(
      H5Dcreate2(file_.get(), name.c_str(), type_of<Number>(), space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT),
      doing("create", name)));
  if (values.empty()) return;
  check_h5<IoError>(H5Dwrite(dataset.get(), memory_type_of<Number>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
                    doing("write", name));
}

template class H5Array<std::uint8_t>;
template class H5Array<std::uint16_t>;
template class H5Array<std::uint32_t>;
template class H5Array<std::uint64_t>;
template void H5Writer::array(const std::string&, std::span<const std::uint8_t>, std::uint64_t, H5Storage);
template void H5Writer::array(const std::string&, std::span<const std::uint16_t>, std::uint64_t, H5Storage);
template void H5Writer::array(const std::string&, std::span<const std::uint32_t>, std::uint64_t, H5Storage);
template void H5Writer::array(const std::string&, std::span<const std::uint64_t>, std::uint64_t, H5Storage);

}  // namespace coterie::data
