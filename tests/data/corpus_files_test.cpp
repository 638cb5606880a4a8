// Hand-made corpus files, each of which breaks one rule, and the error that each must give; and one that is very small.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/file_ops.h"
#include "data/hdf5.h"
#include "tests/data/corpus_fixture.h"

namespace coterie::data {
namespace {

// How a dataset is made where the writer would make it otherwise.
struct Making {
  hid_t type = H5T_STD_U64LE;
  bool checksum = true;
  bool gzip = false;
  bool chunked = true;
  hsize_t chunk_rows = 0;  // 0: one chunk holds all
};

// A good corpus file that is opened to be spoilt.
class Spoiler {
 public:
  explicit Spoiler(const std::filesystem::path& path) {
    const H5Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
    file_ = H5Handle(check_h5(H5Fopen(path.c_str(), H5F_ACC_RDWR, access.get()), "open"));
  }

  [[nodiscard]] hid_t file() const { return file_.get(); }

  void remove(const char* name) const { check_h5(H5Ldelete(file_.get(), name, H5P_DEFAULT), "remove"); }

  // Puts another array of 64-bit values in the place of one.
  void replace(const char* name, const std::vector<std::uint64_t>& values, const Making& making,
               std::vector<hsize_t> shape = {}) const {
    remove(name);
    if (shape.empty()) shape = {values.size()};
    const int dims = static_cast<int>(shape.size());
    const H5Handle space(H5Screate_simple(dims, shape.data(), nullptr));
    const H5Handle properties(H5Pcreate(H5P_DATASET_CREATE));
    std::vector<hsize_t> chunk = shape;
    if (making.chunk_rows != 0) chunk[0] = making.chunk_rows;
    if (making.chunked) check_h5(H5Pset_chunk(properties.get(), dims, chunk.data()), "chunk");
    if (making.gzip) check_h5(H5Pset_deflate(properties.get(), 9), "gzip");
    if (making.checksum) check_h5(H5Pset_fletcher32(properties.get()), "checksum");
    const H5Handle dataset(check_h5(
        H5Dcreate2(file_.get(), name, making.type, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), "create"));
    if (!values.empty())
      check_h5(H5Dwrite(dataset.get(), H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write");
  }

  // Overwrites one value of an array.
  void set(const char* name, hsize_t at, std::uint64_t value) const {
    const H5Handle dataset(check_h5(H5Dopen2(file_.get(), name, H5P_DEFAULT), "open"));
    const H5Handle space(H5Dget_space(dataset.get()));
    const hsize_t one = 1;
    const H5Handle memory(H5Screate_simple(1, &one, nullptr));
    if (H5Sget_simple_extent_ndims(space.get()) == 1) {
      H5Sselect_elements(space.get(), H5S_SELECT_SET, 1, &at);
    } else {
      const hsize_t cell[2] = {at / 3, at % 3};
      H5Sselect_elements(space.get(), H5S_SELECT_SET, 1, cell);
    }
    check_h5(H5Dwrite(dataset.get(), H5T_NATIVE_UINT64, memory.get(), space.get(), H5P_DEFAULT, &value), "write");
  }

  void set_number(const char* name, std::uint64_t value) const {
    const H5Handle attribute(check_h5(H5Aopen(file_.get(), name, H5P_DEFAULT), "open"));
    check_h5(H5Awrite(attribute.get(), H5T_NATIVE_UINT64, &value), "write");
  }

 private:
  H5Handle file_;
};

struct BadFile {
  const char* name;
  void (*spoil)(const Spoiler&);
  const char* place;    // attribute or dataset that the error names
  const char* message;  // what was found, and what was expected
};

void PrintTo(const BadFile& bad, std::ostream* out) { *out << bad.name; }

std::vector<std::uint64_t> counting(std::size_t size, std::uint64_t step) {
  std::vector<std::uint64_t> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = i * step;
  return values;
}

// 60 documents; 0, 1, 2 and 5 are in training.
const BadFile kBadFiles[] = {
    {"version", [](const Spoiler& s) { s.set_number("version", 2); }, "attribute version", "must be 1, got 2"},
    {"no_version", [](const Spoiler& s) { H5Adelete(s.file(), "version"); }, "attribute version", "is missing"},
    {"no_format", [](const Spoiler& s) { H5Adelete(s.file(), "format"); }, "attribute format", "is missing"},
    {"vocabulary", [](const Spoiler& s) { s.set_number("vocabulary", 0); }, "attribute vocabulary", "got 0"},
    {"wide_vocabulary", [](const Spoiler& s) { s.set_number("vocabulary", 100000); }, "/tokens/ids",
     "numbers of 32 bits, got other integers of 16 bits"},
    {"no_tokens", [](const Spoiler& s) { s.remove("/tokens/ids"); }, "/tokens/ids", "is missing"},
    {"no_group", [](const Spoiler& s) { s.remove("/graph"); }, "/graph/offsets", "is missing"},
    {"soft_link",
     [](const Spoiler& s) {
       s.remove("/graph/weights");
       H5Lcreate_soft("/graph/partners", s.file(), "/graph/weights", H5P_DEFAULT, H5P_DEFAULT);
     },
     "/graph/weights", "is a link elsewhere"},
    {"external_link",
     [](const Spoiler& s) {
       s.remove("/texts");
       H5Lcreate_external("other.h5", "/texts", s.file(), "/texts", H5P_DEFAULT, H5P_DEFAULT);
     },
     "/texts/offsets", "is a link elsewhere"},
    {"signed", [](const Spoiler& s) { s.replace("/tokens/offsets", counting(61, 2), {.type = H5T_STD_I64LE}); },
     "/tokens/offsets", "must hold unsigned"},
    {"float", [](const Spoiler& s) { s.replace("/tokens/offsets", counting(61, 2), {.type = H5T_IEEE_F64LE}); },
     "/tokens/offsets", "got another kind of 64 bits"},
    {"two_dimensions",
     [](const Spoiler& s) {
       s.replace("/tokens/offsets", counting(62, 2), {}, {31, 2});
     },
     "/tokens/offsets", "1 dimensions with 1 columns, got 2 with 2"},
    {"three_dimensions",
     [](const Spoiler& s) {
       s.replace("/tokens/offsets", counting(8, 2), {}, {2, 2, 2});
     },
     "/tokens/offsets", "1 or 2 dimensions, got 3"},
    {"two_columns",
     [](const Spoiler& s) {
       s.replace("/pairs/positives/train", {0, 1, 1, 2}, {.type = H5T_STD_U32LE}, {2, 2});
     },
     "/pairs/positives/train", "2 dimensions with 3 columns, got 2 with 2"},
    {"no_checksum", [](const Spoiler& s) { s.replace("/tokens/offsets", counting(61, 2), {.checksum = false}); },
     "/tokens/offsets", "must have the HDF5 filters 3 (1 gzip, 3 checksum), got none"},
    {"gzip", [](const Spoiler& s) { s.replace("/tokens/offsets", counting(61, 2), {.gzip = true}); }, "/tokens/offsets",
     "got 1, 3"},
    {"contiguous",
     [](const Spoiler& s) { s.replace("/tokens/offsets", counting(61, 2), {.checksum = false, .chunked = false}); },
     "/tokens/offsets", "must be stored in chunks"},
    {"huge_chunk",
     [](const Spoiler& s) {
       s.replace("/graph/partners", {}, {.type = H5T_STD_U32LE, .chunk_rows = 1 << 20}, {1 << 20});
     },
     "/graph/partners", "chunks of at most 524288 rows, got 1048576"},
    {"unwritten",
     [](const Spoiler& s) {
       s.replace("/graph/partners", {}, {.type = H5T_STD_U32LE, .chunk_rows = 1024}, {hsize_t{1} << 40});
     },
     "/graph/partners", "claims 1099511627776 rows, but only 0 bytes are stored"},
    {"unwritten_texts",
     [](const Spoiler& s) {
       s.replace("/texts/bytes", {}, {.type = H5T_STD_U8LE, .gzip = true, .chunk_rows = 1024}, {hsize_t{1} << 40});
     },
     "/texts/bytes", "claims 1099511627776 bytes"},
    // One number too few or too many, or a wrong one.
    {"few_domains", [](const Spoiler& s) { s.replace("/documents/domain", counting(59, 0), {.type = H5T_STD_U16LE}); },
     "/documents/domain", "60 numbers, one per document, got 59"},
    {"domain", [](const Spoiler& s) { s.set("/documents/domain", 7, 2); }, "/documents/domain", "below 2, got 2 at 7"},
    {"split", [](const Spoiler& s) { s.set("/documents/split", 4, 4); }, "/documents/split", "up to 3, got 4 at 4"},
    {"class_ahead", [](const Spoiler& s) { s.set("/documents/text_class", 4, 5); }, "/documents/text_class",
     "got 5 at 4"},
    {"id_offsets", [](const Spoiler& s) { s.set("/ids/offsets", 3, 1); }, "/ids/offsets", "ascending offsets"},
    {"id_twice", [](const Spoiler& s) { s.set("/ids/bytes", 6, '1'); }, "/ids/bytes", "got 'alpha:1' twice"},
    {"text_offsets", [](const Spoiler& s) { s.set("/texts/offsets", 60, 1); }, "/texts/offsets", "offsets from 0 to"},
    {"token_offsets", [](const Spoiler& s) { s.set("/tokens/offsets", 30, ~0ULL); }, "/tokens/offsets",
     "apart, got 586 and 18446744073709551615 at 29"},
    {"first_offset", [](const Spoiler& s) { s.set("/tokens/offsets", 0, 1); }, "/tokens/offsets", "got 1 to"},
    {"long_offsets", [](const Spoiler& s) { s.replace("/tokens/offsets", counting(62, 2), {}); }, "/tokens/offsets",
     "61 offsets, one more than documents, got 62"},
    {"partner", [](const Spoiler& s) { s.set("/graph/partners", 0, 60); }, "/graph/partners", "got 60 for document 0"},
    {"one_way", [](const Spoiler& s) { s.set("/graph/weights", 0, 77); }, "/graph/partners", "in both directions"},
    {"no_weight", [](const Spoiler& s) { s.set("/graph/weights", 0, 0); }, "/graph/weights", ">= 1, got 0 at 0"},
    {"graph_offsets", [](const Spoiler& s) { s.set("/graph/offsets", 60, 3); }, "/graph/offsets", "offsets from 0 to"},
    {"pair_range", [](const Spoiler& s) { s.set("/pairs/positives/train", 1, 60); }, "/pairs/positives/train",
     "a < b < 60"},
    {"pair_order", [](const Spoiler& s) { s.set("/pairs/positives/train", 0, 59); }, "/pairs/positives/train",
     "a < b < 60"},
    {"pair_split", [](const Spoiler& s) { s.set("/pairs/positives/train", 1, 3); }, "/pairs/positives/train",
     "got alpha:0 in train with alpha:3 in validation"},
    {"pair_weight", [](const Spoiler& s) { s.set("/pairs/positives/train", 2, 0); }, "/pairs/positives/train",
     ">= 1, got 0"},
    {"negative_weight", [](const Spoiler& s) { s.set("/pairs/negatives/test", 2, 1); }, "/pairs/negatives/test",
     "weights 0, got 1"},
};

class BadFiles : public testing::TestWithParam<BadFile> {};

TEST_P(BadFiles, are_refused_with_file_and_place) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "bad.h5";
  write_corpus(path, small_content());
  GetParam().spoil(Spoiler(path));

  try {
    const Corpus corpus(path);
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(str("'", path.string(), "': ", GetParam().place)));
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().message));
  }
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadFiles, testing::ValuesIn(kBadFiles),
                         [](const auto& instance) { return std::string(instance.param.name); });

// What is read on demand is checked on demand.
TEST(CorpusFile, refuses_an_id_beyond_the_vocabulary) {
  const TemporaryFolder folder;
  write_corpus(folder / "bad.h5", small_content());
  Spoiler(folder / "bad.h5").set("/tokens/ids", 0, 1000);
  const Corpus corpus(folder / "bad.h5");
  std::vector<std::int32_t> tokens;

  try {
    corpus.read_tokens(0, 100, tokens);
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("bad.h5': /tokens/ids must hold ids below the vocabulary (1000), got 1000"));
  }
}

TEST(CorpusFile, refuses_a_text_that_is_not_utf8) {
  const TemporaryFolder folder;
  write_corpus(folder / "bad.h5", small_content());
  Spoiler(folder / "bad.h5").set("/texts/bytes", 2, 0xff);
  const Corpus corpus(folder / "bad.h5");

  EXPECT_THROW(static_cast<void>(corpus.text(0)), DataError);
  EXPECT_EQ(corpus.text(1), small_content().texts[1]);
}

std::string error_of(const std::string& bytes) {
  const TemporaryFolder folder;
  std::ofstream(folder / "bad.h5", std::ios::binary) << bytes;
  try {
    const Corpus corpus(folder / "bad.h5");
    return "no error";
  } catch (const DataError& error) {
    return error.what();
  }
}

TEST(CorpusFile, tells_a_git_lfs_pointer_from_a_file) {
  EXPECT_THAT(error_of("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
              testing::HasSubstr("bad.h5' is a Git LFS pointer"));
}

TEST(CorpusFile, must_be_hdf5) {
  EXPECT_THAT(error_of(""), testing::HasSubstr("bad.h5' is not an HDF5 file"));
  EXPECT_THAT(error_of("<!DOCTYPE html>" + std::string(100, ' ')), testing::HasSubstr("is not an HDF5 file"));
}

// Layouts before superblock 2 carry no checksums over their metadata.
TEST(CorpusFile, must_have_the_layout_with_checksums) {
  const TemporaryFolder folder;
  { const H5Handle file(H5Fcreate((folder / "old.h5").c_str(), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT)); }

  EXPECT_THAT(error_of(read_file(folder / "old.h5")), testing::HasSubstr("found superblock 0"));
}

TEST(CorpusFile, says_how_much_of_a_truncated_file_is_there) {
  const TemporaryFolder folder;
  write_corpus(folder / "good.h5", small_content());
  const std::string bytes = read_file(folder / "good.h5");

  EXPECT_THAT(error_of(bytes.substr(0, 5000)),
              testing::HasSubstr(str("expected ", bytes.size(), " bytes from offset 0, found 5000")));
}

TEST(CorpusFile, must_be_there) { EXPECT_THROW(Corpus("no/such/corpus.h5"), IoError); }

// Nothing of HDF5 stays open, whether a file was accepted or refused.
TEST(CorpusFile, leaves_no_handle_open) {
  const TemporaryFolder folder;
  write_corpus(folder / "good.h5", small_content());
  {
    const Corpus corpus(folder / "good.h5");
    static_cast<void>(corpus.text(3));
  }
  Spoiler(folder / "good.h5").set("/graph/weights", 0, 0);
  EXPECT_THROW(Corpus(folder / "good.h5"), DataError);

  EXPECT_EQ(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), 0);
}

// Bytes that gzip makes more of.
TEST(CorpusFile, may_hold_one_letter) {
  const TemporaryFolder folder;
  CorpusContent content;
  content.domains = {"x"};
  content.ids = {"x:1"};
  content.texts = {"k"};
  content.domain = {0};
  content.split = {Split::train};
  content.tokens = {{2, 3}};
  content.vocabulary = 4;

  write_corpus(folder / "corpus.h5", content);

  EXPECT_EQ(Corpus(folder / "corpus.h5").text(0), "k");
}

}  // namespace
}  // namespace coterie::data
