#include "distal/oracles/oracle.h"

#include <set>

#include "distal/base/random.h"
#include "distal/data/batches.h"

namespace distal {
namespace {

// Only what changes an answer: the deadline does not, nor does training's jitter, but where it draws the frames of views.
std::string what_the_teacher_sees(InputOptions input, bool asks_views) {
  input.short_side_px = input.cached_short_side_px();
  input.deadline_s = InputOptions().deadline_s;
  if (!asks_views) input.sampling.jitter_steps = SamplingOptions().jitter_steps;
  return resolved(input);
}

std::string how_it_is_asked(const TeacherOptions& options) {
  if (options.kind == "http") return fmt::format("{}|{}|{}|{}", options.url, options.input, options.output, options.logits);
  if (options.kind == "torchscript") return fmt::format("{}", options.logits);
  return "";
}

std::vector<std::string> keys_of(const std::vector<Clip>& clips) {
  std::vector<std::string> keys;
  for (const Clip& clip : clips) keys.push_back(clip.key());
  return keys;
}

std::vector<Clip> rows_of(const std::vector<Clip>& clips, const torch::Tensor& rows) {
  std::vector<Clip> chosen;
  for (int64_t i = 0; i < rows.size(0); ++i) chosen.push_back(clips[rows[i].item<int64_t>()]);
  return chosen;
}

}  // namespace

Oracle::Oracle(const TeacherOptions& options, std::unique_ptr<Teacher> teacher, AskedClips clips, Store& store, Progress& progress, bool asks_views)
    : options_(options), teacher_(std::move(teacher)), clips_(std::move(clips)), store_(store), progress_(progress) {
  // An answer means something only with its classes.
  uint64_t classes = fnv1a("classes");
  for (const auto& name : clips_.classes.names) classes = fnv1a(name + "\n", classes);
  version_ = fmt::format("{}-{:08x}", teacher_ ? teacher_->version() : clips_.lists_id, static_cast<uint32_t>(classes));
  if (teacher_) version_ += fmt::format("-{:016x}", fnv1a(what_the_teacher_sees(clips_.reader.options(), asks_views) + how_it_is_asked(options)));
  ask_again_or_not();
}

void Oracle::ask_again_or_not() {
  const auto refused = store_.refused(options_.kind, version_);
  if (refused.empty()) return;
  const std::string text = fmt::format("oracle {}: {} answers were unusable, the first on {}: {}", options_.kind, refused.size(), refused[0].refused, refused[0].reason);
  if (!options_.ask_again) return progress_.say(text + "; they count as spent and are not asked for again");
  store_.ask_again(options_.kind, version_);
  const std::string again = text + "; oracle.ask_again is true: they are asked for again, which may be billed again";
  store_.event(0, "asked again", again);
  progress_.say(again);
}

void Oracle::require_none_refused(const std::vector<Clip>& clips) {
  const auto refused = store_.refused(options_.kind, version_);
  if (refused.empty()) return;
  const auto keys = keys_of(clips);
  const std::set<std::string> wanted(keys.begin(), keys.end());
  const StoredRefusal* first = nullptr;
  double price = 0;
  int64_t count = 0;
  for (const StoredRefusal& refusal : refused) {
    if (!wanted.contains(refusal.clip)) continue;
    if (first == nullptr) first = &refusal;
    price += refusal.price, ++count;
  }
  if (first == nullptr) return;
  fail("oracle {}: {} of the clips to ask about were answered unusably before, the first on {}: {}; they count as spent (price {:g}). Mend the teacher, then repeat the "
       "command with --set oracle.ask_again=true: it asks again, which may be billed again",
       options_.kind, count, first->refused, first->reason, price);
}

std::vector<StoredRefusal> Oracle::refusals(const std::vector<Clip>& clips, const std::string& reason) const {
  std::vector<StoredRefusal> all;
  for (const Clip& clip : clips) all.push_back({clip.key(), reason, options_.price, ""});
  return all;
}

std::vector<std::vector<double>> Oracle::ask(const std::vector<Clip>& clips) {
  if (const auto missing = unanswered(clips); !missing.empty()) teacher_ ? buy(missing) : tell_truth(missing);
  std::vector<std::vector<double>> answers;
  for (const Clip& clip : clips) {
    const auto answer = store_.find_answer(clip.key(), options_.kind, version_);
    answers.push_back(answer ? answer->probabilities : std::vector<double>());
  }
  return answers;
}

std::vector<Clip> Oracle::unanswered(const std::vector<Clip>& clips) {
  std::vector<Clip> missing;
  for (const Clip& clip : clips)
    if (!store_.find_answer(clip.key(), options_.kind, version_)) missing.push_back(clip);
  return missing;
}

std::vector<Store::Request> Oracle::open_requests(const std::vector<Clip>& clips) {
  const auto keys = keys_of(clips);
  const std::set<std::string> wanted(keys.begin(), keys.end());
  auto requests = store_.open_requests(options_.kind, version_);
  std::erase_if(requests, [&](const Store::Request& request) {
    return std::none_of(request.clips.begin(), request.clips.end(), [&](const std::string& clip) { return wanted.contains(clip); });
  });
  return requests;
}

void Oracle::tell_truth(const std::vector<Clip>& clips) {
  std::vector<StoredAnswer> answers;
  for (const Clip& clip : clips) {
    std::vector<double> truth(clips_.classes.size(), 0);
    truth.at(clip.label) = 1;
    answers.push_back({clip.key(), options_.kind, version_, truth, options_.price, clip.duration_s()});
  }
  store_.put_answers(answers);
}

void Oracle::buy(const std::vector<Clip>& clips) {
  require_none_refused(clips);
  done_ = 0;
  progress_.begin("asking the teacher", static_cast<int64_t>(clips.size()), "clips");
  do {
    send_again(clips);
    send_new(unanswered(clips));
  } while (!open_requests(unanswered(clips)).empty());  // another process asked for some of them meanwhile
  require_none_refused(unanswered(clips));              // and heard nothing of use
  progress_.end();
}

void Oracle::send_again(const std::vector<Clip>& clips) {
  const auto requests = open_requests(clips);
  if (requests.empty()) return;
  const FilmedClips filmed = clips_.filmed();
  for (const Store::Request& request : requests) {
    std::vector<Clip> asked;
    for (const std::string& key : request.clips)
      if (const auto clip = find_clip(key, filmed)) asked.push_back(*clip);
    const auto size = std::ssize(request.clips);
    if (std::ssize(asked) < size)
      fail("oracle {}: some of these clips stand in a request that another run sent and that was cut off; continue that run first (same store), or use another --store",
           options_.kind);
    EvaluationBatches batches(clips_.reader, asked, clips_.classes.size(), size, /*threads=*/0);
    const auto batch = batches.next();
    if (batch && batch->rows.size(0) == size) send(request.key, batch->clips, asked);
    else give_up(request);
  }
}

void Oracle::send_new(const std::vector<Clip>& clips) {
  if (clips.empty()) return;
  EvaluationBatches batches(clips_.reader, clips, clips_.classes.size(), options_.batch_size, /*threads=*/1);
  while (const auto batch = batches.next()) {
    std::vector<Clip> asked = rows_of(clips, batch->rows);
    const Store::Request request = store_.open_request(options_.kind, version_, keys_of(asked));
    std::vector<int64_t> rows;  // of the batch that are in the request, in its order
    for (size_t i = 0; i < asked.size() && rows.size() < request.clips.size(); ++i)
      if (asked[i].key() == request.clips[rows.size()]) rows.push_back(static_cast<int64_t>(i));
    if (rows.empty()) continue;
    const torch::Tensor chosen = torch::tensor(rows, torch::kInt64);
    send(request.key, batch->clips.index_select(0, chosen), rows_of(asked, chosen));
  }
}

void Oracle::send(const std::string& request, const torch::Tensor& frames, const std::vector<Clip>& clips) {
  torch::Tensor answers;
  try {
    answers = teacher_->answer(frames, request).to(torch::kFloat64).contiguous();
  } catch (const TooLarge&) {
    store_.give_up(request);  // asked for anew with the batch_size of the next start
    throw;
  } catch (const Unusable& error) {
    store_.put_answers({}, request, refusals(clips, error.what()));
    fail("{}; the {} answers were probably billed and count as spent (price {:g}). Once the teacher is mended: --set oracle.ask_again=true", error.what(), clips.size(),
         options_.price * static_cast<double>(clips.size()));
  }
  std::vector<StoredAnswer> good;
  std::vector<Clip> bad;
  for (size_t i = 0; i < clips.size(); ++i) {
    const double* row = answers.const_data_ptr<double>() + static_cast<int64_t>(i) * answers.size(1);
    const std::vector<double> probabilities(row, row + answers.size(1));
    const bool finite = std::all_of(probabilities.begin(), probabilities.end(), [](double p) { return std::isfinite(p); });
    if (finite) good.push_back({clips[i].key(), options_.kind, version_, probabilities, options_.price, clips[i].duration_s()});
    else bad.push_back(clips[i]);
  }
  if (bad.empty()) store_.put_answers(good, request);
  else refuse_not_finite(request, good, bad);
  progress_.step(done_ += std::ssize(clips));
}

void Oracle::refuse_not_finite(const std::string& request, const std::vector<StoredAnswer>& good, const std::vector<Clip>& bad) {
  const std::string remark = teacher_->remark().empty() ? "" : fmt::format(" ({})", teacher_->remark());
  const auto text = fmt::format("oracle {}: {} of {} answers of a request are not finite, the first for {}{}; the others are kept", options_.kind, bad.size(), good.size() + bad.size(),
                                bad[0].video, remark);
  store_.put_answers(good, request, bills() ? refusals(bad, "not finite" + remark) : std::vector<StoredRefusal>());
  if (!bills()) fail("{}; look at the teacher (it gets values in [-1, 1]), then repeat the command: it asks for these clips anew", text);
  fail("{}, these count as spent (price {:g}). Look at the teacher (it gets values in [-1, 1]); once it is mended: --set oracle.ask_again=true", text,
       options_.price * static_cast<double>(bad.size()));
}

void Oracle::give_up(const Store::Request& request) {
  store_.give_up(request.key);
  const auto text = fmt::format("a request for {} clips was cut off and cannot be sent again as it was: a clip of it cannot be read now; "
                                "the others are asked for anew and may be billed twice", request.clips.size());
  store_.event(0, "request lost", text);
  progress_.say(text);
}

}  // namespace distal
