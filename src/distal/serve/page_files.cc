#include "distal/serve/page_files.h"

#include <map>

#include "distal/base/text.h"
#include "distal/serve/page_embedded.h"
#include "distal/serve/refusal.h"

namespace distal::serve {
namespace {

std::string type_of(std::string_view name) {
  static const std::map<std::string_view, std::string> types = {
      {"html", "text/html; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"json", "application/json"},
      {"txt", "text/plain; charset=utf-8"}};
  const auto found = types.find(name.substr(name.rfind('.') + 1));
  return found == types.end() ? "application/octet-stream" : found->second;
}

}  // namespace

const std::vector<PageFile>& page_files() {
  static const std::vector<PageFile> files(std::begin(kPageFiles), std::end(kPageFiles));
  return files;
}

Reply page_reply(const std::string& path) {
  const std::string name = path == "/" ? "index.html" : path.substr(path.empty() ? 0 : 1);
  for (const PageFile& file : page_files()) {
    if (file.name != name) continue;
    Reply reply;
    reply.type = type_of(name);
    reply.body = file.text;
    reply.headers.emplace_back("Cache-Control", "no-cache");
    return reply;
  }
  refuse_unknown(fmt::format("{}: there is no such page; begin at /", excerpt(path, 100)));
}

}  // namespace distal::serve
