#include "distal/study/asked_clips.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "distal/base/json.h"
#include "distal/store/people_store.h"
#include "distal/study/people_results.h"

namespace distal {
namespace {

constexpr int64_t kItemsPage = 1000;

// The people whom a study asks; none where it asks an oracle alone.
class PeopleOf {
 public:
  PeopleOf(const std::string& store_url, const Study& study, const Classes& classes)
      : study_(study.name), classes_(classes) {
    auto store = std::make_unique<PeopleStore>(store_url);
    if (!store->progress(study_).empty()) store_ = std::move(store);
  }

  /// What people said about a clip, and who; nothing where nobody did.
  std::optional<AskedClip> answer_about(const std::string& clip) const {
    if (!store_) return std::nullopt;
    PeopleStore::ItemFilter of_clip;
    of_clip.study = study_;
    of_clip.clip = clip;
    for (const PeopleStore::Item& item : store_->items(of_clip, 0, kItemsPage)) {
      if (item.state == "settled") return answer_of(item);
    }
    return std::nullopt;
  }

  void add_totals(Results& results) const {
    if (!store_) return;
    results.people = people_results(*store_, study_);
    results.answered_twice = answered_twice();
  }

 private:
  AskedClip answer_of(const PeopleStore::Item& item) const {
    AskedClip asked;
    asked.answer = classes_.index(item.class_name).value_or(-1);
    PeopleStore::AnswerFilter of_item;
    of_item.item = item.id;
    std::set<std::string> names;
    for (const PeopleStore::Answer& answer : store_->answers_after(of_item, 0, kItemsPage)) {
      if (answer.class_name == item.class_name) names.insert(answer.person);
    }
    for (const std::string& name : names) asked.by += (asked.by.empty() ? "" : ", ") + name;
    return asked;
  }

  int64_t answered_twice() const {
    std::map<int64_t, std::string> first;  // by item
    std::set<int64_t> twice;
    PeopleStore::AnswerFilter of_study;
    of_study.study = study_;
    for (int64_t after = 0;;) {
      const auto page = store_->answers_after(of_study, after, kItemsPage);
      for (const PeopleStore::Answer& answer : page) {
        if (first.try_emplace(answer.item, answer.person).first->second != answer.person)
          twice.insert(answer.item);
      }
      if (std::ssize(page) < kItemsPage) return std::ssize(twice);
      after = page.back().id;
    }
  }

  std::string study_;
  const Classes& classes_;
  std::unique_ptr<PeopleStore> store_;
};

std::vector<std::string> keys_of(const StoredRound& round) {
  return parse_json(round.picks_json, "clips of a round").get<std::vector<std::string>>();
}

int64_t most_probable(const std::vector<double>& probabilities) {
  if (probabilities.empty()) return -1;
  return std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
}

// What the store or the lists say about clips.
class Told {
 public:
  Told(const Dataset& dataset, Store& store, const PeopleOf& people, const Answerer& who)
      : filmed_(dataset.filmed()), store_(store), people_(people), who_(who) {}

  /// `given`: the labels of the lists were used, and nobody was asked but people.
  AskedRound round(const StoredRound& stored, bool given) const {
    const std::vector<std::string> keys = keys_of(stored);
    AskedRound asked{stored.round, std::ssize(keys), {}};
    const std::vector<std::string> shown(keys.begin(),
                                         keys.begin() + std::min(keys.size(), kMostAskedShown));
    const auto answers = given ? std::vector<std::optional<StoredAnswer>>(shown.size())
                               : store_.find_answers(shown, who_.oracle, who_.version);
    for (size_t i = 0; i < shown.size(); ++i) {
      if (const auto clip = find_clip(shown[i], filmed_))
        asked.shown.push_back(told(shown[i], *clip, answers[i]));
    }
    return asked;
  }

 private:
  AskedClip told(const std::string& key, const Clip& clip,
                 const std::optional<StoredAnswer>& answer) const {
    AskedClip asked = people_.answer_about(key).value_or(AskedClip());
    asked.clip = clip;
    if (!asked.by.empty()) return asked;
    if (answer) {
      asked.answer = most_probable(answer->probabilities);
      asked.by = answer->oracle;
    } else if (clip.label >= 0) {
      asked.answer = clip.label;
      asked.by = "list";
    }
    return asked;
  }

  FilmedClips filmed_;
  Store& store_;
  const PeopleOf& people_;
  const Answerer& who_;
};

// Round 0 takes the labels of the lists, unless the arm asks about its start too.
bool start_is_given(const Study& study, const std::string& arm) {
  return std::none_of(study.arms.begin(), study.arms.end(), [&](const Arm& other) {
    return other.name == arm && other.options.ask_start;
  });
}

}  // namespace

void add_asked(Results& results, const std::vector<int64_t>& runs, const Study& study,
               const Dataset& dataset, Store& store, const std::string& store_url,
               const Answerer& who) {
  const PeopleOf people(store_url, study, dataset.classes);
  people.add_totals(results);
  const Told told(dataset, store, people, who);
  for (size_t i = 0; i < results.trials.size(); ++i) {
    Trial& trial = results.trials[i];
    if (trial.seed != study.shared.seed) continue;
    for (const StoredRound& round : store.rounds(runs[i])) {
      if (round.round >= std::ssize(trial.rounds)) continue;
      const bool given = round.round == 0 && start_is_given(study, trial.arm);
      trial.asked.push_back(told.round(round, given));
    }
  }
}

}  // namespace distal
