#pragma once
// The frame of the report: one static page with its style and its few lines of script inside. Light
// and dark, wide and narrow, screen and paper. Nothing is fetched.

#include <string>

namespace distal {

/// A whole document around `body` (HTML). `title` is text.
std::string page(const std::string& title, const std::string& body);

}  // namespace distal
