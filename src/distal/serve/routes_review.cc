// Looking at what people said: conflicts, agreement, files.

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

Reply get_conflicts(Services& services, const Call&) {
  const auto store = services.people.borrow();
  Json conflicts = Json::array();
  for (const auto& item : store->items({.state = "open", .conflict = true}, 0, kMostConflicts)) {
    const auto answers = store->answers_after({.item = item.id}, 0, kBlock);
    conflicts.push_back({{"item", item_json(services, *store, item, std::nullopt)},
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
  std::vector<Said> said;       // of items that are no repeats
  std::vector<Repeat> repeats;  // of the same person about the same clip
  std::set<int64_t> shared;     // items with two answers or more

  explicit Opinions(PeopleStore& store, const std::string& study) {
    std::map<std::pair<std::string, std::string>, int64_t> first;  // by clip and person
    std::map<int64_t, int64_t> answers;
    for (const auto& answer : all_of(store, study)) {
      if (answer.decides || answer.skipped || answer.class_name.empty()) continue;
      const auto item = store.item(answer.item).value();
      const int64_t person = people.of(answer.person);
      const int64_t label = classes.of(answer.class_name);
      const auto [before, fresh] = first.emplace(std::pair{item.clip, answer.person}, label);
      if (!fresh) {
        repeats.push_back({person, before->second, label});
        continue;
      }
      said.push_back({answer.item, person, label});
      if (++answers[answer.item] > 1) shared.insert(answer.item);
    }
  }
};

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json cohen_json(const Opinions& opinions) {
  Json pairs = Json::array();
  const auto& names = opinions.people.names();
  for (int64_t a = 0; a < opinions.people.size(); ++a) {
    for (int64_t b = a + 1; b < opinions.people.size(); ++b) {
      if (std::ssize(pairs) >= kMostPairs) return pairs;
      const auto kappa = cohen_kappa(opinions.said, a, b, opinions.classes.size());
      if (kappa.items == 0) continue;
      pairs.push_back({{"a", names[a]},
                       {"b", names[b]},
                       {"kappa", number_or_null(kappa.value)},
                       {"n", kappa.items}});
    }
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
  const auto store = services.people.borrow();
  const Opinions opinions(*store, call.text("study"));
  const int64_t classes = opinions.classes.size();
  Json json = {{"items", std::ssize(opinions.shared)},
               {"people", opinions.people.size()},
               {"cohen", Json::array()},
               {"fleiss", {{"kappa", nullptr}, {"n", 0}}},
               {"krippendorff", {{"alpha", nullptr}, {"n", 0}}},
               {"intra", Json::array()}};
  if (classes == 0) return json_reply(json);
  const auto fleiss = fleiss_kappa(opinions.said, classes);
  const auto alpha = krippendorff_alpha(opinions.said, classes);
  json["cohen"] = cohen_json(opinions);
  json["fleiss"] = {{"kappa", number_or_null(fleiss.value)}, {"n", fleiss.items}};
  json["krippendorff"] = {{"alpha", number_or_null(alpha.value)}, {"n", alpha.items}};
  json["intra"] = intra_json(opinions);
  return json_reply(json);
}

AskedItem asked(const PeopleStore::Item& item) {
  AskedItem asked;
  asked.clip = item.clip;
  asked.video = item.video;
  asked.start_s = item.start_s;
  asked.end_s = item.end_s;
  asked.kind = item.kind == "ranges" ? AskedKind::ranges : AskedKind::clip;
  asked.asked_ms = utc_ms(item.created).value_or(0);
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
    if (clips.insert(item.clip).second) questions.items.push_back(asked(item));
  }
  return questions;
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
  return answer_file(format, questions_of(services, study, items, answers), rows, options);
}

Reply get_export(Services& services, const Call& call) {
  const std::string study = call.text("study");
  if (study.empty()) refuse_request("study: it is missing; name one");
  if (call.text("format").empty()) refuse_request("format: it is missing; csv or label-studio");
  const std::string format = call.word("format", {"csv", "label-studio", "cvat"});
  if (!services.studies.has(study))
    refuse_unknown(fmt::format("study {}: there is none of the name", excerpt(study, 60)));
  if (format == "cvat") {
    refuse_request("format: CVAT takes no answers of others; take csv or label-studio, or ask in "
                   "CVAT by distal ask");
  }
  const AskFile file = export_file(services, study, format);
  Reply reply;
  reply.type = format == "csv" ? "text/csv; charset=utf-8" : "application/json";
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
