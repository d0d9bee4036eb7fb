// Answers of people.

#include <algorithm>

#include "distal/base/text.h"
#include "distal/serve/item_json.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kAnswersAPage = 50;
constexpr int64_t kMostAnswerPages = 1'000'000;
constexpr size_t kLongestNote = 4000;
constexpr size_t kLongestClass = 1000;
constexpr int64_t kLatest_ms = 253'402'300'799'999;  // the year 9999

bool is_uuid(const std::string& text) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, kShape, [](char letter, char shape) {
    const bool is_digit = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
    return shape == '-' ? letter == '-' : is_digit;
  });
}

std::string class_in(const Fields& fields, const std::vector<std::string>& classes) {
  const std::string name = fields.text("class", 1, kLongestClass);
  if (!classes.empty() && std::ranges::find(classes, name) == classes.end()) {
    throw Refusal(
        422, "unknown_class",
        fmt::format("class: {} is none of the study's; GET classes lists them", excerpt(name, 60)));
  }
  return name;
}

std::vector<PeopleStore::Range> ranges_in(const Json& list,
                                          const std::vector<std::string>& classes) {
  std::vector<PeopleStore::Range> ranges;
  for (const nlohmann::json row : list) {
    const Fields fields(row, {"start_s", "end_s", "class"});
    ranges.push_back(
        {fields.number("start_s", 0), fields.number("end_s", 0), class_in(fields, classes)});
  }
  return ranges;
}

PeopleStore::NewAnswer answer_in(Services& services, const Call& call, PeopleStore& store) {
  const Fields fields(
      call.body, {"item", "class", "skipped", "unsure", "note", "ranges", "began_ms", "seconds"});
  PeopleStore::NewAnswer answer;
  answer.uuid = call.part("uuid");
  answer.item = fields.whole("item", 1, INT64_MAX);
  const auto item = store.item(answer.item);
  if (!item) refuse_unknown(fmt::format("item {}: there is none", answer.item));
  const auto classes = services.studies.classes(item->study);
  answer.person = call.caller->name;
  if (fields.has("class")) answer.class_name = class_in(fields, classes);
  answer.skipped = fields.has("skipped") && fields.truth("skipped");
  answer.unsure = fields.truth("unsure");
  answer.note = fields.text("note", 0, kLongestNote);
  if (fields.has("ranges")) answer.ranges = ranges_in(fields.list("ranges"), classes);
  const int said = (answer.class_name.empty() ? 0 : 1) + (answer.skipped ? 1 : 0) +
                   (fields.has("ranges") ? 1 : 0);
  if (said != 1) refuse_content("answer: send one of class, ranges and skipped: true");
  answer.began_ms = fields.whole("began_ms", 0, kLatest_ms);
  answer.answered_ms = services.options.now();
  answer.seconds = fields.number("seconds", 0);
  return answer;
}

// An adjudicator's word about people who disagree stands above theirs; sent again it is the same.
bool decides(const Call& call, PeopleStore& store, const PeopleStore::NewAnswer& answer) {
  if (!call.may(Role::adjudicator)) return false;
  if (const auto before = store.answer(answer.uuid)) return before->decides;
  const auto item = store.item(answer.item).value();
  return item.conflict || (item.agree != "all" && item.state == "settled");
}

Reply put_answer(Services& services, const Call& call) {
  if (!is_uuid(call.part("uuid"))) refuse_content("uuid: it is none; send one in lower case");
  const auto store = services.people.borrow();
  const auto answer = answer_in(services, call, *store);
  const PeopleStore::Put put = decides(call, *store, answer)
                                   ? store->decide(answer)
                                   : store->put(answer, services.options.now());
  services.events.look_now();
  return json_reply({{"uuid", answer.uuid}, {"state", put.state}});
}

// The item is the caller's again, where somebody is still to answer it.
Json again(Services& services, const Call& call, PeopleStore& store, int64_t item) {
  try {
    const int64_t until =
        store.renew(item, call.caller->name, call.caller->session, services.options.now());
    return item_json(services, store, store.item(item).value(), call.caller->name, until);
  } catch (const PeopleRefused&) {
    return nullptr;
  }
}

Reply undo_answer(Services& services, const Call& call) {
  const auto store = services.people.borrow();
  const auto answer = store->undo(call.part("uuid"), call.caller->name, services.options.now());
  const Json item = again(services, call, *store, answer.item);
  services.events.look_now();
  return json_reply(
      {{"uuid", answer.uuid}, {"state", store->item(answer.item).value().state}, {"item", item}});
}

Reply my_answers(Services& services, const Call& call) {
  const int64_t count = call.whole("count", 1, 200, 20);
  const auto store = services.people.borrow();
  const PeopleStore::AnswerFilter mine{.person = call.caller->name, .undone = true};
  return json_reply({{"answers", answers_json(*store, store->answers_at(mine, 0, count))}});
}

Reply all_answers(Services& services, const Call& call) {
  const int64_t page = call.whole("page", 0, kMostAnswerPages, 0);
  const auto store = services.people.borrow();
  const PeopleStore::AnswerFilter filter{.person = call.text("person"), .undone = true};
  const auto found = store->answers_at(filter, page * kAnswersAPage, kAnswersAPage);
  return json_reply({{"answers", answers_json(*store, found)},
                     {"total", store->count_answers(filter)},
                     {"page", page}});
}

}  // namespace

std::vector<Route> answer_routes() {
  return {{"PUT", "/answers/{uuid}", Role::annotator, true, put_answer},
          {"DELETE", "/answers/{uuid}", Role::annotator, true, undo_answer},
          {"GET", "/answers/mine", Role::annotator, false, my_answers},
          {"GET", "/answers", Role::adjudicator, false, all_answers}};
}

}  // namespace distal::serve
