#include "experiment/oracle.h"

namespace distal {

Oracle::Oracle(const TeacherOptions& options, std::unique_ptr<Teacher> teacher, Material& material, Store& store, Progress& progress)
    : options_(options), teacher_(std::move(teacher)), material_(material), store_(store), progress_(progress) {
  // An answer means something only with its classes.
  uint64_t classes = fnv1a("classes");
  for (const auto& name : material.classes.names) classes = fnv1a(name + "\n", classes);
  version_ = fmt::format("{}-{:08x}", teacher_ ? teacher_->version() : material.lists_id, static_cast<uint32_t>(classes));
}

std::vector<std::vector<double>> Oracle::ask(const std::vector<Clip>& clips) {
  std::vector<Clip> missing;
  for (const Clip& clip : clips)
    if (!store_.find_answer(clip.key(), options_.kind, version_)) missing.push_back(clip);
  if (!missing.empty()) buy(missing);
  std::vector<std::vector<double>> answers;
  for (const Clip& clip : clips) {
    const auto answer = store_.find_answer(clip.key(), options_.kind, version_);
    answers.push_back(answer ? answer->probabilities : std::vector<double>());
  }
  return answers;
}

void Oracle::buy(const std::vector<Clip>& clips) {
  const auto put = [&](const Clip& clip, std::vector<double> probabilities) {
    store_.put_answer({clip.key(), options_.kind, version_, std::move(probabilities), options_.price, clip.duration_s()});
  };
  if (!teacher_) {
    for (const Clip& clip : clips) {
      std::vector<double> truth(material_.classes.size(), 0);
      truth.at(clip.label) = 1;
      put(clip, truth);
    }
    return;
  }
  EvaluationBatches batches(material_.teachers_reader(), clips, material_.classes.size(), options_.batch_size, /*threads=*/1);
  int64_t done = 0;
  progress_.begin("asking the teacher", static_cast<int64_t>(clips.size()), "clips");
  while (const auto batch = batches.next()) {
    std::vector<std::string> keys;
    for (int64_t i = 0; i < batch->rows.size(0); ++i)
      keys.push_back(store_.request_key(clips[batch->rows[i].item<int64_t>()].key(), options_.kind, version_));
    const torch::Tensor answers = teacher_->answer(batch->clips, keys).to(torch::kFloat64).contiguous();
    for (int64_t i = 0; i < batch->rows.size(0); ++i) {
      const double* row = answers.data_ptr<double>() + i * answers.size(1);
      put(clips[batch->rows[i].item<int64_t>()], std::vector<double>(row, row + answers.size(1)));
    }
    progress_.step(done += batch->rows.size(0));
  }
  progress_.end();
}

}  // namespace distal
