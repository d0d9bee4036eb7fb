// The labels that stand in the lists, hidden from the learner until it asks: a benchmark's oracle.

#include <algorithm>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/oracles/oracle.h"

namespace distal::kinds {
namespace {

class Labels final : public OpenOracle {
 public:
  Labels(LabelSpace labels, std::string lists_id)
      : labels_(labels), lists_id_(std::move(lists_id)) {}

  void submit(OracleRequest request) override { waiting_.push_back(std::move(request)); }

  std::vector<OracleReply> collect(Wait) override {
    std::vector<OracleReply> replies;
    for (const OracleRequest& request : std::exchange(waiting_, {})) {
      const auto answers = torch::empty({std::ssize(request.clips), labels_.outputs()});
      float* row = answers.data_ptr<float>();
      for (const Clip& clip : request.clips) {
        const std::vector<float> target = labels_.target(clip.label);
        row = std::copy(target.begin(), target.end(), row);
      }
      replies.push_back({request.key, OracleReply::Outcome::answered, answers});
    }
    return replies;
  }

  bool holds(const std::string& key) const override {
    const auto is = [&](const OracleRequest& request) { return request.key == key; };
    return std::any_of(waiting_.begin(), waiting_.end(), is);
  }

  std::string version() const override { return lists_id_; }

 private:
  LabelSpace labels_;
  std::string lists_id_;
  std::vector<OracleRequest> waiting_;
};

}  // namespace

class Truth final : public Oracle {
 public:
  OracleTraits traits() const override {
    return {.soft = false,
            .at_hand = true,
            .bills_unusable = false,
            .derived_clips = false,
            .frames = false,
            .requests = false};
  }
  std::string line() const override { return "hidden truth: the benchmark's own labels"; }
  OpenedOracle open(const OracleSetup& setup) const override {
    return {std::make_unique<Labels>(setup.labels(), setup.lists_id), line()};
  }
};

extern const Entry<Oracle> truth;
const Entry<Oracle> truth = entry<Oracle, Truth>(
    "the labels that stand in the lists, shown for the clips that are asked about",
    "B. Settles, Active learning literature survey, University of Wisconsin-Madison, TR 1648, "
    "2009");

}  // namespace distal::kinds
