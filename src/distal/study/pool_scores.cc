#include "distal/study/pool_scores.h"

namespace distal {
namespace {

constexpr int64_t kEvaluationBatch = 32;

class Scorer {
 public:
  Scorer(Workbench& bench, const Recipe& recipe, const Model& student, const Known& known, Random random, const std::string& what)
      : bench_(bench), recipe_(recipe), student_(student), known_(known), needs_(recipe.strategy->needs()), random_(random), what_(what) {}

  ScoredPool score(ClipRefs open) {
    student_ ? look(std::move(open)) : look_away(std::move(open));
    describe();
    if (!student_) return std::move(pool_);
    if (needs_.head) pool_.scores.head_weight = student_->head_weight().detach();
    if (needs_.embeddings || needs_.labelled_logits) look_at_labelled();
    if (!needs_.passes.empty()) pool_.scores.passes = torch::stack(needs_.passes == "dropout" ? dropout() : needs_.passes == "augmented" ? augmented() : members());
    if (needs_.teacher) ask_teacher();
    if (needs_.teacher_error) pool_.scores.teacher_error = teacher_error();
    return complete();
  }

 private:
  int64_t size() const { return std::ssize(pool_.clips); }

  void look(ClipRefs open) {
    const Predictions seen = bench_.learning.score(*student_, recipe_.student, open);
    if (seen.rows.size(0) == std::ssize(open)) pool_.clips = std::move(open);
    else for (int64_t i = 0; i < seen.rows.size(0); ++i) pool_.clips.push_back(open[seen.rows[i].item<int64_t>()]);
    pool_.scores.logits = seen.logits;
    pool_.scores.embeddings = seen.embeddings;
    pool_.scores.labelled_embeddings = torch::empty({0, seen.embeddings.size(1)});
    there_ = torch::ones({size()}, torch::kBool);
  }

  void look_away(ClipRefs open) {
    pool_.clips = std::move(open);
    pool_.scores.logits = torch::zeros({size(), bench_.material.classes.size()});
  }

  void describe() {
    const SelectionOptions& limits = recipe_.selection;
    auto& scores = pool_.scores;
    if (limits.unit == "seconds") scores.duration_s = each([](const Clip& clip) { return clip.duration_s(); });
    if (limits.gap_s > 0) scores.start_s = each([](const Clip& clip) { return clip.start_s; });
    if (limits.ask == "clip" && limits.per_video == 0 && limits.gap_s == 0) return;
    scores.video.reserve(size());
    for (const Clip* clip : pool_.clips) scores.video.push_back(clip->video);
  }

  torch::Tensor each(double (*of)(const Clip&)) const {
    auto values = torch::empty({size()}, torch::kFloat64);
    for (int64_t i = 0; i < size(); ++i) values.mutable_data_ptr<double>()[i] = of(*pool_.clips[i]);
    return values;
  }

  void look_at_labelled() {
    const Predictions seen = bench_.learning.score(*student_, recipe_.student, refs_of(known_.samples), size());
    const int64_t labelled = seen.rows.size(0), classes = bench_.material.classes.size();
    pool_.scores.labelled_embeddings = seen.embeddings;
    pool_.scores.labelled_logits = seen.logits;
    pool_.scores.labelled_targets = torch::full({labelled, classes}, std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < labelled; ++i) {
      const auto& target = known_.samples[seen.rows[i].item<int64_t>()].known();
      std::copy(target.begin(), target.end(), pool_.scores.labelled_targets.data_ptr<float>() + i * classes);
    }
  }

  std::vector<torch::Tensor> dropout() {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> passes;
    student_->train();
    for (int64_t pass = 0; pass < needs_.pass_count; ++pass) {
      torch::manual_seed(random_.stream("dropout", pass)());
      passes.push_back(student_->head(pool_.scores.embeddings));
    }
    student_->eval();
    return passes;
  }

  std::vector<torch::Tensor> augmented() {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> passes;
    student_->eval();
    bench_.progress.begin("augmented looks", needs_.pass_count * size(), "clips");
    for (int64_t pass = 0; pass < needs_.pass_count; ++pass) {
      EvaluationBatches batches(*bench_.material.reader, pool_.clips, bench_.material.classes.size(), kEvaluationBatch, /*threads=*/1,
                                recipe_.student.augment.label_safe(), random_.stream("augmented", pass));
      auto logits = blank();
      auto seen = torch::zeros_like(there_);
      while (const auto batch = batches.next()) {
        logits.index_copy_(0, batch->rows, student_->forward(batch->clips).logits);
        seen.index_fill_(0, batch->rows, true);
        bench_.progress.step(pass * size() + batch->rows[-1].item<int64_t>() + 1);
      }
      there_.logical_and_(seen);
      passes.push_back(logits);
    }
    bench_.progress.end();
    return passes;
  }

  std::vector<torch::Tensor> members() {
    std::vector<torch::Tensor> passes = {pool_.scores.logits};
    const Model teacher = teachers_network(bench_, recipe_);
    for (int64_t member = 1; member < needs_.pass_count; ++member) {
      const Model net = bench_.learning.train(recipe_.student, recipe_.loss, known_.samples, random_.stream("member", member), fmt::format("{} member {}", what_, member),
                                             teacher);
      const Predictions seen = bench_.learning.score(*net, recipe_.student, pool_.clips);
      auto logits = blank();
      if (seen.rows.size(0) > 0) logits.index_copy_(0, seen.rows, seen.logits);
      there_.logical_and_(torch::zeros_like(there_).index_fill_(0, seen.rows, true));
      passes.push_back(logits);
    }
    return passes;
  }

  void ask_teacher() {
    const auto answers = bench_.oracle.ask(copies_of(pool_.clips));
    pool_.scores.teacher = blank();
    for (int64_t i = 0; i < size(); ++i) {
      if (answers[i].empty()) there_[i] = false;
      else std::copy(answers[i].begin(), answers[i].end(), pool_.scores.teacher.data_ptr<float>() + i * pool_.scores.teacher.size(1));
    }
  }

  double teacher_error() const {
    if (!bench_.oracle.is_teacher()) return 0;  // the truth
    int64_t wrong = 0, both = 0;
    for (const Sample& sample : known_.samples) {
      if (sample.target.empty() || sample.teacher.empty()) continue;
      Sample only_teacher = sample;
      only_teacher.target.clear();
      wrong += only_teacher.likely() != sample.likely();
      ++both;
    }
    return both == 0 ? -1 : static_cast<double>(wrong) / static_cast<double>(both);
  }

  torch::Tensor blank() const { return torch::zeros({size(), bench_.material.classes.size()}); }

  ScoredPool complete() {
    const auto rows = there_.nonzero().squeeze(1);
    if (rows.size(0) == size()) return std::move(pool_);
    const std::vector<int64_t> kept(rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.size(0));
    ScoredPool whole{{}, subset(pool_.scores, kept)};
    for (const int64_t row : kept) whole.clips.push_back(pool_.clips[row]);
    return whole;
  }

  Workbench& bench_;
  const Recipe& recipe_;
  const Model& student_;
  const Known& known_;
  const Needs needs_;
  const Random random_;
  const std::string what_;
  ScoredPool pool_;
  torch::Tensor there_;  // bool, of each clip: it could be read every time
};

}  // namespace

ScoredPool score_pool(Workbench& bench, const Recipe& recipe, const Model& student, const Known& known, ClipRefs open,
                      Random random, const std::string& what) {
  return Scorer(bench, recipe, student, known, random, what).score(std::move(open));
}

}  // namespace distal
