#pragma once
// The pieces of Markdown pages that a program writes, as GitHub reads them.

#include <string>
#include <vector>

namespace distal {

/// Text that means itself: `|` would end a cell of a table, `<` open a tag, `*` open emphasis.
std::string markdown_text(const std::string& text);
/// Code in a cell of a table. A `|` would end the cell also in code.
std::string markdown_code(const std::string& text);
/// Each word as code, with commas between them.
std::string codes_joined(const std::vector<std::string>& words);
/// A link to a heading of a page; page "": of this page.
std::string link_to(const std::string& text, const std::string& page, const std::string& heading);
/// The first lines of a page: its title, and a comment that says which command writes it.
std::string page_head(const std::string& title);

}  // namespace distal
