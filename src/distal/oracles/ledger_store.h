#pragma once
// What the ledger needs of a store: the functions of store/store.h of the same names. Behind an
// interface, so that a test counts the calls.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distal/store/store.h"

namespace distal {

class LedgerStore {
 public:
  virtual ~LedgerStore() = default;
  /// One entry for each clip, in order; nothing where there is no answer.
  virtual std::vector<std::optional<StoredAnswer>> find_answers(
      const std::vector<std::string>& clips, const Answerer& who) = 0;
  virtual std::vector<Store::Request> open_requests(const Answerer& who) = 0;
  virtual Store::Request open_request(const Answerer& who,
                                      const std::vector<std::string>& clips) = 0;
  virtual void put_answers(const std::vector<StoredAnswer>& answers, const std::string& request,
                           const std::vector<StoredRefusal>& refused) = 0;
  virtual void give_up(const std::string& request) = 0;
  virtual std::vector<StoredRefusal> refused(const Answerer& who) = 0;
  virtual void ask_again(const Answerer& who) = 0;
  /// An event of the store itself.
  virtual void event(const std::string& kind, const std::string& text) = 0;
};

/// Refers to `store`.
std::unique_ptr<LedgerStore> ledger_store(Store& store);

}  // namespace distal
