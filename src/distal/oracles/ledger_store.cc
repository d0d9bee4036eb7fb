#include "distal/oracles/ledger_store.h"

namespace distal {
namespace {

class OfStore final : public LedgerStore {
 public:
  explicit OfStore(Store& store) : store_(store) {}

  // One query for each clip, until Store::find_answers(clips, oracle, version) is there.
  std::vector<std::optional<StoredAnswer>> find_answers(const std::vector<std::string>& clips,
                                                        const Answerer& who) override {
    std::vector<std::optional<StoredAnswer>> found;
    found.reserve(clips.size());
    for (const std::string& clip : clips) {
      found.push_back(store_.find_answer(clip, who.oracle, who.version));
    }
    return found;
  }
  std::vector<Store::Request> open_requests(const Answerer& who) override {
    return store_.open_requests(who.oracle, who.version);
  }
  Store::Request open_request(const Answerer& who, const std::vector<std::string>& clips) override {
    return store_.open_request(who.oracle, who.version, clips);
  }
  void put_answers(const std::vector<StoredAnswer>& answers, const std::string& request,
                   const std::vector<StoredRefusal>& refused) override {
    store_.put_answers(answers, request, refused);
  }
  void give_up(const std::string& request) override { store_.give_up(request); }
  std::vector<StoredRefusal> refused(const Answerer& who) override {
    return store_.refused(who.oracle, who.version);
  }
  void ask_again(const Answerer& who) override { store_.ask_again(who.oracle, who.version); }
  void event(const std::string& kind, const std::string& text) override {
    store_.event(0, kind, text);
  }

 private:
  Store& store_;
};

}  // namespace

std::unique_ptr<LedgerStore> ledger_store(Store& store) { return std::make_unique<OfStore>(store); }

}  // namespace distal
