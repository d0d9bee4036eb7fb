#include "distal/oracles/people_ranges.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/store/people_store.h"

namespace distal {
namespace {

constexpr int64_t kMostItems = 1000;  // of one video that are looked through

int64_t utc_now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// The whole video of a clip.
Clip recording_of(const Clip& clip) {
  Clip whole;
  whole.video = clip.video;
  whole.video_id = clip.video_id;
  return whole;
}

class PeopleByRanges final : public OpenOracle {
 public:
  PeopleByRanges(const OracleSetup& setup, int64_t wanted, const CoverRule& rule)
      : store_(setup.store_url),
        classes_(setup.classes),
        study_(setup.study),
        wanted_(wanted),
        rule_(rule) {}

  void submit(OracleRequest request) override {
    const Interned& video = request.clips.front().video;
    expect(std::ranges::all_of(request.clips, [&](const Clip& c) { return c.video == video; }),
           "people mark ranges on one video in a request");
    const std::string asked = request_of_item(request);
    out_[request.key] = {asked, std::move(request.clips)};
  }

  std::vector<OracleReply> collect(Wait) override {  // nobody waits for people
    std::vector<OracleReply> replies;
    for (auto at = out_.begin(); at != out_.end();) {
      const auto settled = store_.take_settled(at->second.item_request);
      if (!settled) {
        ++at;
        continue;
      }
      replies.push_back(reply_of(at->first, at->second.clips, settled->front()));
      at = out_.erase(at);
    }
    return replies;
  }

  // What earlier processes asked is sent again: the item stands as it is, and the clips of the
  // request become known here.
  bool holds(const std::string& key) const override { return out_.contains(key); }

  std::string version() const override { return fmt::format("people-{}-ranges", wanted_); }

 private:
  struct Out {
    std::string item_request;  // the request that added the item
    std::vector<Clip> clips;
  };

  // The request that the item of the video stands under, which is added where there is none.
  std::string request_of_item(const OracleRequest& request) {
    if (store_.standing(request.key).items > 0) return request.key;
    const std::string whole = recording_of(request.clips.front()).key();
    for (const PeopleStore::Item& item : store_.items({.clip = whole}, 0, kMostItems)) {
      if (item.kind == "ranges" && item.version == version_of_items() && item.purpose != "repeat" &&
          item.state != "withdrawn")
        return item.request;
    }
    store_.add_items({item_of(request)}, utc_now_ms());
    return request.key;
  }

  // An answer is of the classes that the person could choose. How it labels clips is not the
  // person's matter.
  std::string version_of_items() const {
    uint64_t classes = fnv1a("classes");
    for (const std::string& name : classes_.names) classes = fnv1a(name + "\n", classes);
    return fmt::format("{}-{:08x}", version(), static_cast<uint32_t>(classes));
  }

  PeopleStore::NewItem item_of(const OracleRequest& request) const {
    const Clip whole = recording_of(request.clips.front());
    PeopleStore::NewItem item;
    item.request = request.key;
    item.clip = whole.key();
    item.video = whole.video;
    item.start_s = whole.start_s;
    item.end_s = whole.end_s;
    item.kind = "ranges";
    item.study = study_;
    item.version = version_of_items();
    item.wanted = wanted_;
    if (request.why.empty()) return item;
    const AskedFor& why = request.why.front();
    item.purpose = why.purpose;
    item.round = why.round;
    item.position = why.position;
    if (!why.strategy.empty()) item.reasons.push_back({why.strategy, std::nullopt, "", ""});
    return item;
  }

  OracleReply reply_of(const std::string& key, const std::vector<Clip>& clips,
                       const PeopleStore::Settled& settled) const {
    const PeopleStore::Item& item = settled.item;
    if (item.state != "settled") {
      const char* why = item.state == "withdrawn" ? "withdrawn before anybody answered"
                                                  : "nobody could say what it shows";
      return {key, OracleReply::Outcome::unusable, {}, fmt::format("{}: {}", item.clip, why)};
    }
    OracleReply reply{key, OracleReply::Outcome::answered};
    reply.answers = torch::zeros({std::ssize(clips), classes_.size()});
    for (int64_t i = 0; i < std::ssize(clips); ++i) {
      const auto label = classes_.index(class_by_cover(settled.ranges, clips[i], rule_));
      if (label)
        reply.answers[i][*label] = 1;
      else
        reply.left_out.push_back(i);
    }
    return reply;
  }

  PeopleStore store_;
  Classes classes_;
  std::string study_;
  int64_t wanted_;
  CoverRule rule_;
  std::map<std::string, Out> out_;  // by request: what has no reply yet
};

}  // namespace

std::unique_ptr<OpenOracle> people_by_ranges(const OracleSetup& setup, int64_t wanted,
                                             const CoverRule& rule) {
  return std::make_unique<PeopleByRanges>(setup, wanted, rule);
}

}  // namespace distal
