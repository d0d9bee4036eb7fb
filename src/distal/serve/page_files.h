#pragma once
// The page, as the build put it into the program.

#include <string>
#include <string_view>
#include <vector>

#include "distal/serve/call.h"

namespace distal::serve {

struct PageFile {
  std::string_view name, text;
};
const std::vector<PageFile>& page_files();

/// The file of a path: `/` is the page itself. Throws Refusal: 404.
Reply page_reply(const std::string& path);

}  // namespace distal::serve
