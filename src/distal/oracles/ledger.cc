#include "distal/oracles/ledger.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "distal/base/hash.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/batches.h"
#include "distal/oracles/teacher.h"

namespace distal {

// One call of ask(). A row is the place of a clip among those asked about.
struct Ledger::Asking {
  ClipRefs clips;
  std::vector<AskedFor> why;
  std::vector<std::string> keys;  // of the clips
  Answers answers;
  std::vector<size_t> missing;                             // rows without an answer, ascending
  std::unordered_map<std::string_view, size_t> rows = {};  // by key; see row()
  std::set<std::string> tried = {};                        // requests that were sent again
  bool withdrawn = false;                  // a request came back so: its clips are asked about anew
  std::optional<FilmedClips> filmed = {};  // see clip()

  std::optional<size_t> row(const std::string& key) {
    if (rows.empty()) {
      for (size_t i = 0; i < keys.size(); ++i) rows.emplace(keys[i], i);
    }
    const auto found = rows.find(key);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }

  bool misses(const std::string& key) {
    const auto at = row(key);
    return at && answers.probabilities[*at].empty();
  }

  // The clip of a key: one of those asked about, else one of `all`.
  std::optional<Clip> clip(const std::string& key, const std::function<FilmedClips()>& all) {
    if (const auto at = row(key)) return *clips[*at];
    if (!filmed) filmed = all();
    return find_clip(key, *filmed);
  }
};

namespace {

// Only what changes an answer: the deadline does not, nor does training's jitter, but where it
// draws the frames of views.
std::string what_is_seen(InputOptions input, bool asks_views) {
  input.short_side_px = input.cached_short_side_px();
  input.deadline_s = InputOptions().deadline_s;
  if (!asks_views) input.sampling.jitter_steps = SamplingOptions().jitter_steps;
  return resolved(input);
}

std::string version_of(const OpenOracle& oracle, const OracleOptions& options,
                       const AskedClips& clips, bool asks_views) {
  // An answer means something only with its classes.
  uint64_t classes = fnv1a("classes");
  for (const std::string& name : clips.classes.names) classes = fnv1a(name + "\n", classes);
  std::string version = fmt::format("{}-{:08x}", oracle.version(), static_cast<uint32_t>(classes));
  std::string more = options.kind->answer_options();
  if (options.kind->traits().frames) more = what_is_seen(clips.reader.options(), asks_views) + more;
  if (!more.empty()) version += fmt::format("-{:016x}", fnv1a(more));
  return version;
}

// Their keys, which `requests` must outlive.
std::set<std::string_view> clips_in(const std::vector<Store::Request>& requests) {
  std::set<std::string_view> keys;
  for (const Store::Request& request : requests) {
    keys.insert(request.clips.begin(), request.clips.end());
  }
  return keys;
}

std::vector<std::string> keys_of(const std::vector<Store::Request>& requests) {
  std::vector<std::string> keys;
  for (const Store::Request& request : requests) keys.push_back(request.key);
  return keys;
}

// Of a reply about one clip.
std::vector<double> doubles_of(const torch::Tensor& answers) {
  const torch::Tensor row = answers.to(torch::kFloat64).contiguous();
  const double* values = row.const_data_ptr<double>();
  return {values, values + row.numel()};
}

bool is_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](double value) { return std::isfinite(value); });
}

}  // namespace

Ledger::Ledger(const OracleOptions& options, std::unique_ptr<OpenOracle> oracle, AskedClips clips,
               Store& store, Progress& progress, bool asks_views)
    : Ledger(options, std::move(oracle), std::move(clips), ledger_store(store), progress,
             asks_views) {}

Ledger::Ledger(const OracleOptions& options, std::unique_ptr<OpenOracle> oracle, AskedClips clips,
               std::unique_ptr<LedgerStore> store, Progress& progress, bool asks_views)
    : options_(options),
      traits_(options.kind->traits()),
      oracle_(std::move(oracle)),
      clips_(std::move(clips)),
      store_(std::move(store)),
      progress_(progress),
      who_{options.kind.name, version_of(*oracle_, options, clips_, asks_views)} {
  ask_again_or_not();
}

// ---- what was refused

void Ledger::ask_again_or_not() {
  if (traits_.people) return;
  const auto refused = store_->refused(who_);
  if (refused.empty()) return;
  const std::string text =
      fmt::format("oracle {}: {} answers were unusable, the first on {}: {}", who_.oracle,
                  refused.size(), refused[0].refused, refused[0].reason);
  if (!options_.ask_again) {
    progress_.say(text + "; they count as spent and are not asked for again");
    return;
  }
  store_->ask_again(who_);
  const std::string again =
      fmt::format("{}; {}.ask_again is true: they are asked for again, which may be billed again",
                  text, options_.section);
  store_->event("asked again", again);
  progress_.say(again);
}

void Ledger::require_none_refused(Asking& asking) {
  if (asking.missing.empty() || traits_.people) return;  // what people leave out stays without
  std::vector<StoredRefusal> refused = store_->refused(who_);
  std::erase_if(refused, [&](const StoredRefusal& one) { return !asking.misses(one.clip); });
  if (refused.empty()) return;
  const double price =
      std::accumulate(refused.begin(), refused.end(), 0.0,
                      [](double sum, const StoredRefusal& one) { return sum + one.price; });
  fail(
      "oracle {}: {} of the clips to ask about were answered unusably before, the first on {}: {}; "
      "they count as spent (price {:g}). Mend the teacher, then repeat the command with --set "
      "{}.ask_again=true: it asks again, which may be billed again",
      who_.oracle, refused.size(), refused[0].refused, refused[0].reason, price, options_.section);
}

std::vector<StoredRefusal> Ledger::refusals(const Sent& sent, const std::string& reason) const {
  std::vector<StoredRefusal> all;
  for (const std::string& key : sent.keys) all.push_back({key, reason, options_.price, ""});
  return all;
}

// ---- asking

Answers Ledger::ask(const ClipRefs& clips, const std::vector<AskedFor>& why) {
  expect(why.empty() || why.size() == clips.size(), "each clip has a reason, or none has");
  Asking asking{clips, why, {}, {}, std::vector<size_t>(clips.size())};
  asking.keys.reserve(clips.size());
  for (const Clip* clip : clips) asking.keys.push_back(clip->key());
  asking.answers.probabilities.resize(clips.size());
  std::iota(asking.missing.begin(), asking.missing.end(), size_t{0});
  look_up(asking);
  if (!asking.missing.empty()) traits_.requests ? buy(asking) : tell(asking);
  return std::move(asking.answers);
}

void Ledger::look_up(Asking& asking) {
  const bool all = asking.missing.size() == asking.keys.size();
  std::vector<std::string> some;
  for (const size_t row : asking.missing) {
    if (!all) some.push_back(asking.keys[row]);
  }
  auto found = store_->find_answers(all ? asking.keys : some, who_);
  std::vector<size_t> missing;
  for (size_t i = 0; i < found.size(); ++i) {
    const size_t row = asking.missing[i];
    if (found[i])
      asking.answers.probabilities[row] = std::move(found[i]->probabilities);
    else
      missing.push_back(row);
  }
  asking.missing = std::move(missing);
}

// Without a request: told again after a crash, the answers are the same and cost nothing.
void Ledger::tell(Asking& asking) {
  Sent sent;
  for (const size_t row : asking.missing) {
    sent.keys.push_back(asking.keys[row]);
    sent.clips.push_back(*asking.clips[row]);
  }
  oracle_->submit({"", sent.clips, {}});
  for (const OracleReply& reply : oracle_->collect(Wait::soon)) store_answers(reply, sent);
  look_up(asking);
}

void Ledger::buy(Asking& asking) {
  require_none_refused(asking);
  done_ = 0;
  progress_.begin("asking the teacher", std::ssize(asking.missing), "clips");
  auto open = open_requests_of(asking);
  do {
    buy_what_is_missing(asking, open);
    look_at_open(asking, open);  // what was finished meanwhile is taken
  } while (asking.answers.awaited.empty() && !open.empty());
  require_none_refused(asking);  // another process asked, and heard nothing of use
  progress_.end();
}

void Ledger::buy_what_is_missing(Asking& asking, std::vector<Store::Request>& open) {
  while (true) {
    if (traits_.people) oracle_->ask_together(keys_of(open));
    if (send_again(asking, open)) {
      receive(asking, Wait::soon);
      look_up(asking);
      open = open_requests_of(asking);
    }
    send_new(asking, open);
    if (traits_.people) oracle_->ask_together(keys_of(open_requests_of(asking)));
    receive(asking, Wait::soon);
    look_up(asking);
    open = open_requests_of(asking);
    const auto may_be_sent = [&](const Store::Request& request) {
      return !oracle_->holds(request.key) && !asking.tried.contains(request.key);
    };
    const bool anew = std::exchange(asking.withdrawn, false);
    // Another process asked for some of them meanwhile, and has no answer yet.
    if (!anew && std::none_of(open.begin(), open.end(), may_be_sent)) return;
  }
}

// What is awaited of open requests, and what others of them say so far.
void Ledger::look_at_open(Asking& asking, const std::vector<Store::Request>& open) {
  std::map<std::string, size_t> rows;  // by clip
  for (const size_t row : asking.missing) {
    asking.answers.probabilities[row].clear();
    rows[asking.keys[row]] = row;
  }
  std::map<std::string, size_t> row_of;  // by request; of people one clip is a request
  std::set<size_t> awaited;
  for (const Store::Request& request : open) {
    for (const std::string& key : request.clips) {
      const auto found = rows.find(key);
      if (found == rows.end()) continue;
      awaited.insert(found->second);
      if (request.clips.size() == 1) row_of[request.key] = found->second;
    }
  }
  for (const OracleReply& reply : oracle_->look(keys_of(open))) {
    const auto found = row_of.find(reply.key);
    if (found == row_of.end() || reply.outcome == OracleReply::Outcome::withdrawn) continue;
    awaited.erase(found->second);
    if (reply.outcome == OracleReply::Outcome::answered)
      asking.answers.probabilities[found->second] = doubles_of(reply.answers);
  }
  asking.answers.awaited.assign(awaited.begin(), awaited.end());
}

// Open requests that hold a clip without an answer.
std::vector<Store::Request> Ledger::open_requests_of(Asking& asking) {
  if (asking.missing.empty()) return {};
  std::vector<Store::Request> requests = store_->open_requests(who_);
  std::erase_if(requests, [&](const Store::Request& request) {
    const auto misses = [&](const std::string& key) { return asking.misses(key); };
    return std::none_of(request.clips.begin(), request.clips.end(), misses);
  });
  return requests;
}

void Ledger::rank_again(const ClipRefs& clips, const std::vector<AskedFor>& why) {
  expect(why.size() == clips.size(), "each clip that is ranked has a reason");
  std::map<std::string, std::string> request_of;  // by clip; of people one clip is a request
  for (const Store::Request& request : store_->open_requests(who_)) {
    if (request.clips.size() == 1) request_of[request.clips.front()] = request.key;
  }
  std::vector<OracleRequest> requests;
  for (size_t i = 0; i < clips.size(); ++i) {
    const auto found = request_of.find(clips[i]->key());
    if (found != request_of.end()) requests.push_back({found->second, {*clips[i]}, {}, {why[i]}});
  }
  oracle_->rank_again(requests);
}

// What was cut off, as it was. Returns whether there was any.
bool Ledger::send_again(Asking& asking, const std::vector<Store::Request>& open) {
  bool any = false;
  for (const Store::Request& request : open) {
    if (oracle_->holds(request.key) || !asking.tried.insert(request.key).second) continue;
    any = true;
    send_one_again(asking, request);
    receive(asking, Wait::none);
  }
  return any;
}

void Ledger::send_one_again(Asking& asking, const Store::Request& request) {
  const std::optional<Sent> sent = clips_of(asking, request);
  if (!sent) {
    fail("oracle {}: some of these clips stand in a request that another run sent and that was cut "
         "off; continue that run first (same store), or use another --store",
         who_.oracle);
  }
  if (!traits_.frames) return send(request.key, *sent, {});
  const auto size = std::ssize(sent->clips);
  EvaluationBatches batches(clips_.reader, sent->clips, clips_.classes.size(), size, /*threads=*/0);
  const auto batch = batches.next();
  if (batch && batch->rows.size(0) == size)
    send(request.key, *sent, batch->clips);
  else
    give_up(request);
}

// What stands in no open request.
void Ledger::send_new(Asking& asking, const std::vector<Store::Request>& open) {
  const std::set<std::string_view> taken = clips_in(open);
  std::vector<size_t> rows;
  ClipRefs clips;
  for (const size_t row : asking.missing) {
    if (taken.contains(asking.keys[row])) continue;
    rows.push_back(row);
    clips.push_back(asking.clips[row]);
  }
  if (rows.empty()) return;
  if (!traits_.frames) {
    for (const std::vector<size_t>& some : in_requests(asking, rows)) send_some(asking, some, {});
    return;
  }
  EvaluationBatches batches(clips_.reader, std::move(clips), clips_.classes.size(),
                            options_.batch_size, /*threads=*/1);
  while (const auto batch = batches.next()) {
    std::vector<size_t> some;
    for (int64_t i = 0; i < batch->rows.size(0); ++i) {
      some.push_back(rows[batch->rows[i].item<int64_t>()]);
    }
    send_some(asking, some, batch->clips);
  }
}

// People answer clip by clip, or video by video: what one is asked about does not wait for the
// others.
std::vector<std::vector<size_t>> Ledger::in_requests(const Asking& asking,
                                                     const std::vector<size_t>& rows) const {
  std::vector<std::vector<size_t>> requests;
  if (traits_.by_video) {
    std::map<std::string, size_t> of_video;
    for (const size_t row : rows) {
      const auto [at, fresh] = of_video.try_emplace(asking.clips[row]->video, requests.size());
      if (fresh) requests.emplace_back();
      requests[at->second].push_back(row);
    }
    return requests;
  }
  const auto size = static_cast<size_t>(traits_.people ? 1 : options_.batch_size);
  for (size_t first = 0; first < rows.size(); first += size) {
    const size_t last = std::min(first + size, rows.size());
    requests.emplace_back(rows.begin() + first, rows.begin() + last);
  }
  return requests;
}

// `frames`: those of the rows, or undefined.
void Ledger::send_some(Asking& asking, const std::vector<size_t>& rows,
                       const torch::Tensor& frames) {
  std::vector<std::string> keys;
  for (const size_t row : rows) keys.push_back(asking.keys[row]);
  const Store::Request request = store_->open_request(who_, keys);
  Sent sent;
  std::vector<int64_t> chosen;  // of the rows, those that are in the request, in its order
  std::vector<AskedFor> why;
  for (size_t i = 0; i < rows.size() && chosen.size() < request.clips.size(); ++i) {
    if (keys[i] != request.clips[chosen.size()]) continue;
    chosen.push_back(static_cast<int64_t>(i));
    sent.keys.push_back(keys[i]);
    sent.clips.push_back(*asking.clips[rows[i]]);
    if (!asking.why.empty()) why.push_back(asking.why[rows[i]]);
  }
  if (chosen.empty()) return;
  const torch::Tensor places = torch::tensor(chosen, torch::kInt64);
  send(request.key, std::move(sent), frames.defined() ? frames.index_select(0, places) : frames,
       std::move(why));
  receive(asking, Wait::none);
}

void Ledger::send(const std::string& key, Sent sent, const torch::Tensor& frames,
                  std::vector<AskedFor> why) {
  std::vector<Clip> clips = sent.clips;
  sent_[key] = std::move(sent);
  oracle_->submit({key, std::move(clips), frames, std::move(why)});
}

void Ledger::give_up(const Store::Request& request) {
  store_->give_up(request.key);
  oracle_->settle(request.key);
  const auto text = fmt::format("a request for {} clips was cut off and cannot be sent again as it "
                                "was: a clip of it cannot be "
                                "read now; the others are asked for anew and may be billed twice",
                                request.clips.size());
  store_->event("request lost", text);
  progress_.say(text);
}

// ---- what comes back

// A reply that ends the run does not lose those that came with it.
void Ledger::receive(Asking& asking, Wait wait) {
  try {
    while (true) {
      const std::vector<OracleReply> replies = oracle_->collect(wait);
      if (replies.empty()) return;
      std::exception_ptr first;
      for (const OracleReply& reply : replies) {
        try {
          take(asking, reply);
        } catch (...) {
          if (!first) first = std::current_exception();
        }
      }
      if (first) std::rethrow_exception(first);
    }
  } catch (...) {
    std::erase_if(sent_, [&](const auto& request) { return !oracle_->holds(request.first); });
    throw;
  }
}

void Ledger::take(Asking& asking, const OracleReply& reply) {
  const std::optional<Sent> sent = sent_under(asking, reply.key);
  if (!sent) return;  // about clips of another study, which will find it
  switch (reply.outcome) {
    case OracleReply::Outcome::answered: return store_answers(reply, *sent);
    case OracleReply::Outcome::too_large:
      store_->give_up(reply.key);  // asked for anew with the batch_size of the next start
      oracle_->settle(reply.key);
      throw TooLarge(reply.remark);
    case OracleReply::Outcome::withdrawn:
      store_->give_up(reply.key);
      asking.withdrawn = true;
      return oracle_->settle(reply.key);
    case OracleReply::Outcome::unusable:
      if (traits_.people) return leave_out(reply.key, *sent, reply.remark);
      refuse(reply.key, *sent, reply.remark);
  }
}

void Ledger::leave_out(const std::string& request, const Sent& sent, const std::string& reason) {
  store_->put_answers({}, request, refusals(sent, reason));
  oracle_->settle(request);
}

std::optional<Ledger::Sent> Ledger::sent_under(Asking& asking, const std::string& key) {
  if (auto sent = sent_.extract(key)) return std::move(sent.mapped());
  for (const Store::Request& request : store_->open_requests(who_)) {
    if (request.key == key) return clips_of(asking, request);
  }
  return std::nullopt;
}

// Nothing where a clip is none of those that may be asked about.
std::optional<Ledger::Sent> Ledger::clips_of(Asking& asking, const Store::Request& request) {
  Sent sent;
  for (const std::string& key : request.clips) {
    const auto clip = asking.clip(key, clips_.filmed);
    if (!clip) return std::nullopt;
    sent.keys.push_back(key);
    sent.clips.push_back(*clip);
  }
  return sent;
}

void Ledger::store_answers(const OracleReply& reply, const Sent& sent) {
  const torch::Tensor answers = reply.answers.to(torch::kFloat64).contiguous();
  expect(answers.dim() == 2 && answers.size(0) == std::ssize(sent.keys),
         "a reply has a row for each clip of its request");
  std::vector<StoredAnswer> good;
  Sent bad;
  Sent unsaid;
  const std::set<int64_t> left_out(reply.left_out.begin(), reply.left_out.end());
  for (size_t i = 0; i < sent.keys.size(); ++i) {
    if (left_out.contains(static_cast<int64_t>(i))) {
      unsaid.keys.push_back(sent.keys[i]);
      continue;
    }
    const double* row =
        answers.const_data_ptr<double>() + static_cast<int64_t>(i) * answers.size(1);
    const std::vector<double> probabilities(row, row + answers.size(1));
    if (is_finite(probabilities)) {
      good.push_back({sent.keys[i], who_.oracle, who_.version, probabilities, options_.price,
                      sent.clips[i].duration_s()});
    } else {
      bad.keys.push_back(sent.keys[i]);
      bad.clips.push_back(sent.clips[i]);
    }
  }
  if (!bad.keys.empty()) refuse_not_finite(reply, good, bad);
  store_->put_answers(good, reply.key, refusals(unsaid, "left out"));
  oracle_->settle(reply.key);
  if (traits_.requests) progress_.step(done_ += std::ssize(sent.keys));
}

void Ledger::refuse(const std::string& request, const Sent& sent, const std::string& reason) {
  if (traits_.bills_unusable)
    store_->put_answers({}, request, refusals(sent, reason));
  else
    store_->give_up(request);
  oracle_->settle(request);
  if (!traits_.bills_unusable) fail("{}; repeat the command: it asks for these clips anew", reason);
  fail("{}; the {} answers were probably billed and count as spent (price {:g}). Once the teacher "
       "is "
       "mended: --set {}.ask_again=true",
       reason, sent.keys.size(), options_.price * static_cast<double>(sent.keys.size()),
       options_.section);
}

void Ledger::refuse_not_finite(const OracleReply& reply, const std::vector<StoredAnswer>& good,
                               const Sent& bad) {
  const std::string remark = reply.remark.empty() ? "" : fmt::format(" ({})", reply.remark);
  const std::string text = fmt::format(
      "oracle {}: {} of {} answers of a request are not finite, the first for {}{}; the others are "
      "kept",
      who_.oracle, bad.keys.size(), good.size() + bad.keys.size(), bad.clips[0].video, remark);
  const bool bills = traits_.bills_unusable;
  store_->put_answers(good, reply.key,
                      bills ? refusals(bad, "not finite" + remark) : std::vector<StoredRefusal>());
  oracle_->settle(reply.key);
  if (!bills) {
    fail(
        "{}; look at the teacher (it gets values in [-1, 1]), then repeat the command: it asks for "
        "these clips anew",
        text);
  }
  fail("{}, these count as spent (price {:g}). Look at the teacher (it gets values in [-1, 1]); "
       "once "
       "it is mended: --set {}.ask_again=true",
       text, options_.price * static_cast<double>(bad.keys.size()), options_.section);
}

}  // namespace distal
