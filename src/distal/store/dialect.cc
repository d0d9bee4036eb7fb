#include "distal/store/dialect.h"

#include "distal/base/error.h"
#include "distal/store/store.h"

namespace distal {
namespace {

struct Scheme {
  const char* name;
  std::unique_ptr<Dialect> (*make)(const std::string& url, const std::string& rest);
};

constexpr Scheme kSchemes[] = {{"sqlite:", sqlite_dialect}};

}  // namespace

std::unique_ptr<Dialect> dialect_of(const std::string& url) {
  for (const Scheme& scheme : kSchemes) {
    if (url.starts_with(scheme.name)) {
      return scheme.make(url, url.substr(std::string_view(scheme.name).size()));
    }
  }
  if (url.starts_with("postgresql:")) {
    fail("store {}: this build has no PostgreSQL; use sqlite:PATH", url);
  }
  fail("store {}: not a store URL; it would be sqlite:PATH, as sqlite:distal.db", url);
}

void require_store_url(const std::string& url) { dialect_of(url); }

}  // namespace distal
