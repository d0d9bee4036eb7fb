// Persons: at the page of `distal serve`, or by files (`distal ask`, `distal answer`). What they
// are asked lies in the store until they answer, whichever process asked.

#include <chrono>
#include <set>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/oracles/oracle.h"
#include "distal/store/people_store.h"

namespace distal::kinds {
namespace {

int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

class Persons final : public OpenOracle {
 public:
  Persons(const OracleSetup& setup, int64_t wanted)
      : store_(setup.store_url), classes_(setup.classes), study_(setup.study), wanted_(wanted) {}

  void submit(OracleRequest request) override {
    expect(request.clips.size() == 1, "persons are asked about one clip in a request");
    store_.add_items({item_of(request)}, now_ms());
    out_.insert(request.key);
  }

  std::vector<OracleReply> collect(Wait) override {  // nobody waits for persons
    std::vector<OracleReply> replies;
    for (auto key = out_.begin(); key != out_.end();) {
      const auto settled = store_.take_settled(*key);
      if (!settled) {
        ++key;
        continue;
      }
      replies.push_back(reply_of(*key, settled->front()));
      key = out_.erase(key);
    }
    return replies;
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

  std::string version() const override { return fmt::format("people-{}", wanted_); }

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
    item.wanted = wanted_;
    if (request.why.empty()) return item;
    const AskedFor& why = request.why.front();
    item.purpose = why.purpose;
    item.round = why.round;
    item.position = why.position;
    if (!why.strategy.empty()) item.reasons.push_back({why.strategy, 0, guess_text(why.guess), ""});
    return item;
  }

  std::string guess_text(const std::vector<double>& guess) const {
    if (guess.empty()) return "";
    nlohmann::json by_class = nlohmann::json::object();
    for (size_t k = 0; k < guess.size(); ++k) by_class[classes_.names[k]] = guess[k];
    return json_text(by_class);
  }

  OracleReply reply_of(const std::string& key, const PeopleStore::Settled& settled) const {
    const PeopleStore::Item& item = settled.item;
    if (item.state != "settled") {
      const char* why = item.state == "withdrawn" ? "withdrawn before anybody answered"
                                                  : "nobody could say what it shows";
      return {key, OracleReply::Outcome::unusable, {}, fmt::format("{}: {}", item.clip, why)};
    }
    const auto label = classes_.index(item.class_name);
    if (!label) {
      return {
          key,
          OracleReply::Outcome::unusable,
          {},
          fmt::format("{}: the answer '{}' is none of data.classes", item.clip, item.class_name)};
    }
    const torch::Tensor answer = torch::zeros({1, classes_.size()});
    answer.data_ptr<float>()[*label] = 1;
    return {key, OracleReply::Outcome::answered, answer};
  }

  mutable PeopleStore store_;
  Classes classes_;
  std::string study_;
  int64_t wanted_;
  mutable std::set<std::string> out_;  // requests whose replies were not given yet
  std::set<std::string> given_;        // their replies are stored
};

}  // namespace

class People final : public Oracle {
 public:
  struct Options {
    int64_t people = 1;
    void visit(OptionVisitor& v) const {
      v("people", people, "persons who answer about each clip, blind to each other",
        between(1, 100));
    }
    bool operator==(const Options&) const = default;
  };
  explicit People(const Options& options) : options_(options) {}

  OracleTraits traits() const override {
    return {.soft = false,
            .bills_unusable = false,
            .derived_clips = false,
            .frames = false,
            .people = true};
  }
  std::string line() const override {
    return options_.people == 1 ? "people"
                                : fmt::format("people, {} about each clip", options_.people);
  }
  std::string answer_options() const override { return ""; }
  OpenedOracle open(const OracleSetup& setup) const override {
    if (setup.store_url.empty())
      fail("oracle.kind = people keeps what it asks in the store of a run; there is none here");
    return {std::make_unique<Persons>(setup, options_.people), line()};
  }

 private:
  Options options_;
};

extern const Entry<Oracle> people;
const Entry<Oracle> people = entry<Oracle, People>(
    "persons at the page of distal serve, or by files; what they are asked lies in the store",
    "B. Settles, Active learning literature survey, University of Wisconsin-Madison, TR 1648, "
    "2009");

}  // namespace distal::kinds
