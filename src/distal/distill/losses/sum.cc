// Several losses at once, each with a weight and a linear warm-up:
//
//   loss: {name: sum, of: [kd, rkd], kd: {tau: 2}, rkd: {weight: 2, warmup: 0.2, angle: 0}}
//
// is the sum over terms of weight * min(1, progress / warmup) * the term's parts, progress the
// share of the training that is done. A weight multiplies what a loss has of its own (alpha, beta,
// ...). The part `truth` does not warm up: in the published schedules the teacher's parts alone do.
// Parts are named by their loss (`rkd.distance`).

#include <set>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/distill/loss.h"

namespace distal::losses {

class Sum final : public DistillLoss {
 public:
  struct Term {
    std::string name;
    double weight = 1;
    double warmup = 0;
    mutable std::shared_ptr<const DistillLoss> loss;  // made by `visit`, with its options
    mutable std::shared_ptr<const void> options;

    void visit(OptionVisitor& v) const {
      v("weight", weight, "factor on all parts of this loss", at_least(0));
      v("warmup", warmup, "share of the steps over which it rises from 0, its part truth excepted",
        between(0, 1));
      for (const auto& row : catalogue<DistillLoss>()) {
        if (row.name == name) loss = row.entry->make(v, options);
      }
    }
    double factor(const std::string& part, double progress) const {
      return warmup == 0 || part == "truth" ? weight : weight * std::min(1.0, progress / warmup);
    }
  };

  struct Options {
    std::vector<std::string> of = {"black_box"};
    mutable std::map<std::string, Term> terms;  // one for each of `of`; made by `visit`

    void visit(OptionVisitor& v) const {
      std::vector<std::string> names;
      for (const auto& row : catalogue<DistillLoss>()) {
        if (row.name != "sum") names.push_back(row.name);
      }
      v("of", of, "the losses to add up; each takes options under its name", one_of(names));
      if (of.empty() || std::set(of.begin(), of.end()).size() < of.size())
        throw UsageError(
            fmt::format("{}: loss sum: of must name at least one loss, each once", v.place()));
      for (const auto& name : of) {
        terms[name].name = name;
        v(name.c_str(), terms[name], "weight, warm-up and its own options");
      }
    }
  };
  explicit Sum(const Options& options) {
    for (const auto& name : options.of) terms_.push_back(options.terms.at(name));
  }

  Losses losses(const Lesson& lesson) const override {
    Losses all;
    for (const Term& term : terms_) {
      for (const auto& [part, value] : term.loss->losses(lesson_of(term, lesson)))
        all.emplace_back(term.name + "." + part, term.factor(part, lesson.progress) * value);
    }
    return all;
  }

  bool needs_teacher() const override { return all_of(&DistillLoss::needs_teacher); }
  bool needs_teacher_network() const override {
    return any_of(&DistillLoss::needs_teacher_network);
  }
  bool needs_maps() const override { return any_of(&DistillLoss::needs_maps); }
  bool teaches_classes() const override { return any_of(&DistillLoss::teaches_classes); }

  std::shared_ptr<torch::nn::Module> parts(const Lesson& example, int64_t samples,
                                           Random random) const override {
    auto all = std::make_shared<Parts>();
    for (const Term& term : terms_) {
      if (const auto own = term.loss->parts(example, samples, random.stream(term.name)))
        all->register_module(term.name, own);
    }
    return all->children().empty() ? nullptr : all;
  }
  void remember(const Lesson& lesson) const override {
    for (const Term& term : terms_) term.loss->remember(lesson_of(term, lesson));
  }

 private:
  struct Parts final : torch::nn::Module {};

  static Lesson lesson_of(const Term& term, const Lesson& lesson) {
    Lesson own = lesson;
    const auto parts = lesson.parts
                           ? lesson.parts->named_children()
                           : torch::OrderedDict<std::string, std::shared_ptr<torch::nn::Module>>();
    own.parts = parts.contains(term.name) ? parts[term.name].get() : nullptr;
    return own;
  }
  using Question = bool (DistillLoss::*)() const;
  bool any_of(Question question) const {
    return std::any_of(terms_.begin(), terms_.end(),
                       [&](const Term& term) { return (*term.loss.*question)(); });
  }
  bool all_of(Question question) const {
    return std::all_of(terms_.begin(), terms_.end(),
                       [&](const Term& term) { return (*term.loss.*question)(); });
  }
  std::vector<Term> terms_;
};

extern const Entry<DistillLoss> sum;
const Entry<DistillLoss> sum = entry<DistillLoss, Sum>(
    "several losses with weights and warm-ups: {name: sum, of: [kd, rkd], rkd: {warmup: 0.2}}",
    "a combination of the losses listed here");

}  // namespace distal::losses
