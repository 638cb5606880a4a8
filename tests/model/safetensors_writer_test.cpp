// Written safetensors files read back bit for bit, and survive no damage unnoticed.
#include "model/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>

#include "base/sha256.h"
#include "model/safetensors.h"
#include "tests/harness/faulty_file_ops.h"
#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using test::same_bits;

// Every dtype that the format and torch share, with all bytes different, beside zero-sized and strided ones.
test::WeightMap all_kinds() {
  const at::Tensor bytes = at::arange(64, at::kByte);
  test::WeightMap out;
  for (const auto type :
       {at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kHalf, at::kBFloat16, at::kFloat, at::kDouble,
        at::kUInt16, at::kUInt32, at::kUInt64, at::kComplexFloat, at::kFloat8_e4m3fn, at::kFloat8_e5m2})
    out[str("of ", at::toString(type))] = bytes.view(type);
  out["bool"] = bytes.remainder(3).eq(0);
  out["single"] = at::scalar_tensor(7, at::kLong);
  out["empty"] = at::empty({0, 5}, at::kFloat);
  out["strided"] = at::arange(12, at::kFloat).reshape({3, 4}).t();
  out["nan"] = at::full({2}, std::numeric_limits<float>::quiet_NaN(), at::kFloat);
  out["a \"quoted\" näme\n"] = at::ones({1}, at::kFloat);
  return out;
}

TEST(SafetensorsWriter, what_is_written_reads_back_bit_for_bit) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  const test::WeightMap tensors = all_kinds();

  test::write_tensors(path, tensors);

  const SafetensorsFile file(path);
  ASSERT_EQ(file.names().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(same_bits(file.read(name), tensor)) << name;
}

TEST(SafetensorsWriter, data_begins_at_a_multiple_of_8_and_wide_elements_come_first) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";

  test::write_tensors(
      path, {{"a", at::zeros({3}, at::kByte)}, {"b", at::zeros({3}, at::kFloat)}, {"c", at::zeros({1}, at::kLong)}});

  const SafetensorsFile file(path);
  EXPECT_EQ(file.entry("c").begin, 0u);
  EXPECT_EQ(file.entry("b").begin, 8u);
  EXPECT_EQ(file.entry("a").begin, 20u);
  EXPECT_EQ((fs::file_size(path) - 23) % 8, 0u);
}

TEST(SafetensorsWriter, the_same_tensors_in_another_order_give_the_same_file) {
  const test::TemporaryFolder folder;
  const NamedTensor a = {"a", at::zeros({3}, at::kFloat)};
  const NamedTensor b = {"b", at::ones({3}, at::kFloat)};

  const auto first = write_safetensors(*real_file_ops(), folder.path() / "1", std::array{a, b});
  const auto second = write_safetensors(*real_file_ops(), folder.path() / "2", std::array{b, a});

  EXPECT_EQ(first.sha256, second.sha256);
}

TEST(SafetensorsWriter, hash_and_size_are_those_of_the_file) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  const NamedTensor tensor = {"a", at::arange(100, at::kFloat)};

  const WrittenFile written = write_safetensors(*real_file_ops(), path, std::span(&tensor, 1));

  EXPECT_EQ(written.sha256, sha256_of_file(path));
  EXPECT_EQ(written.bytes, fs::file_size(path));
}

TEST(SafetensorsWriter, metadata_is_kept_and_says_pt) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";

  write_safetensors(*real_file_ops(), path, {}, {{"step", "7"}});

  EXPECT_EQ(SafetensorsFile(path).metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"step", "7"}}));
}

TEST(SafetensorsWriter, reading_converts_on_request) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  test::write_tensors(path, {{"a", at::arange(5, at::kHalf)}});

  EXPECT_TRUE(same_bits(SafetensorsFile(path).read("a", at::kDouble), at::arange(5, at::kDouble)));
}

TEST(SafetensorsWriter, equal_names_and_undefined_tensors_are_bugs) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  const NamedTensor tensor = {"a", at::zeros({1}, at::kFloat)};

  EXPECT_THROW(write_safetensors(*real_file_ops(), path, std::array{tensor, tensor}), ShapeError);
  EXPECT_THROW(write_safetensors(*real_file_ops(), path, std::array{NamedTensor{"a", {}}}), ShapeError);
  EXPECT_THROW(write_safetensors(*real_file_ops(), path, std::array{NamedTensor{"\xff", tensor.tensor}}), ShapeError);
  EXPECT_FALSE(fs::exists(path));
}

TEST(SafetensorsWriter, a_failure_at_any_operation_leaves_nothing) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  const NamedTensor tensor = {"a", at::zeros({100}, at::kFloat)};
  test::FaultyFileOps counting(real_file_ops(), 0, test::Fault::error);
  write_safetensors(counting, folder.path() / "counted", std::span(&tensor, 1));
  ASSERT_EQ(counting.operations(), 5);  // create, length, header, tensor, sync

  for (int n = 1; n <= counting.operations(); ++n) {
    test::FaultyFileOps faulty(real_file_ops(), n, test::Fault::error);
    EXPECT_THROW(write_safetensors(faulty, path, std::span(&tensor, 1)), IoError) << n;
    EXPECT_FALSE(fs::exists(path)) << n;
  }
}

TEST(SafetensorsWriter, an_existing_file_is_left_as_it_was) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  test::write_text(path, "mine");

  EXPECT_THROW(test::write_tensors(path, {}), IoError);
  EXPECT_EQ(read_file(path), "mine");
}

class DamagedSafetensors : public testing::Test {
 protected:
  DamagedSafetensors() {
    test::write_tensors(folder_.path() / "good", all_kinds());
    content_ = read_file(folder_.path() / "good");
    std::memcpy(&header_bytes_, content_.data(), 8);
  }
  // Reads everything; true if the file is accepted.
  bool reads(const std::string& content) {
    const fs::path path = folder_.path() / "damaged";
    test::write_text(path, content);
    return data_error([&] {
             const SafetensorsFile file(path);
             for (const std::string& name : file.names()) static_cast<void>(file.read(name));
           })
        .empty();
  }

  test::TemporaryFolder folder_;
  std::string content_;
  std::uint64_t header_bytes_ = 0;
  std::mt19937_64 random_{1};
};

TEST_F(DamagedSafetensors, every_truncation_is_refused) {
  ASSERT_TRUE(reads(content_));
  for (int i = 0; i < 200; ++i) {
    const std::size_t length = random_() % content_.size();
    EXPECT_FALSE(reads(content_.substr(0, length))) << length;
  }
}

TEST_F(DamagedSafetensors, a_flipped_bit_is_refused_or_changes_a_value_but_never_crashes) {
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    std::string damaged = content_;
    damaged[random_() % (8 + header_bytes_)] ^= static_cast<char>(1 << (random_() % 8));
    if (!reads(damaged)) ++refused;
  }
  // Flips within a name or a metadata value give another legal header; they are the smaller part.
  EXPECT_GT(refused, 100);
}

TEST_F(DamagedSafetensors, every_bit_of_the_header_length_matters) {
  for (std::size_t bit = 0; bit < 64; ++bit) {
    std::string damaged = content_;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_FALSE(reads(damaged)) << bit;
  }
}

}  // namespace
}  // namespace coterie::model
