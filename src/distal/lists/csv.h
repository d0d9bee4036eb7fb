#pragma once
// Comma-separated text (RFC 4180): quoted fields, doubled quotes, line breaks inside quotes, LF,
// CRLF or CR, a byte-order mark. Where the first line has no comma outside quotes, semicolons or
// else tabs separate, as spreadsheets write where a comma stands in numbers. Blanks around a field
// do not belong to it; those within its quotes do.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace distal {

struct CsvRecord {
  std::vector<std::string> fields;
  int64_t line = 0;  // where the record begins, from 1
};

/// Each record in turn, those before a fault too. Empty lines are skipped. Throws Error
/// `place:line: ...` for a quote that never closes.
void each_csv(const std::string& text, const std::string& place,
              const std::function<void(const CsvRecord&)>& visit);

/// All of them. Throws Error `place:line: ...` for a quote that never closes.
std::vector<CsvRecord> parse_csv(const std::string& text, const std::string& place);

/// A field as it is written: quoted where it holds a comma, a quote, a line break, or a blank at an
/// end.
std::string csv_field(const std::string& text);

}  // namespace distal
