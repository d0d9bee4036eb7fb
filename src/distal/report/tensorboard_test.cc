#include "distal/report/tensorboard.h"

#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::StartsWith;

uint64_t fixed(std::string_view bytes, size_t at, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; ++i)
    value |= uint64_t{static_cast<unsigned char>(bytes.at(at + static_cast<size_t>(i)))} << 8 * i;
  return value;
}

/// A small protobuf reader: field number to its last raw value.
struct Message {
  std::map<int, uint64_t> numbers;
  std::map<int, std::string> bytes;
  explicit Message(std::string_view text) {
    size_t at = 0;
    const auto varint = [&] {
      uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(text.at(at++));
        value |= uint64_t{byte & 0x7FU} << shift;
        if (byte < 0x80) return value;
      }
    };
    while (at < text.size()) {
      const uint64_t key = varint();
      const int field = static_cast<int>(key >> 3);
      switch (key & 7) {
        case 0: numbers[field] = varint(); break;
        case 1:
          numbers[field] = fixed(text, at, 8);
          at += 8;
          break;
        case 5:
          numbers[field] = fixed(text, at, 4);
          at += 4;
          break;
        case 2: {
          const uint64_t n = varint();
          bytes[field] = std::string(text.substr(at, n));
          at += n;
          break;
        }
        default: ADD_FAILURE() << "wire type " << (key & 7); return;
      }
    }
  }
};

std::vector<std::string> records(const std::string& file) {
  std::vector<std::string> out;
  for (size_t at = 0; at < file.size();) {
    const uint64_t length = fixed(file, at, 8);
    EXPECT_EQ(fixed(file, at + 8, 4), masked_crc32c(file.substr(at, 8)));
    out.push_back(file.substr(at + 12, length));
    EXPECT_EQ(fixed(file, at + 12 + length, 4), masked_crc32c(out.back()));
    at += length + 16;
  }
  return out;
}

TEST(TensorBoard, ComputesTheCrcOfPublishedVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending += c;
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
  EXPECT_EQ(crc32c(std::string(ascending.rbegin(), ascending.rend())), 0x113FDB5CU);
}

TEST(TensorBoard, BeginsAsEveryEventFileBegins) {
  // Length 24 and its checksum: the first twelve bytes that other writers produce as well.
  const std::string head("\x18\0\0\0\0\0\0\0\xa3\x7fK\"", 12);
  EXPECT_THAT(event_file({}, 1.7e9), StartsWith(head));
}

TEST(TensorBoard, ReadsBackWhatWasWritten) {
  const std::vector<Scalar> scalars = {
      {"accuracy/random", 0, 0.25},
      {"accuracy/badge", 300, 0.5},
      {"accuracy/größe", int64_t{1} << 40, std::numeric_limits<double>::quiet_NaN()}};
  const auto rows = records(event_file(scalars, 1.7e9));
  ASSERT_EQ(rows.size(), 4U);
  const Message version(rows[0]);
  EXPECT_EQ(version.bytes.at(3), "brain.Event:2");
  EXPECT_EQ(std::bit_cast<double>(version.numbers.at(1)), 1.7e9);
  for (size_t i = 0; i < scalars.size(); ++i) {
    Message row(rows[i + 1]);
    const Message value(Message(row.bytes.at(5)).bytes.at(1));
    EXPECT_EQ(static_cast<int64_t>(row.numbers[2]), scalars[i].step);  // absent means 0
    EXPECT_EQ(value.bytes.at(1), scalars[i].tag);
    const float read = std::bit_cast<float>(static_cast<uint32_t>(value.numbers.at(2)));
    if (std::isnan(scalars[i].value))
      EXPECT_TRUE(std::isnan(read));
    else
      EXPECT_EQ(read, static_cast<float>(scalars[i].value));
  }
}

TEST(TensorBoard, KeepsARecordOfNoBytes) {
  const std::string record = tf_record("");
  EXPECT_EQ(record.size(), 16U);
  EXPECT_EQ(fixed(record, 12, 4), 0xa282ead8U);  // crc 0, masked
}

}  // namespace
}  // namespace distal
