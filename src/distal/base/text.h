#pragma once
// Text from outside: names of files, classes and arms, words of servers. Thread-safe.

#include <cstddef>
#include <string>
#include <string_view>

namespace distal {

/// Length in bytes, 1 to 4, of the UTF-8 character at the start of `text`; 0 where the bytes there
/// are no UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF) or `text` is
/// empty.
size_t utf8_length(std::string_view text);

/// The text with every byte that is no UTF-8 replaced by U+FFFD, for JSON, HTML and XML. Valid text
/// comes back as it is.
std::string valid_utf8(std::string_view text);

/// The text as one line for a terminal: control characters (C0 with newline and tab, DEL, C1)
/// become '.', bytes that are no UTF-8 become U+FFFD. Nothing in it can move the cursor, change
/// colours or set a title.
std::string printable(std::string_view text);

/// The same with newlines and tabs kept: a report of several lines.
std::string printable_lines(std::string_view text);

/// The first `most` bytes of `printable(text)`, cut between characters, with "..." behind where
/// something was left out.
std::string excerpt(std::string_view text, size_t most = 200);

/// The text as the name of a file: letters, digits, '.', '_' and '-' stand, runs of what else there
/// is become one '-', and it begins with a letter, a digit or '_'. At most 80 bytes. Where more
/// than spaces and commas was replaced, or the end cut off, eight digits of a hash of the text
/// follow, so that such names differ as the texts do. Never empty, never "." or "..".
std::string slug(std::string_view text);

}  // namespace distal
