#include "distal/base/utc.h"

#include <chrono>

#include <fmt/format.h>

#include "distal/base/error.h"
#include "distal/base/pattern.h"

namespace distal {
namespace {

using std::chrono::milliseconds;
using std::chrono::sys_time;

constexpr int64_t kEnd = 253'402'300'800'000;  // the year 10000

int number_of_digits(const std::string& digits) { return digits.empty() ? 0 : std::stoi(digits); }

// ".5" is 500
int64_t milliseconds_of(const std::string& fraction) {
  std::string digits = fraction.substr(0, 3);
  digits.resize(3, '0');
  return number_of_digits(digits);
}

// Minutes east of Greenwich; nothing where there is no such place.
std::optional<int> offset_minutes(const std::string& sign, int hours, int minutes) {
  if (hours > 14 || minutes > 59) return std::nullopt;
  return (sign == "-" ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

std::string utc_text(int64_t ms) {
  expect(ms >= 0 && ms < kEnd, "a point in time lies from 1970 to 9999");
  const sys_time<milliseconds> at{milliseconds(ms)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<milliseconds> time(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", int(date.year()),
                     unsigned(date.month()), unsigned(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

std::optional<int64_t> utc_ms(std::string_view text) {
  static const Pattern form(R"((\d{4})-(\d\d)-(\d\d)[T ])"
                            R"((\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)"
                            R"((?:Z|([+-])(\d\d):?(\d\d))?)",
                            "time");
  const auto found = form.match(text);
  if (!found) return std::nullopt;
  const auto part = [&](size_t i) { return number_of_digits(found->at(i)); };
  const std::chrono::year_month_day date(std::chrono::year(part(1)),
                                         std::chrono::month(static_cast<unsigned>(part(2))),
                                         std::chrono::day(static_cast<unsigned>(part(3))));
  const auto offset = offset_minutes(found->at(8), part(9), part(10));
  if (!date.ok() || part(4) > 23 || part(5) > 59 || part(6) > 60 || !offset) return std::nullopt;
  const std::chrono::sys_days day(date);
  const int64_t seconds =
      ((int64_t{day.time_since_epoch().count()} * 24 + part(4)) * 60 + part(5) - *offset) * 60 +
      part(6);
  const int64_t ms = seconds * 1000 + milliseconds_of(found->at(7));
  if (ms < 0 || ms >= kEnd) return std::nullopt;
  return ms;
}

}  // namespace distal
