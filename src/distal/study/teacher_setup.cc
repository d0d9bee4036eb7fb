#include "distal/study/teacher_setup.h"

#include <fmt/ranges.h>

#include "distal/evaluation/metrics.h"
#include "distal/learn/network_trainer.h"
#include "distal/models/weights.h"
#include "distal/study/labeled_set.h"

namespace distal {
namespace {

TeacherSetup open_model(const std::string& path, const Classes& classes) {
  const SavedModel saved = load_model(path);
  if (saved.classes != classes.names)
    fail("oracle.path: {}: its classes ({}) are not those of the lists ({}); a teacher must know them all, in the same order", path, fmt::join(saved.classes, ", "),
         fmt::join(classes.names, ", "));
  return {teacher_of(saved.net, content_id(path), classes.size()), "model " + path, -1, path};
}

TeacherSetup train_teacher(const Study& study, Dataset& dataset, const std::string& folder, const std::string& unfinished, Progress& progress) {
  const SharedOptions& shared = study.shared;
  const Learner& learner = shared.teacher->learner;
  const int64_t classes = dataset.classes.size();
  const auto clips = [&] {
    std::vector<Clip> all = dataset.teacher;
    all.insert(all.end(), dataset.test.begin(), dataset.test.end());
    return all;
  };
  NetworkTrainer trainer(dataset.teachers_reader(), dataset.classes, clips, unfinished, progress);
  trainer.pretrain_on([&] { return dataset.pool; }, shared.cache);
  std::vector<Sample> samples;
  for (const Clip& clip : dataset.teacher) samples.push_back({clip, one_hot(clip.label, classes)});
  const Model net = trainer.train(learner, {}, samples, Random(static_cast<uint64_t>(shared.seed)).stream("teacher"), "teacher");
  const Predictions test = trainer.predict(*net, learner, dataset.test);
  const double accuracy = measure(test.logits, test.rows, dataset.test).accuracy;
  const std::string path = folder + "/teacher.safetensors";
  save_model(path, *net, side_json(learner.model, dataset.classes.names, resolved(shared.teacher_input())));
  progress.say(fmt::format("teacher: test accuracy {:.4f}, trained on {} clips", accuracy, samples.size()));
  return {teacher_of(net, content_id(path), classes), fmt::format("{} trained on {} clips of other source videos", learner.model.backbone.name, samples.size()),
          accuracy, path};
}

}  // namespace

TeacherSetup set_up_teacher(const Study& study, Dataset& dataset, const std::string& folder, const std::string& unfinished, Progress& progress) {
  const TeacherOptions& oracle = study.shared.oracle;
  const auto say = [&progress](const std::string& line) { progress.say(line); };
  if (oracle.kind == "truth") return {nullptr, "hidden truth: the benchmark's own labels"};
  if (oracle.kind == "http") return {http_teacher(oracle, dataset.classes.size(), say), "endpoint " + oracle.url};
  if (oracle.kind == "model") return open_model(oracle.path, dataset.classes);
  if (oracle.kind == "teacher") return train_teacher(study, dataset, folder, unfinished, progress);
  say(executes_code(oracle.path));
  return {torchscript_teacher(oracle, dataset.classes.size(), say), "TorchScript file " + oracle.path};
}

}  // namespace distal
