#include "distal/study/pool_scores.h"

#include "distal/base/random.h"
#include "distal/models/device.h"
#include "distal/models/model.h"

namespace distal {
namespace {

class Scorer {
 public:
  Scorer(Trainer& trainer, AnswerSource& oracle, const ArmOptions& arm, LabelSpace labels,
         const Student& student, const LabeledSet& known, Random random)
      : trainer_(trainer),
        oracle_(oracle),
        arm_(arm),
        labels_(labels),
        student_(student),
        known_(known),
        needs_(arm.strategy->needs()),
        elsewhere_(arm.embeds_elsewhere()),
        random_(random) {
    pool_.scores.task = labels.task;
  }

  ScoredPool score(ClipRefs open) {
    if (student_.net)
      predict(std::move(open));
    else
      leave_unscored(std::move(open));
    describe();
    if (student_.net) add_scores();
    if (elsewhere_) embed();
    return complete();
  }

 private:
  int64_t size() const { return std::ssize(pool_.clips); }

  void leave_unscored(ClipRefs open) {
    pool_.clips = std::move(open);
    pool_.scores.logits = blank();
    readable_mask_ = torch::ones({size()}, torch::kBool);
  }

  void add_scores() {
    if (needs_.head) pool_.scores.head_weight = on_cpu(student_.net->head_weight());
    if ((needs_.embeddings && !elsewhere_) || needs_.labelled_logits) predict_labelled();
    if (!needs_.passes.empty())
      pool_.scores.passes = torch::stack(needs_.passes == "dropout"     ? dropout()
                                         : needs_.passes == "augmented" ? augmented()
                                                                        : members());
    if (needs_.teacher) ask_teacher();
    if (needs_.teacher_error) pool_.scores.teacher_error = teacher_error();
  }

  // In place of the student's, of the pool and of what is known. Clips that have none are left out.
  void embed() {
    const Predictions pool = trainer_.embeddings(*arm_.embeddings, pool_.clips);
    pool_.scores.embeddings = torch::zeros({size(), pool.embeddings.size(1)});
    pool_.scores.embeddings.index_copy_(0, pool.rows, pool.embeddings);
    keep_readable(pool.rows);
    pool_.scores.labelled_embeddings =
        trainer_.embeddings(*arm_.embeddings, refs_of(known_.samples)).embeddings;
  }

  void predict(ClipRefs open) {
    const Predictions seen = trainer_.score(*student_.net, arm_.student, open);
    if (seen.rows.size(0) == std::ssize(open)) {
      pool_.clips = std::move(open);
    } else {
      for (int64_t i = 0; i < seen.rows.size(0); ++i)
        pool_.clips.push_back(open[seen.rows[i].item<int64_t>()]);
    }
    pool_.scores.logits = seen.logits;
    pool_.scores.embeddings = seen.embeddings;
    pool_.scores.labelled_embeddings = torch::empty({0, seen.embeddings.size(1)});
    readable_mask_ = torch::ones({size()}, torch::kBool);
  }

  void describe() {
    const SelectionOptions& limits = arm_.selection;
    auto& scores = pool_.scores;
    if (limits.unit == "seconds")
      scores.duration_s = each([](const Clip& clip) { return clip.duration_s(); });
    if (limits.unit == "minutes") scores.person_s = person_seconds();
    if (limits.gap_s > 0) scores.start_s = each([](const Clip& clip) { return clip.start_s; });
    if (limits.ask == "clip" && limits.per_video == 0 && limits.gap_s == 0) return;
    scores.video.reserve(size());
    for (const Clip* clip : pool_.clips) scores.video.push_back(clip->video);
  }

  // Undefined where nobody answers: a selection in minutes refuses that.
  torch::Tensor person_seconds() const {
    std::vector<double> seconds;
    for (const PersonTime& time : oracle_.person_times(pool_.clips))
      seconds.push_back(time.taken_s + time.left_s);
    return seconds.empty() && size() > 0 ? torch::Tensor()
                                         : torch::tensor(seconds, torch::kFloat64);
  }

  torch::Tensor each(double (*of)(const Clip&)) const {
    auto values = torch::empty({size()}, torch::kFloat64);
    for (int64_t i = 0; i < size(); ++i) values.mutable_data_ptr<double>()[i] = of(*pool_.clips[i]);
    return values;
  }

  void predict_labelled() {
    const Predictions seen =
        trainer_.score(*student_.net, arm_.student, refs_of(known_.samples), size());
    const int64_t labelled = seen.rows.size(0);
    pool_.scores.labelled_embeddings = seen.embeddings;
    pool_.scores.labelled_logits = seen.logits;
    pool_.scores.labelled_targets =
        torch::full({labelled, labels_.outputs()}, std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < labelled; ++i) {
      const auto& target = known_.samples[seen.rows[i].item<int64_t>()].known();
      std::copy(target.begin(), target.end(),
                pool_.scores.labelled_targets.data_ptr<float>() + i * labels_.outputs());
    }
  }

  std::vector<torch::Tensor> dropout() {
    const torch::NoGradGuard no_grad;
    const torch::Tensor embeddings = pool_.scores.embeddings.to(device_of(*student_.net));
    std::vector<torch::Tensor> passes;
    student_.net->train();
    for (int64_t pass = 0; pass < needs_.pass_count; ++pass) {
      torch::manual_seed(random_.stream("dropout", pass)());
      passes.push_back(on_cpu(student_.net->head(embeddings)));
    }
    student_.net->eval();
    return passes;
  }

  // Logits of a pass over the pool; clips it could not read are marked.
  torch::Tensor whole_pool(const Predictions& seen) {
    auto logits = blank();
    if (seen.rows.size(0) > 0) logits.index_copy_(0, seen.rows, seen.logits);
    keep_readable(seen.rows);
    return logits;
  }

  void keep_readable(const torch::Tensor& rows) {
    readable_mask_.logical_and_(torch::zeros_like(readable_mask_).index_fill_(0, rows, true));
  }

  std::vector<torch::Tensor> augmented() {
    std::vector<torch::Tensor> passes;
    for (int64_t pass = 0; pass < needs_.pass_count; ++pass)
      passes.push_back(whole_pool(trainer_.score_augmented(*student_.net, arm_.student, pool_.clips,
                                                           random_.stream("augmented", pass))));
    return passes;
  }

  std::vector<torch::Tensor> members() {
    std::vector<torch::Tensor> passes = {pool_.scores.logits};
    for (int64_t member = 1; member < needs_.pass_count; ++member) {
      const Model net =
          trainer_.train(arm_.student, arm_.loss, known_.samples, random_.stream("member", member),
                         fmt::format("{} member {}", student_.name, member), student_.teacher);
      passes.push_back(whole_pool(trainer_.score(*net, arm_.student, pool_.clips)));
    }
    return passes;
  }

  void ask_teacher() {
    const auto answers =
        oracle_.first().ask(pool_.clips).probabilities;  // a network at hand answers all at once
    pool_.scores.teacher = blank();
    for (int64_t i = 0; i < size(); ++i) {
      if (answers[i].empty())
        readable_mask_[i] = false;
      else
        std::copy(answers[i].begin(), answers[i].end(),
                  pool_.scores.teacher.data_ptr<float>() + i * pool_.scores.teacher.size(1));
    }
  }

  double teacher_error() const {
    if (!oracle_.is_teacher()) return 0;  // the truth
    int64_t wrong = 0;
    int64_t both = 0;
    for (const Sample& sample : known_.samples) {
      if (sample.target.empty() || sample.teacher.empty()) continue;
      Sample only_teacher = sample;
      only_teacher.target.clear();
      wrong += only_teacher.likely(*labels_.task) != sample.likely(*labels_.task);
      ++both;
    }
    return both == 0 ? -1 : static_cast<double>(wrong) / static_cast<double>(both);
  }

  torch::Tensor blank() const { return torch::zeros({size(), labels_.outputs()}); }

  ScoredPool complete() {
    const auto rows = readable_mask_.nonzero().squeeze(1);
    if (rows.size(0) == size()) return std::move(pool_);
    const std::vector<int64_t> kept(rows.data_ptr<int64_t>(),
                                    rows.data_ptr<int64_t>() + rows.size(0));
    ScoredPool whole{{}, subset(pool_.scores, kept)};
    for (const int64_t row : kept) whole.clips.push_back(pool_.clips[row]);
    return whole;
  }

  Trainer& trainer_;
  AnswerSource& oracle_;
  const ArmOptions& arm_;
  const LabelSpace labels_;
  const Student& student_;
  const LabeledSet& known_;
  const Needs needs_;
  const bool elsewhere_;  // embeddings come from ArmOptions::embeddings
  const Random random_;
  ScoredPool pool_;
  torch::Tensor readable_mask_;  // bool, of each clip: it could be read every time
};

}  // namespace

Predictions embeddings_as_scored(Trainer& trainer, const ArmOptions& arm, const Student& student,
                                 const ClipRefs& clips, int64_t scored) {
  if (arm.embeds_elsewhere()) return trainer.embeddings(*arm.embeddings, clips);
  return trainer.score(*student.net, arm.student, clips, scored);
}

ScoredPool score_pool(Trainer& trainer, AnswerSource& oracle, const ArmOptions& arm,
                      LabelSpace labels, const Student& student, const LabeledSet& known,
                      ClipRefs open, Random random) {
  return Scorer(trainer, oracle, arm, labels, student, known, random).score(std::move(open));
}

}  // namespace distal
