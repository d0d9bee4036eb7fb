// Persons: at the page of `distal serve`, or by files (`distal ask`, `distal answer`). What they
// are asked lies in the store until they answer, whichever process asked.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/json.h"
#include "distal/base/random.h"
#include "distal/oracles/oracle.h"
#include "distal/oracles/people_labels.h"
#include "distal/oracles/people_ranges.h"
#include "distal/people/pace.h"
#include "distal/store/people_store.h"

namespace distal::kinds {

struct PeopleOptions {
  int64_t people = 1;
  std::string agree = "all";
  double repeats = 0;
  int64_t repeat_after = 20;  // answers of the person
  double share = 1;
  int64_t rank_again = 20;
  bool shows_first = false;
  std::string answers = "class";
  double min_cover = CoverRule().min_cover;
  std::string background;
  void visit(OptionVisitor& v) const {
    v("people", people, "persons who answer about each clip, blind to each other", between(1, 100));
    v("agree", agree,
      "with several people, what settles a clip: all say the same, or an adjudicator decides; the "
      "majority; or the consensus of Dawid and Skene over all answers of the study, whose "
      "probabilities are learned from",
      one_of({"all", "majority", "dawid_skene"}));
    v("repeats", repeats,
      "share of a person's clips that the same person is asked about again, to see whether the "
      "answer is the same; never learned from",
      between(0, 1));
    v("repeat_after", repeat_after,
      "with repeats, at least this many answers of the person lie between the two", at_least(1));
    v("share", share,
      "share of the clips of a round that must be answered before the round goes on; the others "
      "are withdrawn and may be chosen again; the test clips are all waited for",
      between(0.01, 1));
    v("rank_again", rank_again,
      "answers of a round after which a student learns from them, and scores and orders again "
      "what is still open of the round, where a training takes less time than people need for "
      "that; the answers can still be undone; 0: never",
      at_least(0));
    v("shows_first", shows_first,
      "of two oracles, persons may see what the first said about a clip, behind the key that shows "
      "the student's guess; who sees it tends to confirm it");
    v("answers", answers,
      "what persons say: the class of each clip; or ranges of classes on the time line of a "
      "whole video, which label its segments",
      one_of({"class", "ranges"}));
    v("min_cover", min_cover,
      "with answers: ranges, the share of a segment that its class covers at least; other "
      "segments are left out",
      between(0.001, 1));
    v("background", background,
      "with answers: ranges, the class of the time that no range covers; empty: it has none");
  }
  bool operator==(const PeopleOptions&) const = default;
};

namespace {

int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

class Persons final : public OpenOracle {
 public:
  Persons(const OracleSetup& setup, const PeopleOptions& options)
      : store_(setup.store_url), classes_(setup.classes), study_(setup.study), options_(options) {}

  void submit(OracleRequest request) override {
    expect(request.clips.size() == 1, "persons are asked about one clip in a request");
    const PeopleStore::NewItem item = item_of(request);
    store_.add_items({item}, now_ms());
    move_repeats(item.budget);
    out_.insert(request.key);
  }

  void ask_together(const std::vector<std::string>& keys) override {
    together_ = std::set(keys.begin(), keys.end());
  }

  // Nobody waits for persons. What was asked together is taken together: until then they may take
  // back what they said, and a consensus does not depend on when somebody looked. What was
  // withdrawn is asked about anew meanwhile.
  std::vector<OracleReply> collect(Wait wait) override {
    if (out_.empty()) return {};
    store_.withdraw_spent(now_ms());
    if (wait == Wait::none) return {};  // not all are asked yet
    // Where an arm shares clips with another one, each takes what it asks about itself.
    std::vector<std::string> keys(out_.begin(), out_.end());
    if (together_) std::erase_if(keys, [&](const auto& key) { return !together_->contains(key); });
    if (std::ranges::any_of(keys, [&](const auto& key) { return is_open(key); }))
      std::erase_if(keys, [&](const auto& key) { return !is_to_ask_anew(key); });
    return take(keys);
  }

  std::vector<OracleReply> look(const std::vector<std::string>& keys) override {
    std::vector<std::string> finished;
    std::vector<PeopleStore::Settled> items;
    for (const std::string& key : keys) {
      const auto settled = store_.settled(key);
      if (!settled) continue;
      finished.push_back(key);
      items.push_back(settled->front());
    }
    return replies_of(finished, items, opinions());
  }

  // The ledger asks about each request that concerns it before it collects: those of earlier
  // processes are found here.
  bool holds(const std::string& key) const override {
    if (out_.contains(key)) return true;
    if (given_.contains(key) || store_.standing(key).items == 0) return false;
    out_.insert(key);
    return true;
  }

  void settle(const std::string& key) override { given_.insert(key); }

  std::vector<PersonTime> person_times(const ClipRefs& clips) override {
    std::vector<std::string> keys;
    for (const Clip* clip : clips) keys.push_back(clip->key());
    pace_ = measured_pace();
    const auto known = store_.clip_times(keys, study_, version());
    std::vector<PersonTime> times;
    for (size_t i = 0; i < clips.size(); ++i) {
      const double expected_s = static_cast<double>(options_.people) * (1 + options_.repeats) *
                                pace_->seconds(clips[i]->duration_s());
      times.push_back(
          {known[i].asked, known[i].taken, known[i].asked ? known[i].most : expected_s});
    }
    return times;
  }

  void rank_again(const std::vector<OracleRequest>& requests) override {
    std::vector<PeopleStore::Ranked> items;
    for (const OracleRequest& request : requests)
      items.push_back({request.key, request.clips.front().key(), reason_of(request.why.front())});
    store_.rank_again(items);
  }

  std::string version() const override {
    const std::string rule = options_.agree == "all" ? "" : "-" + options_.agree;
    return fmt::format("people-{}{}", options_.people, rule);
  }

 private:
  PeopleStore::NewItem item_of(const OracleRequest& request) const {
    const Clip& clip = request.clips.front();
    PeopleStore::NewItem item;
    item.request = request.key;
    item.clip = clip.key();
    item.video = clip.video;
    item.start_s = clip.start_s;
    item.end_s = clip.end_s;
    item.study = study_;
    item.version = version();
    item.wanted = options_.people;
    item.agree = options_.agree;
    if (!pace_) pace_ = measured_pace();
    item.expected_s = pace_->seconds(clip.duration_s());
    if (request.why.empty()) return item;
    const AskedFor& why = request.why.front();
    item.purpose = why.purpose;
    item.round = why.round;
    item.position = why.position;
    item.budget = why.budget.name;
    item.budget_s = why.budget.seconds;
    if (!why.strategy.empty()) item.reasons.push_back(reason_of(why));
    if (options_.shows_first) item.first_json = guess_text(why.first_said);
    return item;
  }

  PeopleStore::Reason reason_of(const AskedFor& why) const {
    return {why.strategy, why.score, guess_text(why.guess), neighbours_text(why.neighbours)};
  }

  std::string neighbours_text(const std::vector<AnsweredNeighbour>& neighbours) const {
    nlohmann::json all = nlohmann::json::array();
    for (const AnsweredNeighbour& neighbour : neighbours) {
      const Clip& clip = neighbour.clip;
      nlohmann::json row = {{"clip", clip.key()},
                            {"class", classes_.names.at(neighbour.label)},
                            {"distance", neighbour.distance},
                            {"video", clip.video.str()},
                            {"start_s", clip.start_s}};
      if (std::isfinite(clip.end_s)) row["end_s"] = clip.end_s;
      all.push_back(row);
    }
    return all.empty() ? "" : json_text(all);
  }

  std::string guess_text(const std::vector<double>& guess) const {
    if (guess.empty()) return "";
    nlohmann::json by_class = nlohmann::json::object();
    for (size_t k = 0; k < guess.size(); ++k) by_class[classes_.names[k]] = guess[k];
    return json_text(by_class);
  }

  PeoplePace measured_pace() const {
    std::vector<TimedClip> timed;
    for (const auto& answer : store_.timed_answers(study_, kTimedAnswers))
      timed.push_back({answer.clip_s, answer.seconds});
    return people_pace(timed);
  }

  // Repeats take people's time too: that of the round in which they are asked.
  void move_repeats(const std::string& budget) {
    if (options_.repeats == 0 || budget == repeats_in_) return;
    store_.move_repeats(study_, budget);
    repeats_in_ = budget;
  }

  bool is_open(const std::string& key) const { return store_.standing(key).open > 0; }

  bool is_to_ask_anew(const std::string& key) const {
    const auto items = store_.items({.request = key}, 0, 1);
    return !items.empty() && items[0].state == "withdrawn" && items[0].budget.empty();
  }

  // What is not open any more, of the requests. From now on its answers are used.
  std::vector<OracleReply> take(const std::vector<std::string>& keys) {
    std::vector<std::string> taken;
    std::vector<PeopleStore::Settled> items;
    for (const std::string& key : keys) {
      const auto settled = store_.take_settled(key);
      if (!settled) continue;
      taken.push_back(key);
      items.push_back(settled->front());
    }
    if (items.empty()) return {};
    pace_.reset();
    auto used = opinions();
    std::erase_if(used, [](const PeopleStore::Opinion& opinion) { return !opinion.used; });
    const std::vector<OracleReply> replies = replies_of(taken, items, used);
    for (size_t i = 0; i < items.size(); ++i) {
      add_repeats(items[i]);
      out_.erase(taken[i]);
    }
    return replies;
  }

  std::vector<OracleReply> replies_of(const std::vector<std::string>& keys,
                                      const std::vector<PeopleStore::Settled>& items,
                                      const std::vector<PeopleStore::Opinion>& opinions) const {
    const auto labels = people_labels(options_.agree, items, opinions, classes_);
    std::vector<OracleReply> replies;
    for (size_t i = 0; i < items.size(); ++i)
      replies.push_back(reply_of(keys[i], items[i].item, labels[i]));
    return replies;
  }

  // Of what this kind asked, where a consensus wants them.
  std::vector<PeopleStore::Opinion> opinions() const {
    if (options_.agree != "dawid_skene") return {};
    auto all = store_.opinions(study_);
    std::erase_if(all, [&](const PeopleStore::Opinion& opinion) {
      return opinion.purpose == "repeat" || opinion.version != version();
    });
    return all;
  }

  // Which ones is a matter of clip and person alone.
  void add_repeats(const PeopleStore::Settled& settled) {
    std::vector<PeopleStore::NewItem> items;
    for (const PeopleStore::Answer& answer : settled.answers) {
      if (answer.decides || answer.skipped || settled.item.kind != "clip") continue;
      Random random(fnv1a(fmt::format("{}|{}", settled.item.clip, answer.person)));
      if (random.uniform() < options_.repeats) items.push_back(repeat_of(settled.item, answer));
    }
    if (!items.empty()) store_.add_items(items, now_ms());
  }

  PeopleStore::NewItem repeat_of(const PeopleStore::Item& item,
                                 const PeopleStore::Answer& answer) const {
    PeopleStore::NewItem repeat = item;
    repeat.request = fmt::format("repeat of {} by {}", item.id, answer.person);
    repeat.purpose = "repeat";
    repeat.for_person = answer.person;
    repeat.wanted = 1;
    repeat.budget.clear();
    const PeopleStore::AnswerFilter theirs{.person = answer.person, .undone = true};
    const int64_t since =
        std::ssize(store_.answers_after(theirs, answer.id, options_.repeat_after));
    if (since < options_.repeat_after)
      repeat.after_answers = store_.count_answers(theirs) - since + options_.repeat_after;
    return repeat;
  }

  OracleReply reply_of(const std::string& key, const PeopleStore::Item& item,
                       const std::vector<double>& label) const {
    if (item.state == "withdrawn" && item.budget.empty())
      return {key, OracleReply::Outcome::withdrawn, {}, ""};
    if (item.state != "settled") {
      const char* why = item.state == "withdrawn" ? "the minutes of its round were used up"
                                                  : "nobody could say what it shows";
      return {key, OracleReply::Outcome::unusable, {}, fmt::format("{}: {}", item.clip, why)};
    }
    if (label.empty()) {
      return {
          key,
          OracleReply::Outcome::unusable,
          {},
          fmt::format("{}: the answer '{}' is none of data.classes", item.clip, item.class_name)};
    }
    const torch::Tensor answer = torch::tensor(label, torch::kFloat64).to(torch::kFloat32);
    return {key, OracleReply::Outcome::answered, answer.unsqueeze(0)};
  }

  mutable PeopleStore store_;
  Classes classes_;
  std::string study_;
  PeopleOptions options_;
  mutable std::optional<PeoplePace> pace_;         // until more answers come
  std::string repeats_in_;                         // the budget that counts them
  mutable std::set<std::string> out_;              // requests whose replies were not given yet
  std::set<std::string> given_;                    // their replies are stored
  std::optional<std::set<std::string>> together_;  // requests of one question; nothing: all
};

}  // namespace

class People final : public Oracle {
 public:
  using Options = PeopleOptions;
  explicit People(const Options& options) : options_(options) {}

  OracleTraits traits() const override {
    return {.soft = false,
            .bills_unusable = false,
            .derived_clips = false,
            .frames = false,
            .people = true,
            .share = options_.share,
            .rank_again = by_ranges() ? 0 : options_.rank_again,
            .by_video = by_ranges(),
            .shows_first = options_.shows_first};
  }
  std::string contradiction(const std::vector<std::string>& classes) const override {
    return by_ranges() ? of_ranges(classes) : of_classes();
  }
  std::string line() const override {
    const std::string rule = options_.agree == "all"        ? ""
                             : options_.agree == "majority" ? ", majority vote"
                                                            : ", consensus of Dawid and Skene";
    const char* what = by_ranges() ? "video, by ranges" : "clip";
    if (options_.people == 1) return by_ranges() ? "people, by ranges of whole videos" : "people";
    return fmt::format("people, {} about each {}{}", options_.people, what, rule);
  }
  double person_seconds(double clip_seconds) const override {
    return static_cast<double>(options_.people) * (1 + options_.repeats) *
           assumed_seconds(clip_seconds);
  }
  std::string answer_options() const override {
    if (!by_ranges()) return "";
    return fmt::format("ranges, min_cover {}, background '{}'", options_.min_cover,
                       options_.background);
  }
  OpenedOracle open(const OracleSetup& setup) const override {
    if (setup.store_url.empty())
      fail("oracle.kind = people keeps what it asks in the store of a run; there is none here");
    if (by_ranges())
      return {people_by_ranges(setup, options_.people, {options_.min_cover, options_.background}),
              line()};
    return {std::make_unique<Persons>(setup, options_), line()};
  }

 private:
  bool by_ranges() const { return options_.answers == "ranges"; }
  std::string of_ranges(const std::vector<std::string>& classes) const {
    if (options_.agree != "all" || options_.repeats > 0 || options_.share < 1)
      return "agree, repeats and share are of clips, and people answer about whole videos by "
             "ranges; leave these options out, or answers: ranges";
    if (options_.background.empty() || std::ranges::count(classes, options_.background) > 0)
      return "";
    return fmt::format(
        "background = '{}' is no class; name it in data.classes too, or leave it out",
        options_.background);
  }
  std::string of_classes() const {
    if (options_.min_cover != CoverRule().min_cover || !options_.background.empty())
      return "min_cover and background are of ranges, and people answer by classes; set answers: "
             "ranges, or leave them out";
    if (options_.agree == "all") return "";
    if (options_.people == 1)
      return fmt::format("agree = {} makes one answer of several, and people is 1; set people, say "
                         "3",
                         options_.agree);
    if (options_.share == 1) return "";
    return fmt::format("share = {:g} lets a round go on clip by clip, and agree = {} settles a "
                       "round as a whole; leave one of them out",
                       options_.share, options_.agree);
  }
  Options options_;
};

extern const Entry<Oracle> people;
const Entry<Oracle> people = entry<Oracle, People>(
    "persons at the page of distal serve, or by files; what they are asked lies in the store",
    "B. Settles, Active learning literature survey, University of Wisconsin-Madison, TR 1648, "
    "2009");

}  // namespace distal::kinds
