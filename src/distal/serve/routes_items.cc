// The queue, and the gallery of what was asked.

#include <algorithm>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/serve/item_json.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kPage = 50;
constexpr int64_t kMostPages = 1'000'000;
constexpr size_t kMostHeld = 1000;
constexpr int64_t kAhead = 20;  // items whose videos are made ready for browsers

PeopleStore::Item known_item(PeopleStore& store, const Call& call) {
  const int64_t id = call.id();
  auto item = store.item(id);
  const bool is_others = item && !item->for_person.empty() &&
                         item->for_person != call.caller->name && !call.may(Role::adjudicator);
  if (!item || is_others) refuse_unknown(fmt::format("item {}: there is none", id));
  return *item;
}

std::optional<int64_t> lease_of(Services& services, PeopleStore& store, int64_t item,
                                const Caller& caller) {
  for (const auto& lease : store.leases(services.options.now())) {
    if (lease.item == item && lease.person == caller.name) return lease.until_ms;
  }
  return std::nullopt;
}

PeopleStore::Next next_of(Services& services, const Call& call) {
  const Fields fields(call.body, {"count", "after", "study"});
  PeopleStore::Next next;
  next.person = call.caller->name;
  next.session = call.caller->session;
  next.count = fields.whole("count", 1, 10);
  next.now_ms = services.options.now();
  if (fields.has("study")) next.study = fields.text("study", 0, 200);
  if (!fields.has("after")) return next;
  for (const auto& id : fields.list("after")) {
    if (!id.is_number_integer()) refuse_request("after: it holds more than numbers; send ids");
    next.held.push_back(id.get<int64_t>());
  }
  if (next.held.size() > kMostHeld) refuse_content("after: it is too long; send what you hold");
  return next;
}

void prepare_ahead(Services& services, PeopleStore& store,
                   const std::vector<PeopleStore::Leased>& leased) {
  for (const auto& one : leased) services.media.prepare(one.item.video);
  if (leased.empty()) return;
  for (const auto& item : store.items({.state = "open"}, leased.back().item.id, kAhead))
    services.media.prepare(item.video);
}

Reply next_items(Services& services, const Call& call) {
  const PeopleStore::Next next = next_of(services, call);
  const auto store = services.people.borrow();
  const auto leased = store->lease_next(next);
  Json items = Json::array();
  for (const auto& one : leased)
    items.push_back(item_json(services, *store, one.item, next.person, one.until_ms));
  prepare_ahead(services, *store, leased);
  return json_reply({{"items", items}, {"left", store->left(next.person, next.study)}});
}

Reply get_item(Services& services, const Call& call) {
  const auto store = services.people.borrow();
  const auto item = known_item(*store, call);
  return json_reply(item_json(services, *store, item, call.caller->name,
                              lease_of(services, *store, item.id, *call.caller)));
}

// The most probable class first.
Json guess_json(const std::string& text) {
  Json guess = Json::array();
  if (text.empty()) return guess;
  std::vector<std::pair<double, std::string>> rows;
  const Json by_class = parse_json(text, "guess");
  for (const auto& [name, p] : by_class.items()) {
    if (p.is_number()) rows.emplace_back(p.get<double>(), name);
  }
  std::ranges::stable_sort(rows, std::greater<>(), &std::pair<double, std::string>::first);
  for (const auto& [p, name] : rows)
    guess.push_back({{"class", name}, {"p", std::clamp(p, 0.0, 1.0)}});
  return guess;
}

// What the store keeps is described at PeopleStore::Reason.
Json neighbours_json(Services& services, const std::string& text) {
  Json all = Json::array();
  if (text.empty()) return all;
  const Json kept = parse_json(text, "neighbours");
  for (const auto& one : kept) {
    const auto video = services.media.videos().known(one.value("video", ""));
    const double start_s = one.value("start_s", 0.0);
    const double end_s = one.value("end_s", std::max(video.duration_s, start_s));
    all.push_back({{"clip", one.value("clip", "")},
                   {"class", one.value("class", "")},
                   {"distance", one.value("distance", 0.0)},
                   {"picture", picture_url(video.id, (start_s + end_s) / 2)}});
  }
  return all;
}

Reply why_item(Services& services, const Call& call) {
  const auto store = services.people.borrow();
  const auto item = known_item(*store, call);
  const auto reasons = store->reasons(item.id);
  if (reasons.empty()) {
    return json_reply({{"strategy", nullptr},
                       {"score", nullptr},
                       {"guess", Json::array()},
                       {"first", guess_json(item.first_json)},
                       {"neighbours", Json::array()}});
  }
  const auto& first = reasons.front();
  return json_reply({{"strategy", first.strategy},
                     {"score", score_json(first)},
                     {"guess", guess_json(first.guess_json)},
                     {"first", guess_json(item.first_json)},
                     {"neighbours", neighbours_json(services, first.neighbours_json)}});
}

Reply renew_item(Services& services, const Call& call) {
  const auto store = services.people.borrow();
  const auto item = known_item(*store, call);
  const int64_t until =
      store->renew(item.id, call.caller->name, call.caller->session, services.options.now());
  return json_reply({{"id", item.id}, {"lease_until_ms", until}});
}

Reply release_item(Services& services, const Call& call) {
  const auto store = services.people.borrow();
  store->release(known_item(*store, call).id, call.caller->name);
  services.events.look_now();
  return empty_reply();
}

Reply get_items(Services& services, const Call& call) {
  PeopleStore::ItemFilter filter;
  filter.study = call.text("study");
  if (!call.text("state").empty())
    filter.state = call.word("state", {"open", "settled", "left_out", "withdrawn"});
  if (!call.text("round").empty()) filter.round = call.whole("round", 0, INT64_MAX, 0);
  const int64_t page = call.whole("page", 0, kMostPages, 0);
  const auto store = services.people.borrow();
  Json items = Json::array();
  const bool blind = !call.may(Role::adjudicator);
  for (const auto& item : store->items_at(filter, page * kPage, kPage))
    items.push_back(gallery_json(services, *store, item, blind));
  return json_reply({{"items", items}, {"total", store->count_items(filter)}, {"page", page}});
}

}  // namespace

std::vector<Route> item_routes() {
  return {{"POST", "/items/next", Role::annotator, true, next_items},
          {"GET", "/items", Role::annotator, false, get_items},
          {"GET", "/items/{id}", Role::annotator, false, get_item},
          {"GET", "/items/{id}/why", Role::annotator, false, why_item},
          {"POST", "/items/{id}/renew", Role::annotator, true, renew_item},
          {"POST", "/items/{id}/release", Role::annotator, true, release_item}};
}

}  // namespace distal::serve
