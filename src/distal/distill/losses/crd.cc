// Contrastive representation distillation: the student's embedding of a clip shall be told apart,
// by its likeness to the teacher's embedding of the same clip, from those of other clips; and the
// other way round. Both are projected to `size` features of length 1 (trained); a bank keeps a
// projection of every clip of either side. With s = exp(a . b / temperature) / Z, a an anchor, b of
// the other side's bank, m negatives, n clips:
//
//   beta * mean over anchors of [-log(s+ / (s+ + m / n)) - sum over negatives of log((m / n) / (s-
//   + m / n))].
//
// As in the authors' code (HobbitLong/RepDistiller): Z makes the s of the first batch average 1 / n
// and then stays; the positive is the bank's entry too; after each batch bank = normalise(momentum
// bank + (1 - momentum) projection). Deviations: one draw of negatives serves the whole batch
// (there: one for each clip, of other classes); where there are no more than `negatives` other
// clips, all are taken and nothing is drawn. 1 KB is kept for each clip.

#include <array>

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/distill/features.h"
#include "distal/models/device.h"

namespace distal::losses {

class Crd final : public DistillLoss {
 public:
  struct Options {
    int64_t size = 128;
    int64_t negatives = 16384;
    double temperature = 0.07;
    double momentum = 0.5;
    double beta = 0.8;
    void visit(OptionVisitor& v) const {
      v("size", size, "features of a projection", between(1, 8192));
      v("negatives", negatives, "largest number of negatives per pair", between(1, 1e6));
      v("temperature", temperature, "temperature of the similarities", between(0.001, 10));
      v("momentum", momentum, "momentum of the entries of the memory bank", between(0, 1));
      v("beta", beta, "weight", at_least(0));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Crd(const Options& options) : options_(options) {}

  bool needs_teacher_network() const override { return true; }

  std::shared_ptr<torch::nn::Module> parts(const Lesson& example, int64_t samples,
                                           Random random) const override {
    const Features both = embeddings(example);
    return std::make_shared<Contrast>(std::array{both.student.size(1), both.teacher.size(1)},
                                      options_.size, samples, random);
  }

  Losses losses(const Lesson& lesson) const override {
    auto& contrast = parts_of<Contrast>(lesson);
    const auto anchors = contrast.project(lesson);
    const auto others = drawn(contrast.bank[0]);
    const auto known = known_rows(lesson.teacher);
    Losses parts;
    for (const int side : {kStudent, kTeacher}) {
      const Scores scores = compare(anchors[side], contrast.bank[1 - side], lesson.rows, others);
      const auto kept = contrast.normaliser[side];
      const auto z = torch::where(kept > 0, kept, normaliser(scores, known));
      parts.emplace_back(
          side == kStudent ? "student" : "teacher",
          options_.beta * weighted_mean(rows(scores, z), lesson.weights, known, known));
    }
    return parts;
  }

  void remember(const Lesson& lesson) const override {
    auto& contrast = parts_of<Contrast>(lesson);
    const auto anchors = contrast.project(lesson);
    const auto known = known_rows(lesson.teacher);
    if (!known.any().item<bool>()) return;
    if (contrast.normaliser[0].item<double>() == 0) {
      const auto others = drawn(contrast.bank[0]);
      for (const int side : {kStudent, kTeacher})
        contrast.normaliser[side].copy_(normaliser(
            compare(anchors[side], contrast.bank[1 - side], lesson.rows, others), known));
    }
    // read once, not clip by clip
    const auto wanted = on_cpu(known);
    const auto clips = on_cpu(lesson.rows);
    for (int64_t i = 0; i < wanted.size(0); ++i) {  // in order: a clip may stand in a batch twice
      if (!wanted[i].item<bool>()) continue;
      for (const int side : {kStudent, kTeacher}) {
        auto entry = contrast.bank[side][clips[i].item<int64_t>()];
        entry.copy_(
            unit(options_.momentum * entry + (1 - options_.momentum) * anchors[side][i], 0));
      }
    }
  }

 private:
  static constexpr int kStudent = 0;
  static constexpr int kTeacher = 1;

  struct Contrast final : torch::nn::Module {
    Contrast(std::array<int64_t, 2> in, int64_t size, int64_t samples, const Random& random) {
      for (const int side : {kStudent, kTeacher}) {
        const std::string name = side == kStudent ? "student" : "teacher";
        projection[side] = register_module(name, fresh_linear(in[side], size, random.stream(name)));
        bank[side] = register_buffer(
            name + "_bank",
            fresh_linear(size, samples, random.stream(name, 1))->weight.detach() * std::sqrt(3.0));
      }
      normaliser = register_buffer("normaliser", torch::zeros({2}));
    }
    std::array<torch::Tensor, 2> project(const Lesson& lesson) {  // [N, size] each, of length 1
      const Features both = embeddings(lesson);
      return {unit(projection[kStudent]->forward(both.student), 1),
              unit(projection[kTeacher]->forward(both.teacher), 1)};
    }
    std::array<std::shared_ptr<Linear>, 2> projection;
    std::array<torch::Tensor, 2> bank;  // [samples, size]
    torch::Tensor normaliser;           // [2], 0: not known yet
  };

  struct Scores {
    torch::Tensor positive;  // [N]
    torch::Tensor negative;  // [N, m]
    torch::Tensor apart;     // bool [N, m], false where the negative is the clip itself
    int64_t samples = 0;
  };

  // Clips of a bank [samples, size], on its device; drawn on the CPU, so that every device draws
  // alike.
  torch::Tensor drawn(const torch::Tensor& bank) const {
    const int64_t samples = bank.size(0);
    const auto rows = samples - 1 <= options_.negatives
                          ? torch::arange(samples)
                          : torch::randperm(samples).slice(0, 0, options_.negatives);
    return rows.to(bank.device());
  }
  Scores compare(const torch::Tensor& anchors, const torch::Tensor& bank, const torch::Tensor& rows,
                 const torch::Tensor& others) const {
    const auto likeness = [&](const torch::Tensor& products) {
      return (products / options_.temperature).exp();
    };
    return {likeness((anchors * bank.index_select(0, rows)).sum(1)),
            likeness(anchors.mm(bank.index_select(0, others).t())),
            others.unsqueeze(0) != rows.unsqueeze(1), bank.size(0)};
  }
  // The mean score of the known clips times n.
  static torch::Tensor normaliser(const Scores& scores, const torch::Tensor& known) {
    const auto of = known.unsqueeze(1) & scores.apart;
    const auto sum = (scores.positive * known).sum() + (scores.negative * of).sum();
    const auto count = known.sum() + of.sum();
    const auto mean = sum / count.clamp_min(1) * static_cast<double>(scores.samples);
    return torch::where(mean > 0, mean, torch::ones_like(mean)).detach();
  }
  static torch::Tensor rows(const Scores& scores, const torch::Tensor& z) {  // [N]
    constexpr double kEpsilon = 1e-7;
    const auto noise = scores.apart.sum(1).to(scores.positive.dtype()) /
                       static_cast<double>(scores.samples);  // m / n
    const auto positive = scores.positive / z;
    const auto negative = scores.negative / z;
    const auto right = (positive / (positive + noise + kEpsilon)).log();
    const auto wrong = (noise.log() - (negative.t() + noise + kEpsilon).log()).t();
    return -right - torch::where(scores.apart, wrong, torch::zeros_like(wrong)).sum(1);
  }
  Options options_;
};

extern const Entry<DistillLoss> crd;
const Entry<DistillLoss> crd = entry<DistillLoss, Crd>(
    "clips told apart by the teacher's embedding, with a memory bank; needs its network",
    "Y. Tian, D. Krishnan, P. Isola, Contrastive representation distillation, ICLR 2020, arXiv "
    "1910.10699, section 3");

}  // namespace distal::losses
