#include "distal/study/teacher_setup.h"

#include <filesystem>

#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/evaluation/metrics.h"
#include "distal/learn/network_trainer.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/oracles/ledger.h"
#include "distal/oracles/mixed_source.h"
#include "distal/study/labeled_set.h"
#include "distal/study/step_logs.h"

namespace distal {
namespace {

// `accuracy` becomes that on the test set.
TrainedTeacher train_teacher(const Study& study, Dataset& dataset, const std::string& path,
                             const std::string& unfinished, Progress& progress, double& accuracy) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const SharedOptions& shared = study.shared;
  const Learner& learner = shared.teacher->learner;
  const auto clips = [&] {
    std::vector<Clip> all = dataset.teacher;
    all.insert(all.end(), dataset.test.begin(), dataset.test.end());
    return all;
  };
  NetworkTrainer trainer(dataset.teachers_reader(), dataset.classes, clips, unfinished, progress,
                         *dataset.task);
  trainer.reuse(path);
  trainer.watch(step_logs(folder, progress));
  trainer.pretrain_on([&] { return dataset.pool; }, shared.cache);
  std::vector<Sample> samples;
  for (const Clip& clip : dataset.teacher)
    samples.push_back({clip, dataset.labels().target(clip.label)});
  const Model net =
      trainer.train(learner, {}, samples,
                    Random(static_cast<uint64_t>(shared.seed)).stream("teacher"), "teacher");
  const Predictions test = trainer.predict(*net, learner, dataset.test);
  accuracy = measure(test.logits, test.rows, dataset.test, *dataset.task).accuracy;
  save_model(path, *net,
             side_json(learner.model, dataset.classes.names, resolved(shared.teacher_input())),
             trainer.training());
  progress.say(
      fmt::format("teacher: test accuracy {:.4f}, trained on {} clips", accuracy, samples.size()));
  return {net, path,
          fmt::format("{} trained on {} clips of other source videos", learner.model.backbone.name,
                      samples.size())};
}

WhoAnswers open_oracle(const Study& study, const Choice<Oracle>& kind, Dataset& dataset,
                       const OraclePlace& place, Progress& progress) {
  const std::string own = place.folder + "/teacher.safetensors";
  WhoAnswers who;
  OracleSetup setup;
  setup.classes = dataset.classes;
  setup.lists_id = dataset.lists_id;
  setup.study = study.name;
  setup.store_url = place.store_url;
  setup.task = dataset.task;
  setup.say = [&progress](const std::string& line) { progress.say(line); };
  setup.train = [&] {
    return train_teacher(study, dataset, own, place.unfinished, progress, who.accuracy);
  };
  OpenedOracle opened = kind->open(setup);
  who.oracle = std::move(opened.answers);
  who.line = opened.line;
  who.network = kind->network_file(own);
  return who;
}

}  // namespace

std::vector<WhoAnswers> open_oracles(const Study& study, Dataset& dataset, const OraclePlace& place,
                                     Progress& progress) {
  std::vector<WhoAnswers> all;
  for (const OracleOptions* part : study.shared.oracle.parts())
    all.push_back(open_oracle(study, part->kind, dataset, place, progress));
  return all;
}

std::unique_ptr<AnswerSource> answer_source(const Study& study, Dataset& dataset,
                                            std::vector<WhoAnswers>& who, bool ask_again,
                                            Store& store, Progress& progress) {
  const OracleRecipe& recipe = study.shared.oracle;
  const auto ledger = [&](const OracleOptions& part, WhoAnswers& answers, AskedClips asked) {
    OracleOptions options = part;
    options.ask_again = ask_again && (part.ask_again || recipe.only.ask_again);
    return std::make_unique<Ledger>(options, std::move(answers.oracle), std::move(asked), store,
                                    progress, study.asks_views());
  };
  auto first = ledger(recipe.asked_first(), who.front(), dataset.asked());
  if (!recipe.mixed()) return first;
  auto then = ledger(recipe.asked_then(), who.back(), dataset.asked_second());
  return std::make_unique<MixedSource>(std::move(first), std::move(then), recipe.doubt(),
                                       *dataset.task);
}

std::string line_of(const Study& study, const std::vector<WhoAnswers>& who) {
  if (!study.shared.oracle.mixed()) return who.front().line;
  return fmt::format("first {}; then {}, {}", who.front().line, who.back().line,
                     study.shared.oracle.when_words());
}

}  // namespace distal
