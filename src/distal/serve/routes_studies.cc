// Studies, their classes, and what happens.

#include <algorithm>

#include "distal/base/text.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kKeys = 9;
constexpr size_t kLongestBranch = 60;
constexpr size_t kMostOptions = 100;
constexpr size_t kLongestValue = 4000;

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
  Runner* const runner = services.served.runner(name);
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

Reply get_options(Services& services, const Call& call) {
  Json options = Json::array();
  for (const RecipeOption& option : services.served.options(known_study(services, call)))
    options.push_back({{"key", option.key}, {"value", option.value}});
  return json_reply({{"options", options}});
}

bool is_branch_name(const std::string& name) {
  const auto fits = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_' ||
           letter == '-';
  };
  return !name.empty() && name.size() <= kLongestBranch && std::ranges::all_of(name, fits) &&
         name.front() != '_' && name.front() != '-';
}

BranchWish wish_of(const Fields& fields, const std::string& study) {
  BranchWish wish{study, fields.text("name", 1, kLongestBranch), {}};
  if (!is_branch_name(wish.name))
    refuse_content(
        "name: it has other letters; send a to z, 0 to 9, _ and -, a to z or 0 to 9 first");
  const nlohmann::json options = fields.object("options");
  if (options.size() > kMostOptions)
    refuse_content("options: there are too many; send at most 100");
  for (const auto& [key, value] : options.items()) {
    const bool fits =
        value.is_string() && value.get_ref<const std::string&>().size() <= kLongestValue;
    if (!fits)
      refuse_content(fmt::format("options: {} has no short text; send one", excerpt(key, 60)));
    wish.options.push_back({key, value});
  }
  return wish;
}

Reply branch_study(Services& services, const Call& call) {
  const std::string& name = known_study(services, call);
  const Fields fields(call.body, {"name", "options", "start"});
  const BranchWish wish = wish_of(fields, name);
  services.served.branch(wish, !fields.has("start") || fields.truth("start"));
  services.events.look_now();
  return json_reply(services.studies.summary(wish.name), 201);
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
  const auto listener = std::make_shared<Events::Listener>(
      services.events, call.caller.value().name, call.may(Role::adjudicator));
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
          {"GET", "/studies/{name}/options", Role::owner, false, get_options},
          {"POST", "/studies/{name}/branch", Role::owner, true, branch_study},
          {"GET", "/classes", Role::annotator, false, get_classes},
          {"GET", "/events", Role::annotator, false, get_events}};
}

}  // namespace distal::serve
