// Every rule of the safetensors format has a file that breaks it.
#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using testing::AllOf;
using testing::HasSubstr;

std::string length_bytes(std::uint64_t length) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out;
}

std::string container(const std::string& header, std::size_t data_bytes) {
  return length_bytes(header.size()) + header + std::string(data_bytes, '\1');
}

std::string f32(const std::string& name, const std::string& shape, const std::string& offsets) {
  return str('"', name, R"(":{"dtype":"F32","shape":)", shape, R"(,"data_offsets":)", offsets, "}");
}

struct BadFile {
  std::string name;
  std::string content;
  std::string message;
};

void PrintTo(const BadFile& bad, std::ostream* out) { *out << bad.name; }

// The content of a file, one for each rule.
std::vector<BadFile> bad_files() {
  const std::string good = f32("a", "[2]", "[0,8]");
  const auto header = [](const std::string& inner) { return "{" + inner + "}"; };
  const auto entry = [&](const std::string& fields) { return container(header("\"a\":" + fields), 8); };
  const auto shape = [&](const std::string& value) { return container(header(f32("a", value, "[0,8]")), 8); };
  const auto offsets = [&](const std::string& value) { return container(header(f32("a", "[2]", value)), 8); };
  const auto metadata = [&](const std::string& value) {
    return container(header("\"__metadata__\":" + value + "," + good), 8);
  };
  std::string many_dims = "1";
  for (int i = 0; i < 64; ++i) many_dims += ",1";
  return {
      {"empty", "", "at least 8 bytes, got 0"},
      {"seven_bytes", "1234567", "at least 8 bytes, got 7"},
      {"git_lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git-LFS pointer"},
      {"web_page", "<!DOCTYPE html><html></html>", "a web page"},
      {"gzip", "\x1f\x8b\x08 and so on and on", "gzip data"},
      {"zip", "PK\x03\x04 and so on and on", "a zip archive, as torch.save writes"},
      {"json_alone", header(good) + std::string(8, '\0'), "JSON without the header's length"},
      {"header_above_the_limit", length_bytes(100'000'001) + "{}", "at most 100000000 bytes, got 100000001"},
      {"header_length_of_2_to_63", length_bytes(1ull << 63) + "{}", "at most 100000000 bytes, got 9223372036854775808"},
      {"header_longer_than_the_file", length_bytes(3) + "{}", "header needs 3 bytes, got 2"},
      {"no_header", length_bytes(0), "header must be a JSON object, got none"},
      {"not_utf8", container("{\"\xff\":1}", 0), "header is not UTF-8"},
      {"overlong_utf8", container("{\"\xc0\x80\":1}", 0), "header is not UTF-8"},
      {"utf8_surrogate", container("{\"\xed\xa0\x80\":1}", 0), "header is not UTF-8"},
      {"leading_space", container(" {}", 0), "must begin with '{', got ' '"},
      {"array", container("[]", 0), "must begin with '{', got '['"},
      {"text_after_header", container("{} x", 0), "header is not JSON"},
      {"newline_after_header", container("{}\n", 0), "only spaces may follow the header, got '\\x0a'"},
      {"unclosed", container("{\"a\":", 0), "header is not JSON"},
      {"comment", container("{/**/}", 0), "header is not JSON"},
      {"entry_is_number", entry("5"), "entry must be an object, got 5"},
      {"entry_is_list", entry("[]"), "entry must be an object, got a list"},
      {"entry_is_null", entry("null"), "entry must be an object, got null"},
      {"duplicate_tensor", container(header(good + "," + good), 8), "duplicate tensor"},
      {"no_dtype", entry(R"({"shape":[2],"data_offsets":[0,8]})"), "entry has no dtype"},
      {"no_shape", entry(R"({"dtype":"F32","data_offsets":[0,8]})"), "entry has no shape"},
      {"no_offsets", entry(R"({"dtype":"F32","shape":[2]})"), "entry has no data_offsets"},
      {"unknown_field", entry(R"({"dtype":"F32","x":1})"), "dtype, shape and data_offsets, got 'x'"},
      {"duplicate_field", entry(R"({"dtype":"F32","dtype":"F32"})"), "duplicate dtype"},
      {"dtype_is_number", entry(R"({"dtype":32})"), "dtype must be text, got 32"},
      {"unknown_dtype", entry(R"({"dtype":"F31"})"), "dtype must be one of BOOL, U8"},
      {"dtype_of_four_bits", entry(R"({"dtype":"F4"})"), "got 'F4'"},
      {"shape_is_number", shape("2"), "shape must be a list of integers, got 2"},
      {"shape_is_nested", shape("[[2]]"), "shape must be integers, got a list"},
      {"shape_is_object", shape("{}"), "shape must be a list of integers, got an object"},
      {"fractional_dim", shape("[2.0]"), "shape must be integers, got '2.0'"},
      {"negative_dim", shape("[-2]"), "shape must not be negative, got -2"},
      {"dim_of_2_to_63", shape("[9223372036854775808]"), "shape must be below 2^63, got 9223372036854775808"},
      {"dim_above_uint64", shape("[99999999999999999999]"), "shape must be integers, got '99999999999999999999'"},
      {"product_overflow", shape("[4294967296,4294967296]"), "overflows 2^63 bytes"},
      {"byte_overflow", shape("[4611686018427387904]"), "overflows 2^63 bytes"},
      {"overflow_beside_zero", shape("[0,4294967296,4294967296]"), "overflows 2^63 bytes"},
      {"too_many_dims", shape("[" + many_dims + "]"), "at most 64 dims, got more"},
      {"one_offset", offsets("[8]"), "data_offsets must be two numbers, got 1"},
      {"three_offsets", offsets("[0,8,8]"), "data_offsets must be two numbers, got more"},
      {"negative_offset", offsets("[-1,7]"), "data_offsets must not be negative, got -1"},
      {"text_offset", offsets("[\"0\",8]"), "data_offsets must be integers, got '0'"},
      {"backward_offsets", offsets("[8,0]"), "must not end before they begin, got [8, 0]"},
      {"size_mismatch", offsets("[0,4]"), "needs 8 bytes, data_offsets [0, 4] give 4"},
      {"hole_at_start", container(header(f32("a", "[2]", "[4,12]")), 12), "hole of 4 bytes"},
      {"hole_between", container(header(good + "," + f32("b", "[1]", "[12,16]")), 16), "hole of 4 bytes"},
      {"overlap", container(header(good + "," + f32("b", "[2]", "[4,12]")), 12), "overlap of 4 bytes with tensor 'a'"},
      {"same_place", container(header(good + "," + f32("b", "[2]", "[0,8]")), 8), "overlap of 8 bytes with tensor 'a'"},
      {"data_cut_short", container(header(good), 7), "file is cut short"},
      {"trailing_bytes", container(header(good), 9), "1 bytes after the last tensor"},
      {"trailing_bytes_without_tensors", container("{}", 1), "1 bytes after the last tensor"},
      {"metadata_is_text", metadata("\"x\""), "__metadata__ must be an object, got 'x'"},
      {"metadata_value_is_number", metadata("{\"k\":1}"), "must map text to text, key 'k' has 1"},
      {"metadata_value_is_object", metadata("{\"k\":{}}"), "must map text to text, key 'k' has an object"},
      {"duplicate_metadata", metadata("{},\"__metadata__\":{}"), "duplicate __metadata__"},
      {"duplicate_metadata_key", metadata(R"({"k":"1","k":"2"})"), "duplicate key 'k' in __metadata__"},
      {"text_above_the_limit", container("{\"" + std::string((8u << 20) + 1, 'x') + "\":1}", 0),
       "at most 8388608 bytes"},
      {"number_above_the_limit", container("{\"a\":" + std::string((8u << 20) + 1, '1'), 0), "at most 8388608 bytes"},
      {"deep_nesting", container("{\"a\":" + std::string(100'000, '['), 0), "entry must be an object, got a list"},
  };
}

class BadSafetensors : public testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensors, is_refused_with_file_and_byte) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "bad.safetensors";
  test::write_text(path, GetParam().content);

  const std::string message = data_error([&] { const SafetensorsFile file(path); });

  EXPECT_THAT(message, AllOf(HasSubstr(GetParam().message), HasSubstr(path.string()), HasSubstr("byte ")));
}

INSTANTIATE_TEST_SUITE_P(EachRule, BadSafetensors, testing::ValuesIn(bad_files()),
                         [](const auto& bad) { return bad.param.name; });

TEST(Safetensors, an_error_names_the_tensor_and_the_byte_in_the_file) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "bad.safetensors";
  const std::string header = R"({"a":{"dtype":"F31"}})";
  test::write_text(path, container(header, 0));

  const std::string message = data_error([&] { const SafetensorsFile file(path); });

  // Eight bytes of length, then the header up to the end of the wrong value.
  EXPECT_THAT(message, HasSubstr(str("tensor 'a', byte ", 8 + header.find("}}"))));
}

TEST(Safetensors, a_layout_error_names_the_byte_of_the_data) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "bad.safetensors";
  const std::string header = "{" + f32("a", "[2]", "[4,12]") + "}";
  test::write_text(path, container(header, 12));

  const std::string message = data_error([&] { const SafetensorsFile file(path); });

  EXPECT_THAT(message, HasSubstr(str("tensor 'a', byte ", 8 + header.size() + 4)));
}

TEST(Safetensors, a_fifo_is_refused_without_waiting) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);

  EXPECT_THAT(data_error([&] { const SafetensorsFile file(path); }), HasSubstr("must be a regular file"));
}

TEST(Safetensors, a_missing_file_is_an_io_error) {
  const test::TemporaryFolder folder;

  EXPECT_THROW(const SafetensorsFile file(folder.path() / "none"), IoError);
}

TEST(Safetensors, too_many_tensors_are_refused) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "many.safetensors";
  std::string header = "{";
  for (std::size_t i = 0; i <= kMaxTensors; ++i)
    header += str(i == 0 ? "" : ",", R"(")", i, R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  test::write_text(path, container(header + "}", 0));

  EXPECT_THAT(data_error([&] { const SafetensorsFile file(path); }), HasSubstr("at most 262144 tensors"));
}

TEST(Safetensors, zero_sized_and_single_numbers_are_legal) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  test::write_text(path, container("{" + f32("empty", "[3,0]", "[0,0]") + "," + f32("one", "[]", "[0,4]") + "}", 4));

  const SafetensorsFile file(path);

  EXPECT_EQ(file.read("empty").sizes(), (at::IntArrayRef{3, 0}));
  EXPECT_EQ(file.read("one").dim(), 0);
}

TEST(Safetensors, a_header_without_tensors_is_legal) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  test::write_text(path, container("{}  ", 0));

  EXPECT_TRUE(SafetensorsFile(path).names().empty());
}

TEST(Safetensors, a_bool_that_is_neither_0_nor_1_is_refused) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  test::write_text(path, container(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 0) + "\2");
  const SafetensorsFile file(path);

  EXPECT_THAT(data_error([&] { static_cast<void>(file.read("a")); }), HasSubstr("BOOL must be 0 or 1, got 2"));
}

TEST(Safetensors, a_file_that_shrinks_while_open_is_an_error) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  test::write_tensors(path, {{"a", at::zeros({100}, at::kFloat)}});
  const SafetensorsFile file(path);
  fs::resize_file(path, fs::file_size(path) - 1);

  EXPECT_THAT(data_error([&] { static_cast<void>(file.read("a")); }), HasSubstr("1 bytes are missing"));
}

TEST(Safetensors, an_absent_tensor_is_named) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  test::write_tensors(path, {{"a", at::zeros({1}, at::kFloat)}});
  const SafetensorsFile file(path);

  EXPECT_FALSE(file.contains("b"));
  EXPECT_THAT(data_error([&] { static_cast<void>(file.entry("b")); }), HasSubstr("no tensor 'b'"));
}

}  // namespace
}  // namespace coterie::model
