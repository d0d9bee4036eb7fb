#pragma once
// Lists as spreadsheets and tools write them, as text.

#include <string>
#include <string_view>

namespace distal {

inline constexpr size_t kLongestPath = 4096;  // PATH_MAX of Linux: no file has a longer one

/// The text of a list: UTF-16 that begins with a byte-order mark becomes UTF-8, UTF-8's own mark
/// goes, all else stays byte for byte, for names of files are bytes. Throws Error `path: what;
/// cure`: as read_file (base/files.h; at most 256 MiB), archives and workbooks, what holds zero
/// bytes and is no text.
std::string list_text(const std::string& path);

/// A name of a class or a group as UTF-8. What is none is taken for Windows-1252, in which every
/// byte is a character of its own, so that two names stay two.
std::string utf8_name(std::string_view text);

}  // namespace distal
