#pragma once
// TensorBoard event files, so that curves can be opened beside those of other tools. A file is a
// sequence of records
//
//   uint64 length | uint32 masked_crc(length) | length bytes | uint32 masked_crc(bytes)      little
//   endian
//
// each holding one Event protobuf: wall_time (1, double), step (2, int64), file_version (3, string;
// first record, "brain.Event:2"), summary (5): value (1): tag (1, string), simple_value (2, float).
// CRC-32C: Castagnoli polynomial 0x1EDC6F41, reflected (RFC 3720, appendix B.4). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace distal {

struct Scalar {
  std::string tag;  // "accuracy/badge seed 3"
  int64_t step = 0;
  double value = 0;  // stored as float32; NaN is kept
};

/// The bytes of a whole event file, every event stamped `wall_time_s` (seconds since 1970).
std::string event_file(const std::vector<Scalar>& scalars, double wall_time_s);

/// The bytes of an Event behind its wall time, and both together.
std::string scalar_content(const Scalar& scalar);
std::string timed_event(double wall_time_s, std::string_view content);
/// What timed_event was made of: of an Event that begins with its wall time.
std::string_view event_content(std::string_view event);

/// The record that `bytes` begin with: its own bytes, and its size with length and sums. Nothing
/// where it is cut off, or a sum is wrong.
struct TfRecord {
  std::string_view bytes;
  size_t size = 0;
};
std::optional<TfRecord> first_record(std::string_view bytes);

uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);  // rotated right by 15, plus 0xa282ead8
std::string tf_record(std::string_view bytes);

}  // namespace distal
