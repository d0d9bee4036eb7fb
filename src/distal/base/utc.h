#pragma once
// Points in time as milliseconds since 1970, UTC, and as text (ISO 8601).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace distal {

/// "2026-01-02T03:04:05.678Z"; years 1970 to 9999.
std::string utc_text(int64_t ms);

/// A date and a time of day: YYYY-MM-DD, T or a space, HH:MM, seconds and their fraction where they
/// are known, and Z, an offset such as +09:00, or nothing, which is UTC. Fractions beyond a
/// millisecond are cut off. Nothing for another text, and outside of 1970 to 9999.
std::optional<int64_t> utc_ms(std::string_view text);

}  // namespace distal
