// Maps of a study's embeddings.

#include "distal/base/text.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"

namespace distal::serve {
namespace {

const std::string& mapped_study(Services& services, const Call& call) {
  const std::string& name = call.part("name");
  if (!services.studies.has(name))
    refuse_unknown(fmt::format("study {}: there is none of the name", excerpt(name, 60)));
  return name;
}

Reply get_map(Services& services, const Call& call) {
  return json_reply(
      services.maps.map(mapped_study(services, call), call.word("method", {"pca", "umap"})));
}

Reply get_map_clip(Services& services, const Call& call) {
  return json_reply(services.maps.clip(mapped_study(services, call), call.id()));
}

}  // namespace

std::vector<Route> map_routes() {
  return {{"GET", "/studies/{name}/map", Role::adjudicator, false, get_map},
          {"GET", "/studies/{name}/map/{id}", Role::adjudicator, false, get_map_clip}};
}

}  // namespace distal::serve
