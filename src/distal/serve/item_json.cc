#include "distal/serve/item_json.h"

#include <algorithm>
#include <cmath>

#include "distal/base/text.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

// Who knows that an item is a repeat tries to remember.
std::string shown_purpose(const PeopleStore::Item& item) {
  return item.purpose == "repeat" ? "pool" : item.purpose;
}

// An item that ends with its video.
double end_of(const PeopleStore::Item& item, const Videos::Known& video) {
  return std::isfinite(item.end_s) ? item.end_s : std::max(video.duration_s, item.start_s);
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

void add_reason(Json& json, PeopleStore& store, int64_t item) {
  const auto reasons = store.reasons(item);
  json["strategy"] = reasons.empty() ? Json(nullptr) : Json(reasons.front().strategy);
  json["score"] = reasons.empty() ? Json(nullptr) : score_json(reasons.front());
}

}  // namespace

Json score_json(const PeopleStore::Reason& reason) {
  return reason.score ? Json(*reason.score) : Json(nullptr);
}

std::string media_url(const std::string& video, const std::string& what) {
  return fmt::format("api/v1/media/{}/{}", video, what);
}

std::string picture_url(const std::string& video, double t_s) {
  return media_url(video, fmt::format("frame.jpg?t={:.6f}&height=96", t_s));
}

Json video_json(const Videos::Known& video) {
  return {{"id", video.id},
          {"duration_s", video.duration_s},
          {"proxy", media_url(video.id, "proxy.mp4")},
          {"frames", media_url(video.id, "frames")}};
}

Json item_json(Services& services, PeopleStore& store, const PeopleStore::Item& item,
               const std::string& person, std::optional<int64_t> lease_until_ms) {
  const Videos::Known video = services.media.videos().known(item.video);
  Json json = {
      {"id", item.id},           {"kind", item.kind},           {"purpose", shown_purpose(item)},
      {"study", item.study},     {"clip", item.clip},           {"video", video_json(video)},
      {"start_s", item.start_s}, {"end_s", end_of(item, video)}};
  add_reason(json, store, item.id);
  json["round"] = item.round;
  json["state"] = item.state;
  json["lease_until_ms"] = lease_until_ms ? Json(*lease_until_ms) : Json(nullptr);
  return json;
}

Json gallery_json(Services& services, PeopleStore& store, const PeopleStore::Item& item,
                  bool blind) {
  const Videos::Known video = services.media.videos().known(item.video);
  const double end_s = end_of(item, video);
  Json json = {{"id", item.id},
               {"kind", item.kind},
               {"purpose", blind ? shown_purpose(item) : item.purpose},
               {"study", item.study},
               {"clip", item.clip},
               {"state", item.state},
               {"round", item.round}};
  add_reason(json, store, item.id);
  json["class"] = blind ? Json(nullptr) : text_or_null(item.class_name);
  json["answers"] = store.count_answers({.item = item.id});
  json["start_s"] = item.start_s;
  json["end_s"] = end_s;
  json["video"] = video.id;
  json["picture"] = picture_url(video.id, (item.start_s + end_s) / 2);
  return json;
}

Json answer_json(PeopleStore& store, const PeopleStore::Answer& answer) {
  const auto item = store.item(answer.item);
  Json ranges = Json::array();
  for (const auto& range : answer.ranges) {
    ranges.push_back(
        {{"start_s", range.start_s}, {"end_s", range.end_s}, {"class", range.class_name}});
  }
  return {{"uuid", answer.uuid},
          {"item", answer.item},
          {"kind", item ? item->kind : "clip"},
          {"clip", item ? item->clip : ""},
          {"person", answer.person},
          {"class", text_or_null(answer.class_name)},
          {"skipped", answer.skipped},
          {"unsure", answer.unsure},
          {"note", answer.note},
          {"ranges", ranges},
          {"source", answer.source},
          {"answered_ms", answer.answered_ms},
          {"seconds", answer.seconds},
          {"undone", answer.undone_ms != 0},
          {"used", answer.used}};
}

Json answers_json(PeopleStore& store, const std::vector<PeopleStore::Answer>& answers) {
  Json all = Json::array();
  for (const auto& answer : answers) all.push_back(answer_json(store, answer));
  return all;
}

}  // namespace distal::serve
