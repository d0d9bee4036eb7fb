// Studies, their classes, and what happens.

#include "distal/base/text.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kKeys = 9;

const std::string& known_study(Services& services, const Call& call) {
  const std::string& name = call.part("name");
  if (!services.studies.has(name))
    refuse_unknown(fmt::format("study {}: there is none of the name", excerpt(name, 60)));
  return name;
}

Reply get_studies(Services& services, const Call&) {
  Json studies = Json::array();
  for (const std::string& name : services.studies.names())
    studies.push_back(services.studies.summary(name));
  return json_reply({{"studies", studies}});
}

Reply get_study(Services& services, const Call& call) {
  const std::string& name = known_study(services, call);
  return json_reply(services.studies.detail(name, call.may(Role::adjudicator)));
}

Reply steer(Services& services, const Call& call, void (Runner::*what)()) {
  const std::string& name = known_study(services, call);
  Runner* const runner = services.studies.runner(name);
  if (runner == nullptr) {
    throw Refusal(409, "conflict",
                  fmt::format("study {}: it is not run here; start distal serve with its recipe "
                              "and without --no-run",
                              excerpt(name, 60)));
  }
  (runner->*what)();
  services.events.look_now();
  return json_reply(services.studies.summary(name), 202);
}

Reply start_study(Services& services, const Call& call) {
  return steer(services, call, &Runner::start);
}
Reply pause_study(Services& services, const Call& call) {
  return steer(services, call, &Runner::pause);
}
Reply stop_study(Services& services, const Call& call) {
  return steer(services, call, &Runner::stop);
}

std::vector<std::string> split_name(const std::string& name) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at = 0; at <= name.size(); ++at) {
    if (at < name.size() && name[at] != '/') continue;
    if (at > begin) parts.push_back(name.substr(begin, at - begin));
    begin = at + 1;
  }
  return parts.empty() ? std::vector<std::string>{name} : parts;
}

// A slash in a name makes it a child.
Reply get_classes(Services& services, const Call& call) {
  Json classes = Json::array();
  int key = 1;
  for (const std::string& name : services.studies.classes(call.text("study"))) {
    classes.push_back({{"name", name},
                       {"path", split_name(name)},
                       {"key", key <= kKeys ? Json(fmt::format("{}", key)) : Json(nullptr)}});
    ++key;
  }
  return json_reply({{"classes", classes}});
}

Reply get_events(Services& services, const Call& call) {
  Reply reply;
  reply.type = "text/event-stream";
  if (call.head) return reply;
  const auto listener =
      std::make_shared<Events::Listener>(services.events, call.caller.value().name);
  reply.next = [listener](std::string& piece) { return listener->next(piece); };
  return reply;
}

}  // namespace

std::vector<Route> study_routes() {
  return {{"GET", "/studies", Role::annotator, false, get_studies},
          {"GET", "/studies/{name}", Role::annotator, false, get_study},
          {"POST", "/studies/{name}/start", Role::owner, true, start_study},
          {"POST", "/studies/{name}/pause", Role::owner, true, pause_study},
          {"POST", "/studies/{name}/stop", Role::owner, true, stop_study},
          {"GET", "/classes", Role::annotator, false, get_classes},
          {"GET", "/events", Role::annotator, false, get_events}};
}

}  // namespace distal::serve
