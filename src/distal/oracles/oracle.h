#pragma once
// Who answers. An answer is looked for in the store first. What nobody has bought yet was reserved against the budget by the
// run; it is asked for in requests, each stored with its key and its clips before it is sent, its answers stored before
// anything is learned from them. A crash at any instruction loses nothing that was paid and pays nothing twice: what was cut
// off is sent again as it was, and a teacher that knows idempotency keys bills it once.

#include <functional>
#include <memory>

#include "distal/base/progress.h"
#include "distal/data/clip_reader.h"
#include "distal/oracles/answer_source.h"
#include "distal/oracles/teacher.h"

namespace distal {

/// The clips that may be asked about.
struct AskedClips {
  Classes classes;
  std::string lists_id;                  // hash of the lists' content: the version of the hidden truth
  ClipReader& reader;                    // at the input of who answers
  std::function<FilmedClips()> filmed;   // all clips by key: a request that was cut off is sent again from its keys
};

class Oracle final : public AnswerSource {
 public:
  /// `teacher` is null for hidden truth. `asks_views`: it may be asked about fixed views of clips (Clip::view).
  Oracle(const TeacherOptions& options, std::unique_ptr<Teacher> teacher, AskedClips clips, Store& store, Progress& progress, bool asks_views = false);

  /// Answers for clips already reserved by the run, or of a network at hand whose answers are free: class probabilities, in
  /// order; empty where a clip cannot be read.
  /// Throws Error as the teacher does, and where it answered with numbers that are not finite (the other answers of that
  /// request are kept); Interrupted, with everything stored. What an endpoint answered unusably was probably billed: it counts as
  /// spent, and a later start refuses to ask about it again, with an Error, unless TeacherOptions::ask_again says so.
  std::vector<std::vector<double>> ask(const std::vector<Clip>& clips) override;
  bool is_teacher() const override { return teacher_ != nullptr; }
  double price() const override { return options_.price; }
  Answerer answerer() const override { return {options_.kind, version_}; }
  /// What an answer depends on besides its clip: the teacher's own version or the lists' content, the classes; for a teacher
  /// also the input it gets (where it is asked about views, with the jitter that draws their frames) and those of its options that change answers.
  const std::string& version() const override { return version_; }

 private:
  std::vector<Clip> unanswered(const std::vector<Clip>& clips);
  std::vector<Store::Request> open_requests(const std::vector<Clip>& clips);
  void tell_truth(const std::vector<Clip>& clips);
  void buy(const std::vector<Clip>& clips);
  void send_again(const std::vector<Clip>& clips);
  void send_new(const std::vector<Clip>& clips);
  void send(const std::string& request, const torch::Tensor& frames, const std::vector<Clip>& clips);
  void give_up(const Store::Request& request);
  void refuse_not_finite(const std::string& request, const std::vector<StoredAnswer>& good, const std::vector<Clip>& bad);
  void ask_again_or_not();
  void require_none_refused(const std::vector<Clip>& clips);
  std::vector<StoredRefusal> refusals(const std::vector<Clip>& clips, const std::string& reason) const;
  bool bills() const { return options_.kind == "http"; }  // the others compute here

  TeacherOptions options_;
  std::unique_ptr<Teacher> teacher_;
  AskedClips clips_;
  Store& store_;
  Progress& progress_;
  std::string version_;
  int64_t done_ = 0;
};

}  // namespace distal
