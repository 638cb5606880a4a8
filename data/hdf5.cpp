// HDF5 files: opening and creating them, attributes, and the library's own reasons.
#include "data/hdf5.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <utility>

namespace coterie::data {
namespace {

constexpr std::size_t kMaxTextAttribute = 4096;
constexpr std::size_t kMemoryStep = 1 << 20;
constexpr std::size_t kSuperblockBytes = 44;  // of superblock 2 or 3, before its checksum

void prepare_library() {
  silence_h5();
  // Plugins would let a file load code.
  check_h5(H5PLset_loading_state(0), "disable filter plugins");
  // The loader's thread reads while evaluation does.
  hbool_t safe = 0;
  check_h5(H5is_library_threadsafe(&safe), "ask whether the library is thread-safe");
  COTERIE_CHECK(IoError, safe, "hdf5: the library must be built thread-safe, got one that is not");
}

std::uint64_t little_endian(std::span<const unsigned char, 8> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = (value << 8) | bytes[i];
  return value;
}

// Refuses what is no HDF5 file, or one in an older layout, before the library parses anything: layouts before
// superblock 2 have no checksum over their metadata, and most of libhdf5's known crashes need them.
void check_superblock(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  COTERIE_CHECK(IoError, in, "hdf5: cannot open '", path.string(), "': ", errno_text(errno));
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  COTERIE_CHECK(IoError, !error, "hdf5: cannot open '", path.string(), "': ", error.message());
  std::array<unsigned char, 48> head{};
  in.read(reinterpret_cast<char*>(head.data()), head.size());
  const std::string_view text(reinterpret_cast<const char*>(head.data()), static_cast<std::size_t>(in.gcount()));
  COTERIE_CHECK(DataError, !text.starts_with("version https://git-lfs"), "hdf5: '", path.string(),
                "' is a Git LFS pointer, not the file itself: run 'git lfs pull'");
  COTERIE_CHECK(DataError, text.size() == head.size() && text.starts_with("\x89HDF\r\n\x1a\n"), "hdf5: '",
                path.string(), "' is not an HDF5 file: expected the signature \\x89HDF at offset 0, found ", size,
                " bytes without it");
  COTERIE_CHECK(DataError, (head[8] == 2 || head[8] == 3) && head[9] == 8 && head[10] == 8, "hdf5: '", path.string(),
                "' has an unsupported layout: expected superblock 2 or 3 with 8-byte offsets, found superblock ",
                int{head[8]}, " with ", int{head[9]}, "-byte offsets");
  const std::uint64_t base = little_endian(std::span(head).subspan<12, 8>());
  const std::uint64_t end = little_endian(std::span(head).subspan<28, 8>());
  COTERIE_CHECK(DataError, base == 0 && end == size, "hdf5: '", path.string(), "' is truncated or damaged: expected ",
                end, " bytes from offset ", base, ", found ", size);
}

// Properties of something to be made, without the time: the same content gives the same bytes.
H5Handle timeless_properties(hid_t kind) {
  H5Handle properties(check_h5<IoError>(H5Pcreate(kind), "make a creation list"));
  check_h5<IoError>(H5Pset_obj_track_times(properties.get(), false), "leave out the time");
  return properties;
}

H5Handle file_access() {
  H5Handle access(check_h5(H5Pcreate(H5P_FILE_ACCESS), "make an access list"));
  // Nobody writes a corpus in place (it appears by a rename), so locks protect nothing, and NFS or Lustre may lack
  // them.
  check_h5(H5Pset_file_locking(access.get(), false, true), "disable file locks");
  check_h5(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110), "choose the file layout");
  return access;
}

H5Handle open_file(const std::filesystem::path& path) {
  check_superblock(path);
  prepare_library();
  const H5Handle access = file_access();
  return H5Handle(check_h5(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), str("open '", path.string(), "'")));
}

// In memory: libhdf5 1.10 crashes in its clean-up when the disk is full.
H5Handle create_file(const std::filesystem::path& path) {
  prepare_library();
  const H5Handle access = file_access();
  check_h5(H5Pset_fapl_core(access.get(), kMemoryStep, false), "choose memory for a new file");
  const H5Handle timeless = timeless_properties(H5P_FILE_CREATE);
  return H5Handle(check_h5<IoError>(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, timeless.get(), access.get()),
                                    str("create '", path.string(), "'")));
}

// The checksum of HDF5's metadata: Jenkins 2006, lookup3, here for the 44 bytes of a superblock before its checksum.
std::uint32_t superblock_checksum(std::span<const std::byte, kSuperblockBytes> block) {
  std::array<std::uint32_t, kSuperblockBytes / 4> words{};
  std::memcpy(words.data(), block.data(), block.size());
  constexpr std::uint32_t kStart = 0xdeadbeef + kSuperblockBytes;
  std::uint32_t a = kStart, b = kStart, c = kStart;
  std::size_t i = 0;
  for (; i + 3 < words.size(); i += 3) {
    a += words[i];
    b += words[i + 1];
    c += words[i + 2];
    a = (a - c) ^ std::rotl(c, 4), c += b;
    b = (b - a) ^ std::rotl(a, 6), a += c;
    c = (c - b) ^ std::rotl(b, 8), b += a;
    a = (a - c) ^ std::rotl(c, 16), c += b;
    b = (b - a) ^ std::rotl(a, 19), a += c;
    c = (c - b) ^ std::rotl(b, 4), b += a;
  }
  a += words[i];
  b += words[i + 1];
  c = (c ^ b) - std::rotl(b, 14);
  a = (a ^ c) - std::rotl(c, 11);
  b = (b ^ a) - std::rotl(a, 25);
  c = (c ^ b) - std::rotl(b, 16);
  a = (a ^ c) - std::rotl(c, 4);
  b = (b ^ a) - std::rotl(a, 14);
  return (c ^ b) - std::rotl(b, 24);
}

H5Handle open_attribute(hid_t file, const std::string& name, const std::string& where) {
  COTERIE_CHECK(DataError, H5Aexists(file, name.c_str()) > 0, "corpus: ", where, " is missing");
  H5Handle attribute(check_h5(H5Aopen(file, name.c_str(), H5P_DEFAULT), str("open ", where)));
  const H5Handle space(check_h5(H5Aget_space(attribute.get()), str("read the shape of ", where)));
  COTERIE_CHECK(DataError, H5Sget_simple_extent_type(space.get()) == H5S_SCALAR, "corpus: ", where,
                " must be a single value");
  return attribute;
}

herr_t keep_innermost(unsigned depth, const H5E_error2_t* error, void* out) {
  if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
  return 0;
}

}  // namespace

void silence_h5() { check_h5(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "silence the library"); }

std::string h5_reason() {
  std::string reason = "no reason given";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &reason);
  if (reason.find("lock file") != std::string::npos)
    reason += "; the file system refuses locks, or another program holds one: start with HDF5_USE_FILE_LOCKING=FALSE";
  return reason;
}

H5Reader::H5Reader(std::filesystem::path path) : path_(std::move(path)), file_(open_file(path_)) {}

std::string H5Reader::where(const std::string& name) const { return str("'", path_.string(), "': ", name); }

bool H5Reader::has(const std::string& name) const {
  return check_h5(H5Lexists(file_.get(), name.c_str(), H5P_DEFAULT), str("look for ", where(name))) > 0;
}

std::string H5Reader::text(const std::string& name) const {
  const std::string place = where(str("attribute ", name));
  const H5Handle attribute = open_attribute(file_.get(), name, place);
  const H5Handle type(check_h5(H5Aget_type(attribute.get()), str("read the type of ", place)));
  const std::size_t size = H5Tget_size(type.get());
  const bool fixed = H5Tget_class(type.get()) == H5T_STRING && H5Tis_variable_str(type.get()) == 0;
  COTERIE_CHECK(DataError, fixed && size >= 1 && size <= kMaxTextAttribute, "corpus: ", place,
                " must be a text of 1 to ", kMaxTextAttribute, " bytes, got ", size, " bytes of another kind or size");
  std::string value(size, '\0');
  check_h5(H5Aread(attribute.get(), type.get(), value.data()), str("read ", place));
  value.resize(std::min(value.find('\0'), value.size()));
  return value;
}

std::uint64_t H5Reader::number(const std::string& name) const {
  const std::string place = where(str("attribute ", name));
  const H5Handle attribute = open_attribute(file_.get(), name, place);
  const H5Handle type(check_h5(H5Aget_type(attribute.get()), str("read the type of ", place)));
  COTERIE_CHECK(DataError, H5Tequal(type.get(), H5T_STD_U64LE) > 0, "corpus: ", place,
                " must be an unsigned 64-bit number");
  std::uint64_t value = 0;
  check_h5(H5Aread(attribute.get(), H5T_NATIVE_UINT64, &value), str("read ", place));
  return value;
}

H5Writer::H5Writer(std::filesystem::path path) : path_(std::move(path)), file_(create_file(path_)) {}

std::string H5Writer::doing(const char* verb, const std::string& name) const {
  return str(verb, " ", name, " in '", path_.string(), "'");
}

void H5Writer::text(const std::string& name, const std::string& value) {
  COTERIE_CHECK(DataError, value.size() < kMaxTextAttribute && value.find('\0') == std::string::npos,
                "hdf5: attribute ", name, " must be a text below ", kMaxTextAttribute, " bytes, got ", value.size());
  const H5Handle type(check_h5<IoError>(H5Tcopy(H5T_C_S1), doing("make the type of", name)));
  check_h5<IoError>(H5Tset_size(type.get(), value.size() + 1), doing("size", name));
  check_h5<IoError>(H5Tset_cset(type.get(), H5T_CSET_UTF8), doing("type", name));
  const H5Handle space(check_h5<IoError>(H5Screate(H5S_SCALAR), doing("shape", name)));
  const H5Handle attribute(check_h5<IoError>(
      H5Acreate2(file_.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), doing("create", name)));
  check_h5<IoError>(H5Awrite(attribute.get(), type.get(), value.c_str()), doing("write", name));
}

void H5Writer::number(const std::string& name, std::uint64_t value) {
  const H5Handle space(check_h5<IoError>(H5Screate(H5S_SCALAR), doing("shape", name)));
  const H5Handle attribute(
      check_h5<IoError>(H5Acreate2(file_.get(), name.c_str(), H5T_STD_U64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                        doing("create", name)));
  check_h5<IoError>(H5Awrite(attribute.get(), H5T_NATIVE_UINT64, &value), doing("write", name));
}

void H5Writer::group(const std::string& name) {
  const H5Handle timeless = timeless_properties(H5P_GROUP_CREATE);
  const H5Handle made(check_h5<IoError>(H5Gcreate2(file_.get(), name.c_str(), H5P_DEFAULT, timeless.get(), H5P_DEFAULT),
                                        doing("create", name)));
}

std::vector<std::byte> H5Writer::finish() {
  check_h5<IoError>(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), doing("finish", "everything"));
  const ssize_t size = check_h5<IoError>(H5Fget_file_image(file_.get(), nullptr, 0), doing("measure", "everything"));
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  check_h5<IoError>(H5Fget_file_image(file_.get(), bytes.data(), bytes.size()), doing("copy", "everything"));
  file_ = H5Handle();
  // libhdf5 1.10 clears the flag "open for writing" in the image, but leaves the checksum that the flag was part of.
  const std::uint32_t checksum = superblock_checksum(std::span(bytes).first<kSuperblockBytes>());
  std::memcpy(bytes.data() + kSuperblockBytes, &checksum, sizeof checksum);
  return bytes;
}

}  // namespace coterie::data
