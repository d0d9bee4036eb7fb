#pragma once
// What was asked of an oracle, and what it answered. An answer is looked for in the store first.
// What nobody has bought yet was reserved against the budget by the run. It is asked for in
// requests. Each request is stored with its key and its clips before it is sent, and its answers
// are stored before anything is learned from them. A crash at any instruction loses nothing that
// was paid and pays nothing twice: what was cut off is sent again as it was, and an oracle that
// knows idempotency keys bills it once. A request whose answers take longer than a run waits stays
// open in the store under its key.

#include <functional>
#include <memory>
#include <unordered_map>

#include "distal/data/clip_reader.h"
#include "distal/oracles/answer_source.h"
#include "distal/oracles/ledger_store.h"
#include "distal/oracles/oracle.h"

namespace distal {

class Progress;

/// The clips that may be asked about.
struct AskedClips {
  Classes classes;
  ClipReader& reader;                   // at the input of who answers
  std::function<FilmedClips()> filmed;  // all clips by key: called where a request of an earlier
                                        // process holds clips that are not asked about now
};

class Ledger final : public AnswerSource {
 public:
  /// `oracle` is what options.kind opened. `asks_views`: it may be asked about fixed views of clips
  /// (Clip::view). Where an earlier start was answered unusably, says so, and with
  /// OracleOptions::ask_again marks those clips to be asked about again.
  Ledger(const OracleOptions& options, std::unique_ptr<OpenOracle> oracle, AskedClips clips,
         Store& store, Progress& progress, bool asks_views = false);
  Ledger(const OracleOptions& options, std::unique_ptr<OpenOracle> oracle, AskedClips clips,
         std::unique_ptr<LedgerStore> store, Progress& progress, bool asks_views = false);

  /// Asks about clips that the run has reserved, or of an oracle that is free and at hand. Queries
  /// the store a few times, whatever the number of clips, and twice for each request that is sent.
  /// Throws Error as the oracle does, and where it answered with numbers that are not finite (the
  /// other answers of that request are kept); Interrupted, with everything stored. What an oracle
  /// that bills answered unusably counts as spent: a later start refuses to ask about it again,
  /// with an Error, unless OracleOptions::ask_again says so. What people left out stays without an
  /// answer and is not asked about again.
  Answers ask(const ClipRefs& clips, const std::vector<AskedFor>& why) override;
  using AnswerSource::ask;
  std::vector<PersonTime> person_times(const ClipRefs& clips) override {
    return oracle_->person_times(clips);
  }

  bool shows_why() const override { return traits_.people; }
  void rank_again(const ClipRefs& clips, const std::vector<AskedFor>& why) override;
  bool is_teacher() const override { return traits_.soft; }
  double price() const override { return options_.price; }
  Answerer answerer() const override { return who_; }
  /// What an answer depends on besides its clip: the oracle's own version and the classes; where it
  /// is sent frames, also its input (where it is asked about views, with the jitter that draws
  /// their frames) and those of its options that change answers.
  const std::string& version() const override { return who_.version; }

 private:
  struct Asking;
  struct Sent {
    std::vector<std::string> keys;  // of the clips, in the order of the request
    std::vector<Clip> clips;
  };

  void look_up(Asking& asking);
  void tell(Asking& asking);
  void buy(Asking& asking);
  void buy_what_is_missing(Asking& asking, std::vector<Store::Request>& open);
  void look_at_open(Asking& asking, const std::vector<Store::Request>& open);
  std::vector<Store::Request> open_requests_of(Asking& asking);
  bool send_again(Asking& asking, const std::vector<Store::Request>& open);
  void send_one_again(Asking& asking, const Store::Request& request);
  void send_new(Asking& asking, const std::vector<Store::Request>& open);
  std::vector<std::vector<size_t>> in_requests(const Asking& asking,
                                               const std::vector<size_t>& rows) const;
  void send_some(Asking& asking, const std::vector<size_t>& rows, const torch::Tensor& frames);
  void send(const std::string& key, Sent sent, const torch::Tensor& frames,
            std::vector<AskedFor> why = {});
  void receive(Asking& asking, Wait wait);
  void take(Asking& asking, const OracleReply& reply);
  void store_answers(const OracleReply& reply, const Sent& sent);
  std::optional<Sent> sent_under(Asking& asking, const std::string& key);
  std::optional<Sent> clips_of(Asking& asking, const Store::Request& request);
  void leave_out(const std::string& request, const Sent& sent, const std::string& reason);
  [[noreturn]] void refuse(const std::string& request, const Sent& sent, const std::string& reason);
  [[noreturn]] void refuse_not_finite(const OracleReply& reply,
                                      const std::vector<StoredAnswer>& good, const Sent& bad);
  void give_up(const Store::Request& request);
  void ask_again_or_not();
  void require_none_refused(Asking& asking);
  std::vector<StoredRefusal> refusals(const Sent& sent, const std::string& reason) const;

  OracleOptions options_;
  OracleTraits traits_;
  std::unique_ptr<OpenOracle> oracle_;
  AskedClips clips_;
  std::unique_ptr<LedgerStore> store_;
  Progress& progress_;
  Answerer who_;
  std::unordered_map<std::string, Sent> sent_;  // by request: what is out since this start
  int64_t done_ = 0;
};

}  // namespace distal
