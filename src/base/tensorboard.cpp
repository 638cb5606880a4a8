// The few protocol buffer messages that scalars need, written by hand.
#include "base/tensorboard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <iomanip>
#include <string>

#include "base/error.h"

namespace coterie {
namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr int kNumberDigits = 6;

// Wire types of protocol buffers.
enum class Wire : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

consteval std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t kReversedPolynomial = 0x82F63B78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kReversedPolynomial : 0);
    table[i] = value;
  }
  return table;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}

template <class Unsigned>
void put_little_endian(std::string& out, Unsigned value) {
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
}

void put_tag(std::string& out, unsigned field, Wire wire) { put_varint(out, field << 3 | static_cast<unsigned>(wire)); }

void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  put_tag(out, field, Wire::bytes);
  put_varint(out, bytes.size());
  out += bytes;
}

// Event: 1 wall_time, 2 step; the caller adds one of 3 file_version, 5 summary, 7 session_log.
std::string event_start(double wall_time_s, std::int64_t step) {
  std::string event;
  put_tag(event, 1, Wire::fixed64);
  put_little_endian(event, std::bit_cast<std::uint64_t>(wall_time_s));
  put_tag(event, 2, Wire::varint);
  put_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

// Summary.Value: 1 tag, 2 simple_value.
std::string summary_value(const Scalar& scalar) {
  std::string value;
  put_bytes(value, 1, scalar.tag);
  put_tag(value, 2, Wire::fixed32);
  put_little_endian(value, std::bit_cast<std::uint32_t>(scalar.value));
  return value;
}

std::uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U; }

std::string record_of(std::string_view data) {
  std::string record;
  put_little_endian(record, std::uint64_t{data.size()});
  put_little_endian(record, masked_crc(record));
  record += data;
  put_little_endian(record, masked_crc(data));
  return record;
}

// One more than the highest number among the event files of the directory.
int next_number(const fs::path& directory) {
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  if (error) throw IoError(str("tensorboard: cannot list '", directory.string(), "': ", error.message()));
  int highest = 0;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(kPrefix, 0) != 0) continue;
    int number = 0;
    const auto result = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), number);
    if (result.ec == std::errc() && result.ptr == name.data() + name.size()) highest = std::max(highest, number);
  }
  return highest + 1;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  return ~crc;
}

TensorBoardWriter::TensorBoardWriter(FileOps& ops, const fs::path& run_directory, std::int64_t first_step,
                                     double wall_time_s) {
  std::ostringstream name;
  name << kPrefix << std::setw(kNumberDigits) << std::setfill('0') << next_number(run_directory);
  file_ = ops.create(run_directory / name.str());

  std::string version = event_start(wall_time_s, 0);
  put_bytes(version, 3, "brain.Event:2");
  // SessionLog: 1 status, START = 1.
  std::string session = event_start(wall_time_s, first_step);
  put_bytes(session, 7, std::string("\x08\x01", 2));
  file_->write(record_of(version) + record_of(session));
}

void TensorBoardWriter::write(std::int64_t step, std::span<const Scalar> scalars, double wall_time_s) {
  // Summary: 1 value, repeated.
  std::string summary;
  for (const Scalar& scalar : scalars) put_bytes(summary, 1, summary_value(scalar));
  std::string event = event_start(wall_time_s, step);
  put_bytes(event, 5, summary);
  file_->write(record_of(event));
}

}  // namespace coterie
