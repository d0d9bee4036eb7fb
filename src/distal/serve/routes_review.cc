// Looking at what people said: conflicts, agreement, files.

#include <algorithm>
#include <map>
#include <set>

#include "distal/base/text.h"
#include "distal/base/utc.h"
#include "distal/people/agreement.h"
#include "distal/people/answer_files.h"
#include "distal/serve/item_json.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMostConflicts = 100;
constexpr int64_t kBlock = 1000;
constexpr int64_t kMostPairs = 200;  // of people

std::vector<PeopleStore::Answer> all_of(PeopleStore& store, const std::string& study) {
  std::vector<PeopleStore::Answer> all;
  for (int64_t after = 0;;) {
    const auto block = store.answers_after({.study = study}, after, kBlock);
    all.insert(all.end(), block.begin(), block.end());
    if (std::ssize(block) < kBlock) return all;
    after = block.back().id;
  }
}

std::vector<PeopleStore::Item> items_of(PeopleStore& store, const std::string& study) {
  std::vector<PeopleStore::Item> all;
  for (int64_t after = 0;;) {
    const auto block = store.items({.study = study}, after, kBlock);
    all.insert(all.end(), block.begin(), block.end());
    if (std::ssize(block) < kBlock) return all;
    after = block.back().id;
  }
}

Reply get_conflicts(Services& services, const Call& call) {
  const auto store = services.people.borrow();
  Json conflicts = Json::array();
  for (const auto& item : store->items({.state = "open", .conflict = true}, 0, kMostConflicts)) {
    const auto answers = store->answers_after({.item = item.id}, 0, kBlock);
    conflicts.push_back(
        {{"item", item_json(services, *store, item, call.caller->name, std::nullopt)},
         {"answers", answers_json(*store, answers)}});
  }
  return json_reply({{"conflicts", conflicts}});
}

/// Numbers for names.
class Numbers {
 public:
  int64_t of(const std::string& name) {
    const auto [row, fresh] = numbers_.emplace(name, std::ssize(names_));
    if (fresh) names_.push_back(name);
    return row->second;
  }
  const std::vector<std::string>& names() const { return names_; }
  int64_t size() const { return std::ssize(names_); }

 private:
  std::map<std::string, int64_t> numbers_;
  std::vector<std::string> names_;
};

/// Classes of whole clips, as the room people takes them.
struct Opinions {
  Numbers people, classes;
  std::vector<Said> said;       // of items that several people answered; no repeats
  std::vector<Repeat> repeats;  // of the same person about the same clip
  std::vector<int64_t> others;  // how often each class was said of other items
  std::map<std::pair<int64_t, int64_t>, std::vector<Said>> by_pair;  // of people, the lower first
  int64_t items = 0;                                                 // of `said`, with two or more

  explicit Opinions(const PeopleStore::Compared& stored) {
    for (const auto& count : stored.counts) {
      people.of(count.person);
      take_off(classes.of(count.class_name), -count.answers);
    }
    const auto repeated = add_repeats(stored.again);
    for (const auto& one : stored.shared) {
      const int64_t label = classes.of(one.class_name);
      if (repeated.contains({one.item, one.person})) continue;
      take_off(label, 1);
      said.push_back({one.item, people.of(one.person), label});
    }
    pair_up();
  }

 private:
  using ItemAndPerson = std::pair<int64_t, std::string>;

  void take_off(int64_t label, int64_t count) {
    others.resize(std::max<size_t>(others.size(), label + 1));
    others[label] = std::max<int64_t>(0, others[label] - count);
  }

  // Those that are no first answers.
  std::set<ItemAndPerson> add_repeats(const std::vector<PeopleStore::Compared::Said>& again) {
    std::set<ItemAndPerson> repeated;
    std::map<std::pair<std::string, std::string>, int64_t> first;  // by clip and person
    for (const auto& one : again) {
      const int64_t label = classes.of(one.class_name);
      const auto [before, fresh] = first.emplace(std::pair{one.clip, one.person}, label);
      if (fresh) continue;
      take_off(label, 1);
      repeats.push_back({people.of(one.person), before->second, label});
      repeated.emplace(one.item, one.person);
    }
    return repeated;
  }

  // `said` is in the order of items.
  void pair_up() {
    for (size_t a = 0; a < said.size(); ++a) {
      const auto is_other = [&](const Said& one) { return one.item != said[a].item; };
      const auto end = std::find_if(said.begin() + a, said.end(), is_other);
      const bool begins = a == 0 || said[a - 1].item != said[a].item;
      if (begins && end - said.begin() > static_cast<ptrdiff_t>(a) + 1) ++items;
      for (auto b = said.begin() + a + 1; b < end; ++b) {
        auto& both = by_pair[std::minmax(said[a].person, b->person)];
        both.insert(both.end(), {said[a], *b});
      }
    }
  }
};

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json cohen_json(const Opinions& opinions) {
  Json pairs = Json::array();
  const auto& names = opinions.people.names();
  for (const auto& [pair, said] : opinions.by_pair) {
    if (std::ssize(pairs) >= kMostPairs) return pairs;
    const auto kappa = cohen_kappa(said, pair.first, pair.second, opinions.classes.size());
    pairs.push_back({{"a", names[pair.first]},
                     {"b", names[pair.second]},
                     {"kappa", number_or_null(kappa.value)},
                     {"n", kappa.items}});
  }
  return pairs;
}

Json intra_json(const Opinions& opinions) {
  Json rows = Json::array();
  for (const auto& [person, rater] :
       intra_rater_by_person(opinions.repeats, opinions.classes.size())) {
    rows.push_back({{"person", opinions.people.names()[person]},
                    {"kappa", number_or_null(rater.kappa.value)},
                    {"agreed", rater.same},
                    {"n", rater.repeats}});
  }
  return rows;
}

Reply get_agreement(Services& services, const Call& call) {
  const Opinions opinions(services.people.borrow()->compared(call.text("study")));
  const int64_t classes = opinions.classes.size();
  Json json = {{"items", opinions.items},
               {"people", opinions.people.size()},
               {"cohen", Json::array()},
               {"fleiss", {{"kappa", nullptr}, {"n", 0}}},
               {"krippendorff", {{"alpha", nullptr}, {"n", 0}}},
               {"intra", Json::array()}};
  if (classes == 0) return json_reply(json);
  const auto fleiss = fleiss_kappa(opinions.said, classes, opinions.others);
  const auto alpha = krippendorff_alpha(opinions.said, classes);
  json["cohen"] = cohen_json(opinions);
  json["fleiss"] = {{"kappa", number_or_null(fleiss.value)}, {"n", fleiss.items}};
  json["krippendorff"] = {{"alpha", number_or_null(alpha.value)}, {"n", alpha.items}};
  json["intra"] = intra_json(opinions);
  return json_reply(json);
}

// Of a video that cannot be read any more nothing is known.
SharedInfo info_of(Services& services, const std::string& path) {
  Videos& videos = services.media.videos();
  try {
    return videos.info(videos.known(path).id);
  } catch (const Refusal&) {
    return nullptr;
  }
}

// The frame that begins nearest to a time; behind the last one their number.
int64_t frame_near(const VideoInfo& info, double seconds) {
  const auto& starts = info.time_s;
  const auto after = std::ranges::upper_bound(starts, seconds);
  const double later_s = after == starts.end() ? info.duration_s : *after;
  const auto later = after - starts.begin();
  if (after == starts.begin()) return 0;
  return later_s - seconds < seconds - *std::prev(after) ? later : later - 1;
}

AskedItem asked(Services& services, const PeopleStore::Item& item) {
  AskedItem asked;
  asked.clip = item.clip;
  asked.video = item.video;
  asked.start_s = item.start_s;
  asked.end_s = item.end_s;
  asked.kind = item.kind == "ranges" ? AskedKind::ranges : AskedKind::clip;
  asked.asked_ms = utc_ms(item.created).value_or(0);
  // Label Studio counts the frames of a time line.
  if (asked.kind == AskedKind::ranges)
    asked.frame_rate = services.media.videos().known(item.video).frame_rate;
  return asked;
}

GivenAnswer given(const PeopleStore::Answer& answer, const std::string& clip) {
  GivenAnswer given;
  given.clip = clip;
  given.person = answer.person;
  given.class_name = answer.class_name;
  for (const auto& range : answer.ranges)
    given.ranges.push_back({range.start_s, range.end_s, range.class_name});
  given.skipped = answer.skipped;
  given.unsure = answer.unsure;
  given.note = answer.note;
  given.answered_ms = answer.answered_ms;
  if (answer.seconds > 0) given.seconds = answer.seconds;
  given.source = answer.source;
  given.id = answer.uuid;
  return given;
}

// A file names a clip once; what is asked about it again is in the answers alone.
Questions questions_of(Services& services, const std::string& study,
                       const std::vector<PeopleStore::Item>& items,
                       const std::vector<PeopleStore::Answer>& answers) {
  Questions questions;
  questions.classes = services.studies.classes(study);
  std::set<std::string> known(questions.classes.begin(), questions.classes.end());
  for (const auto& answer : answers) {
    if (!answer.class_name.empty() && known.insert(answer.class_name).second)
      questions.classes.push_back(answer.class_name);
  }
  std::set<std::string> clips;
  for (const auto& item : items) {
    if (clips.insert(item.clip).second) questions.items.push_back(asked(services, item));
  }
  return questions;
}

// CVAT counts frames, and draws boxes of pixels.
void know_frames(Services& services, Questions& questions,
                 std::map<std::string, SharedInfo>& infos) {
  for (AskedItem& item : questions.items) {
    if (item.kind != AskedKind::ranges) continue;
    SharedInfo& info = infos[item.video];
    if (!info) info = info_of(services, item.video);
    if (!info) {
      refuse_request(fmt::format("format: CVAT counts frames, and {} cannot be read; take csv",
                                 excerpt(item.video, 80)));
    }
    item.width = info->width;
    item.height = info->height;
  }
}

AskFile export_file(Services& services, const std::string& study, const std::string& format) {
  const auto store = services.people.borrow();
  const auto items = items_of(*store, study);
  const auto answers = all_of(*store, study);
  std::map<int64_t, std::string> clips;
  for (const auto& item : items) clips[item.id] = item.clip;
  std::vector<GivenAnswer> rows;
  for (const auto& answer : answers) {
    const auto clip = clips.find(answer.item);
    if (clip != clips.end()) rows.push_back(given(answer, clip->second));
  }
  AskFileOptions options;
  options.project = study;
  Questions questions = questions_of(services, study, items, answers);
  std::map<std::string, SharedInfo> infos;  // by path
  if (format == "cvat") know_frames(services, questions, infos);
  options.frame_at = [&](const AskedItem& item, double seconds) {
    return frame_near(*infos.at(item.video), seconds);
  };
  return answer_file(format, questions, rows, options);
}

Reply get_export(Services& services, const Call& call) {
  const std::string study = call.text("study");
  if (study.empty()) refuse_request("study: it is missing; name one");
  if (call.text("format").empty())
    refuse_request("format: it is missing; csv, label-studio or cvat");
  const std::string format = call.word("format", {"csv", "label-studio", "cvat"});
  if (!services.studies.has(study))
    refuse_unknown(fmt::format("study {}: there is none of the name", excerpt(study, 60)));
  AskFile file;
  try {
    file = export_file(services, study, format);
  } catch (const UsageError& error) {  // the format cannot hold all of it
    refuse_request(fmt::format("format: {}; or take csv", error.what()));
  }
  Reply reply;
  reply.type = format == "csv"    ? "text/csv; charset=utf-8"
               : format == "cvat" ? "application/xml; charset=utf-8"
                                  : "application/json";
  reply.body = file.text;
  reply.headers.emplace_back(
      "Content-Disposition",
      fmt::format("attachment; filename=\"{}-answers{}\"", slug(study), file.ending));
  return reply;
}

}  // namespace

std::vector<Route> review_routes() {
  return {{"GET", "/conflicts", Role::adjudicator, false, get_conflicts},
          {"GET", "/agreement", Role::adjudicator, false, get_agreement},
          {"GET", "/export", Role::adjudicator, false, get_export}};
}

}  // namespace distal::serve
