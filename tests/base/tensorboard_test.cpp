// Event files, read back record by record. The package tensorboard 2.21 read such a pair of files once: all
// scalars, those of the first file only up to where the second starts.
#include "base/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"

namespace coterie {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

template <class Number>
Number number_at(const std::string& bytes, std::size_t at) {
  Number number{};
  std::memcpy(&number, bytes.data() + at, sizeof(Number));
  return number;
}

// From the definition, bit by bit: shares nothing with the table under test.
std::uint32_t slow_crc32c(const std::string& bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
  }
  return ~crc;
}

std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

// The records of a file, both checksums verified.
std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  for (std::size_t at = 0; at < file.size();) {
    const auto length = number_at<std::uint64_t>(file, at);
    EXPECT_EQ(number_at<std::uint32_t>(file, at + 8), masked(slow_crc32c(file.substr(at, 8))));
    if (length > file.size() - at - 16) {
      ADD_FAILURE() << "record of " << length << " bytes at " << at;
      break;
    }
    records.push_back(file.substr(at + 12, length));
    EXPECT_EQ(number_at<std::uint32_t>(file, at + 12 + length), masked(slow_crc32c(records.back())));
    at += length + 16;
  }
  return records;
}

class TensorBoard : public testing::Test {
 protected:
  TensorBoard() : folder_(fs::temp_directory_path() / str("coterie-events-", ::getpid())) {
    fs::create_directory(folder_);
  }
  ~TensorBoard() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string content(const std::string& number) const {
    return read_file(folder_ / ("events.out.tfevents." + number));
  }

  std::shared_ptr<FileOps> ops_ = real_file_ops();
  fs::path folder_;
};

// Wall time 1.0 in an Event: field 1, 64 bits, little-endian.
const std::string kWallTimeOne("\x09\x00\x00\x00\x00\x00\x00\xF0\x3F", 9);

TEST(Crc32c, gives_the_check_values_of_its_standard) {
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST_F(TensorBoard, the_first_record_is_the_file_version_the_second_the_start) {
  const TensorBoardWriter writer(*ops_, folder_, 300, 1.0);

  const auto records = records_of(content("000001"));

  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0], kWallTimeOne + std::string("\x10\x00", 2) + "\x1A\x0D" + "brain.Event:2");
  // Step 300 is the varint AC 02; session_log is field 7, its status START is 1.
  EXPECT_EQ(records[1], kWallTimeOne + "\x10\xAC\x02" + "\x3A\x02\x08\x01");
}

TEST_F(TensorBoard, a_step_is_one_record_with_its_scalars) {
  TensorBoardWriter writer(*ops_, folder_, 0, 1.0);
  const std::array<Scalar, 2> scalars = {{{"loss", 0.5f}, {"lr", -2.0f}}};

  writer.write(7, scalars, 1.0);

  const auto records = records_of(content("000001"));
  ASSERT_THAT(records, SizeIs(3));
  const std::string loss = std::string("\x0A\x04loss\x15\x00\x00\x00\x3F", 11);
  const std::string lr = std::string("\x0A\x02lr\x15\x00\x00\x00\xC0", 9);
  EXPECT_EQ(records[2], kWallTimeOne + "\x10\x07" + "\x2A\x18" + "\x0A\x0B" + loss + "\x0A\x09" + lr);
}

TEST_F(TensorBoard, a_record_is_in_the_file_as_soon_as_it_is_written) {
  TensorBoardWriter writer(*ops_, folder_, 0, 1.0);
  std::vector<std::size_t> counts;

  for (int step = 0; step < 3; ++step) {
    writer.write(step, Scalar{"loss", 1}, 1.0);
    counts.push_back(records_of(content("000001")).size());
  }

  EXPECT_THAT(counts, ElementsAre(3, 4, 5));
}

TEST_F(TensorBoard, long_tags_take_lengths_of_several_bytes) {
  TensorBoardWriter writer(*ops_, folder_, 0, 1.0);
  const std::string tag(300, 't');

  writer.write(1, Scalar{tag, 1.0f}, 1.0);

  // Value: 3 + 300 bytes of tag, 5 of number = 308 (B4 02); summary: 311 (B7 02).
  const auto records = records_of(content("000001"));
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[2], kWallTimeOne + "\x10\x01" + "\x2A\xB7\x02" + "\x0A\xB4\x02" + "\x0A\xAC\x02" + tag +
                            std::string("\x15\x00\x00\x80\x3F", 5));
}

TEST_F(TensorBoard, each_start_makes_the_next_file_and_leaves_the_others) {
  { TensorBoardWriter(*ops_, folder_, 0, 1.0).write(1, Scalar{"loss", 1}, 1.0); }
  const std::string first = content("000001");

  const TensorBoardWriter second(*ops_, folder_, 1, 2.0);

  EXPECT_EQ(content("000001"), first);
  EXPECT_THAT(records_of(content("000002")), SizeIs(2));
}

TEST_F(TensorBoard, the_next_number_follows_the_highest_whatever_else_lies_there) {
  for (const char* name : {"events.out.tfevents.000041", "events.out.tfevents.99x", "metrics.jsonl"})
    ops_->create(folder_ / name)->write("");

  const TensorBoardWriter writer(*ops_, folder_, 0, 1.0);

  EXPECT_TRUE(fs::exists(folder_ / "events.out.tfevents.000042"));
}

TEST_F(TensorBoard, a_missing_folder_is_an_io_error) {
  EXPECT_THROW(TensorBoardWriter(*ops_, folder_ / "none", 0, 1.0), IoError);
}

}  // namespace
}  // namespace coterie
