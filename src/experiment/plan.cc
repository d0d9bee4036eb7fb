#include <numeric>

#include "experiment/material.h"
#include "experiment/run.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;

struct Pace {
  double step_s = 0, clip_s = 0;  // of a training step; of scoring one clip
};

torch::Tensor noise_clips(const InputOptions& input, int64_t clips) {
  return torch::randn({clips, 3, input.sampling.frames, input.size_px, input.size_px});
}

// Times the real network on noise: one step to warm up, two that count.
Pace pace(const Learner& learner, const InputOptions& input, int64_t classes) {
  const Model net = learner.model.build(classes, Random(0));
  const torch::Tensor clips = noise_clips(input, learner.training.batch_size);
  const auto timed = [](const auto& work) {
    work();
    const auto began = Clock::now();
    work();
    work();
    return std::chrono::duration<double>(Clock::now() - began).count() / 2;
  };
  Pace measured;
  net->train();
  measured.step_s = static_cast<double>(learner.training.accumulate) * timed([&] { net->forward(clips).logits.square().mean().backward(); });
  net->eval();
  const torch::NoGradGuard no_grad;
  measured.clip_s = timed([&] { net->forward(clips); }) / static_cast<double>(clips.size(0));
  return measured;
}

double total_s(const std::vector<Clip>& clips) {
  return std::accumulate(clips.begin(), clips.end(), 0.0, [](double sum, const Clip& clip) { return sum + clip.duration_s(); });
}

bool frozen(const Learner& learner) {
  const auto& freeze = learner.model.freeze;
  return std::find(freeze.begin(), freeze.end(), "backbone") != freeze.end();
}

double cell_s(const Recipe& recipe, const Material& material, const Pace& measured) {
  const auto pool = static_cast<double>(material.pool.size()), test = static_cast<double>(material.test.size());
  if (frozen(recipe.student)) return static_cast<double>(recipe.rounds + 1) * 0.001 * static_cast<double>(recipe.student.training.steps);
  const bool scored = recipe.strategy->needs_logits() || recipe.strategy->needs_embeddings();
  const double per_round = static_cast<double>(recipe.student.training.steps) * measured.step_s + (test + (scored ? pool : 0)) * measured.clip_s;
  return static_cast<double>(recipe.rounds + 1) * per_round;
}

}  // namespace

Plan plan(const Experiment& experiment, Progress& progress) {
  const Material material = open_material(experiment, progress);
  const Recipe& base = experiment.base();
  const int64_t classes = material.classes.size();
  Plan plan;
  plan.pool_s = total_s(material.pool);
  plan.cells = static_cast<int64_t>(experiment.arms.size()) * base.seeds;
  double seconds = 0, mean_clip_s = plan.pool_s / static_cast<double>(material.pool.size());
  std::string arms;
  for (const Arm& arm : experiment.arms) {
    const Recipe& recipe = arm.recipe;
    const double each = cell_s(recipe, material, pace(recipe.student, recipe.input, classes));
    seconds += each * static_cast<double>(base.seeds);
    plan.trainings += (recipe.rounds + 1) * base.seeds;
    const double asked = recipe.budget < 0 ? static_cast<double>(material.pool.size()) * static_cast<double>(recipe.rounds > 0)
                                           : recipe.budget * static_cast<double>(recipe.rounds);
    const bool in_seconds = recipe.selection.unit == "seconds";
    const double answers = in_seconds ? asked / mean_clip_s : asked;
    plan.answers += static_cast<int64_t>(answers) * base.seeds;
    plan.seconds_asked += (in_seconds ? asked : asked * mean_clip_s) * static_cast<double>(base.seeds);
    arms += fmt::format("  {:<24} {} rounds of {} {}, strategy {}, about {:.1f} min a seed\n", arm.name, recipe.rounds,
                        recipe.budget < 0 ? "all" : fmt::format("{:g}", recipe.budget), recipe.selection.unit, recipe.strategy.name, each / 60);
  }
  if (base.teacher) {
    const Pace teacher = pace(base.teacher->learner, base.teacher->input.value_or(base.input), classes);
    seconds += static_cast<double>(base.teacher->learner.training.steps) * teacher.step_s;
    if (base.oracle.kind == "teacher") seconds += static_cast<double>(material.pool.size()) * teacher.clip_s;
  }
  // Answers are bought once per clip, whoever asks: never more than the pool.
  plan.price = base.oracle.price * static_cast<double>(std::min<int64_t>(plan.answers, static_cast<int64_t>(material.pool.size())));
  plan.minutes = seconds / 60;
  const auto side = base.input.cached_short_side_px();
  const int64_t clips = static_cast<int64_t>(material.pool.size() + material.start.size() + material.test.size());
  plan.cache_bytes = clips * base.input.sampling.frames * std::max<int64_t>(1, base.input.sampling.jitter_steps) * side * side * 4;
  plan.text = fmt::format("{}: {} classes; {} clips in the pool ({:.0f} s), {} to start from, {} to test on\n{}"
                          "  {} runs, {} trainings, at most {} answers ({:.0f} s of video, price at most {:.2f})\n"
                          "  about {:.0f} minutes on {}; up to {:.1f} GB of cached frames\n",
                          experiment.name, classes, material.pool.size(), plan.pool_s,
                          material.start_in_pool() ? material.pool.size() : material.start.size(), material.test.size(), arms, plan.cells,
                          plan.trainings, plan.answers, plan.seconds_asked, plan.price, plan.minutes, machine_line(),
                          static_cast<double>(plan.cache_bytes) / 1e9);
  for (const auto& video : material.quarantined) plan.text += fmt::format("  cannot be used: {}: {}\n", video.path, video.reason);
  return plan;
}

}  // namespace distal
