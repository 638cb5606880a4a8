// .npy files: the exact bytes that NumPy writes, the way back, and one bad file for each rule.
#include "base/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "base/error.h"

namespace coterie {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Shape = std::vector<std::int64_t>;
using Values = std::vector<float>;

// Magic, version 1.0 and the length of a header of 118 bytes: 128 with this prefix.
const std::string kPrefix("\x93NUMPY\x01\x00\x76\x00", 10);

class Npy : public testing::Test {
 protected:
  Npy() : folder_(fs::temp_directory_path() / str("coterie-npy-", ::getpid())) { fs::create_directory(folder_); }
  ~Npy() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path path() const { return folder_ / "a.npy"; }

  void write(const Values& values, const Shape& shape) { write_npy(*real_file_ops(), path(), values, shape); }

  NpyArray read_bytes(const std::string& content) {
    std::ofstream(path(), std::ios::binary) << content;
    return read_npy(path());
  }

  /// A file with this header, its length filled in.
  NpyArray read_header(const std::string& header, const std::string& values = "") {
    std::string content = kPrefix + header + values;
    content[8] = static_cast<char>(header.size() & 0xFF);
    content[9] = static_cast<char>(header.size() >> 8);
    return read_bytes(content);
  }

  template <class Read>
  std::string message_of(Read read) {
    try {
      static_cast<void>(read());
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }

  std::string header_error(const std::string& header, const std::string& values = "") {
    return message_of([&] { return read_header(header, values); });
  }

  fs::path folder_;
};

// Compared once with what numpy.save of NumPy 2.4 writes, for shapes (2, 3), (6,) and ().
TEST_F(Npy, the_bytes_are_those_of_numpy) {
  const Values values = {1, 2, 3, 4, 5, -0.5f};

  write(values, {2, 3});

  std::string expected = kPrefix + "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  expected.resize(127, ' ');
  expected += '\n';
  expected.append(reinterpret_cast<const char*>(values.data()), 24);
  EXPECT_EQ(read_file(path()), expected);
}

TEST_F(Npy, a_tuple_of_one_ends_with_a_comma) {
  write({1, 2, 3}, {3});

  EXPECT_THAT(read_file(path()), HasSubstr("'shape': (3,), }"));
}

TEST_F(Npy, what_is_written_is_read) {
  const Values special = {
      0.1f,          -0.0f, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::infinity(),
      std::nanf(""), 1e30f};

  write(special, {3, 1, 2});
  const NpyArray array = read_npy(path());

  EXPECT_THAT(array.shape, ElementsAre(3, 1, 2));
  ASSERT_EQ(array.values.size(), special.size());
  EXPECT_EQ(std::memcmp(array.values.data(), special.data(), special.size() * sizeof(float)), 0);
}

TEST_F(Npy, empty_arrays_and_single_values_are_legal) {
  write({}, {0, 384});
  const NpyArray empty = read_npy(path());
  write({7}, {});
  const NpyArray single = read_npy(path());

  EXPECT_THAT(empty.shape, ElementsAre(0, 384));
  EXPECT_THAT(empty.values, IsEmpty());
  EXPECT_THAT(single.shape, IsEmpty());
  EXPECT_THAT(single.values, ElementsAre(7));
}

TEST_F(Npy, values_start_at_a_multiple_of_64_bytes_for_every_header_length) {
  Shape shape;
  for (int extents = 0; extents < 40; ++extents) {
    write({1}, shape);
    EXPECT_EQ((fs::file_size(path()) - sizeof(float)) % 64, 0u) << extents << " extents";
    EXPECT_EQ(read_npy(path()).shape, shape);
    shape.push_back(1);
  }
}

TEST_F(Npy, a_shape_that_does_not_fit_the_values_is_a_bug_and_writes_nothing) {
  EXPECT_THROW(write({1, 2, 3}, {2, 2}), ShapeError);
  EXPECT_THROW(write({1, 2, 3}, {-3}), ShapeError);

  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Npy, keys_in_another_order_and_spacing_are_read) {
  const std::string one_and_two("\0\0\x80?\0\0\0@", 8);

  const NpyArray array = read_header("{\"shape\" :( 1 , 2 ),'fortran_order':False , 'descr': \"<f4\"}\n", one_and_two);

  EXPECT_THAT(array.shape, ElementsAre(1, 2));
  EXPECT_THAT(array.values, ElementsAre(1, 2));
}

TEST_F(Npy, another_file_is_refused) {
  for (const std::string& content : {std::string(), std::string("\x93NUM"), std::string("PK\x03\x04 a zip archive")})
    EXPECT_THAT(message_of([&] { return read_bytes(content); }), AllOf(HasSubstr("\\x93NUMPY"), HasSubstr("offset 0")));
}

TEST_F(Npy, another_version_is_refused) {
  std::string content = kPrefix + std::string(118, ' ');
  content[6] = 2;

  EXPECT_THAT(message_of([&] { return read_bytes(content); }), HasSubstr("must be 1.0, got 2.0"));
}

TEST_F(Npy, a_file_that_ends_in_its_prefix_or_header_is_refused) {
  write({1, 2}, {2});
  const std::string whole = read_file(path());
  for (const std::size_t size : {std::size_t{6}, std::size_t{9}, std::size_t{10}, std::size_t{127}})
    EXPECT_THAT(message_of([&] { return read_bytes(whole.substr(0, size)); }), HasSubstr(path().string())) << size;
}

TEST_F(Npy, values_missing_or_too_many_are_refused) {
  write({1, 2}, {2});
  const std::string whole = read_file(path());

  EXPECT_THAT(message_of([&] { return read_bytes(whole.substr(0, whole.size() - 1)); }),
              HasSubstr("takes 8 bytes, the file has 7"));
  EXPECT_THAT(message_of([&] { return read_bytes(whole + "x"); }), HasSubstr("takes 8 bytes, the file has 9"));
}

TEST_F(Npy, a_shape_whose_product_overflows_is_refused_without_memory) {
  EXPECT_THAT(header_error("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n"),
              HasSubstr("the file has 0"));
  EXPECT_THAT(header_error("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }\n"),
              HasSubstr("an extent"));
}

TEST_F(Npy, another_type_or_order_is_refused_with_its_offset) {
  EXPECT_THAT(header_error("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }\n"),
              AllOf(HasSubstr("fp32"), HasSubstr("offset 20")));
  EXPECT_THAT(header_error("{'descr': '<f4', 'fortran_order': True, 'shape': (0,), }\n"),
              AllOf(HasSubstr("'False', got 'True"), HasSubstr("offset 44")));
}

TEST_F(Npy, a_malformed_header_is_refused) {
  for (const char* header :
       {"", "\n", "{", "{}", "{'descr': '<f4'}", "{'descr: '<f4'}", "{'descr': }",
        "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), 'x': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [0]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,)"})
    EXPECT_THAT(header_error(header), HasSubstr("npy: the header must have")) << header;
}

TEST_F(Npy, one_wrong_byte_in_the_header_is_an_error_or_harmless) {
  write({1, 2}, {2});
  const std::string whole = read_file(path());

  for (std::size_t at = 0; at < 128; ++at) {
    for (const char byte : {'\0', ' ', '(', '9', '\'', '\xFF'}) {
      std::string changed = whole;
      changed[at] = byte;
      try {
        EXPECT_THAT(read_bytes(changed).values, ElementsAre(1, 2));
      } catch (const DataError& error) {
        EXPECT_THAT(error.what(), HasSubstr(path().string()));
      }
    }
  }
}

TEST_F(Npy, a_missing_file_is_an_io_error) { EXPECT_THROW(static_cast<void>(read_npy(folder_ / "none.npy")), IoError); }

}  // namespace
}  // namespace coterie
