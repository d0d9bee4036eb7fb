#include "distal/study/asked_of_people.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/document.h"
#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/store/store.h"
#include "distal/study/recipe.h"

namespace distal {
namespace {

constexpr int64_t kPage = 1000;

std::vector<PeopleStore::Item> items_of(PeopleStore& people, const std::string& study,
                                        bool open_only) {
  PeopleStore::ItemFilter filter;
  filter.study = study;
  if (open_only) filter.state = "open";
  std::vector<PeopleStore::Item> all;
  for (int64_t after = 0;;) {
    const std::vector<PeopleStore::Item> page = people.items(filter, after, kPage);
    all.insert(all.end(), page.begin(), page.end());
    if (std::ssize(page) < kPage) break;
    after = page.back().id;
  }
  // What is open comes first where a clip was asked about twice.
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.state != "open", a.round, a.position) <
           std::tuple(b.state != "open", b.round, b.position);
  });
  return all;
}

std::vector<double> guess_of(PeopleStore& people, const PeopleStore::Item& item,
                             const std::vector<std::string>& classes) {
  for (const PeopleStore::Reason& reason : people.reasons(item.id)) {
    if (reason.guess_json.empty()) continue;
    const nlohmann::json by_class = parse_json(reason.guess_json, "guess of " + item.clip);
    std::vector<double> guess;
    for (const std::string& name : classes) guess.push_back(by_class.value(name, 0.0));
    return guess;
  }
  return {};
}

// A section of the last recipe: an earlier one may have said otherwise.
std::optional<Document> section_of_study(Store& store, const std::string& study,
                                         const std::string& name) {
  const std::vector<Store::Run> runs = store.runs();
  for (auto at = runs.rbegin(); at != runs.rend(); ++at) {
    const Store::Run& run = *at;
    if (!run.name.starts_with(study + "/")) continue;
    if (auto found = Document::text(run.recipe, "recipe of " + run.name).section(name))
      return found;
  }
  return std::nullopt;
}

}  // namespace

std::string study_of_people(PeopleStore& people, const std::string& named) {
  std::set<std::string> studies;
  for (const PeopleStore::Progress& progress : people.progress()) studies.insert(progress.study);
  if (named.empty() && studies.size() == 1) return *studies.begin();
  const std::string name = slug(std::filesystem::path(named).lexically_normal().stem().string());
  if (studies.contains(named)) return named;
  if (studies.contains(name)) return name;
  if (studies.empty())
    fail("nobody is asked anything in this store; start the study first: distal run RECIPE, with "
         "oracle: {{kind: people}} in it and the same --store");
  fail("{}: no study of that name asks people in this store; it has {}",
       named.empty() ? "which study?" : named, fmt::join(studies, ", "));
}

std::vector<std::string> classes_of_study(Store& store, const std::string& study) {
  const auto data = section_of_study(store, study, "data");
  if (!data)
    fail("study {}: the store has no trial of it; start it first: distal run RECIPE", study);
  DataOptions options;
  data->read(options);
  return options.classes;
}

std::string probes_of_study(Store& store, const std::string& study) {
  CacheOptions options;
  if (const auto cache = section_of_study(store, study, "cache")) cache->read(options);
  return options.probes_folder();
}

AskedOfPeople asked_of_people(Store& store, PeopleStore& people, const std::string& study,
                              bool open_only) {
  AskedOfPeople asked;
  asked.questions.classes = classes_of_study(store, study);
  std::set<std::string> seen;
  for (const PeopleStore::Item& item : items_of(people, study, open_only)) {
    // A file names a clip once, and whoever has it may answer: a repeat is for one person.
    if (item.purpose == "repeat" || !seen.insert(item.clip).second) continue;
    AskedItem question;
    question.clip = item.clip;
    question.video = item.video;
    question.start_s = item.start_s;
    question.end_s = item.end_s;
    question.kind = item.kind == "ranges" ? AskedKind::ranges : AskedKind::clip;
    question.guess = guess_of(people, item, asked.questions.classes);
    asked.questions.items.push_back(std::move(question));
    asked.items.push_back(item.id);
  }
  return asked;
}

bool asks_ranges(const AskedOfPeople& asked) {
  return std::ranges::any_of(asked.questions.items,
                             [](const AskedItem& item) { return item.kind == AskedKind::ranges; });
}

std::vector<PeopleStore::NewAnswer> answers_for_store(const AskedOfPeople& asked,
                                                      const std::vector<GivenAnswer>& answers,
                                                      int64_t now_ms) {
  std::map<std::string, int64_t> item_of;
  for (size_t i = 0; i < asked.items.size(); ++i)
    item_of[asked.questions.items[i].clip] = asked.items[i];
  std::vector<PeopleStore::NewAnswer> all;
  for (const GivenAnswer& given : answers) {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format(
        "{}-{:016x}", given.source,
        fnv1a(fmt::format("{}|{}|{}|{}", given.clip, given.person, given.answered_ms, given.id)));
    answer.item = item_of.at(given.clip);
    answer.person = given.person;
    answer.class_name = given.class_name;
    answer.skipped = given.skipped;
    answer.unsure = given.unsure;
    answer.note = given.note;
    answer.source = given.source;
    answer.answered_ms = given.answered_ms > 0 ? given.answered_ms : now_ms;
    answer.seconds = given.seconds.value_or(0);
    if (given.answered_ms > 0)
      answer.began_ms = given.answered_ms - static_cast<int64_t>(1000 * answer.seconds);
    for (const AnsweredRange& range : given.ranges)
      answer.ranges.push_back({range.start_s, range.end_s, range.class_name});
    all.push_back(std::move(answer));
  }
  return all;
}

}  // namespace distal
