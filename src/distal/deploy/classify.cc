#include "distal/deploy/classify.h"

#include <deque>

#include "distal/base/error.h"
#include "distal/base/progress.h"
#include "distal/data/batches.h"

namespace distal {
namespace {

struct Submitted {
  torch::Tensor rows;
  std::future<Output> answer;
};

}  // namespace

Classified classify(const OpenedModel& model, ClipReader& reader, const std::vector<Clip>& clips,
                    const ClassifyOptions& options, Progress& progress) {
  const torch::NoGradGuard no_grad;
  std::string why_not;
  const auto engine = engine_of(model, options.engine, options.precision, std::ssize(clips),
                                /*at_once=*/0, &why_not);
  if (!why_not.empty()) progress.say(why_not);
  const int64_t classes = std::ssize(model.saved.classes);
  EvaluationBatches batches(reader, clips, classes, engine->batch(), /*threads=*/1);
  std::vector<torch::Tensor> logits = {torch::empty({0, classes})};
  std::vector<int64_t> rows;
  std::deque<Submitted> under_way;
  const auto take_first = [&] {
    logits.push_back(under_way.front().answer.get().logits);
    const torch::Tensor& read = under_way.front().rows;
    for (int64_t i = 0; i < read.size(0); ++i) rows.push_back(read[i].item<int64_t>());
    under_way.pop_front();
    progress.step(rows.back() + 1);
  };
  progress.begin("predicting", std::ssize(clips), "clips");
  while (const auto batch = batches.next()) {
    under_way.push_back({batch->rows, engine->submit(batch->clips)});
    if (std::ssize(under_way) >= engine->requests()) take_first();
  }
  while (!under_way.empty()) take_first();
  progress.end();
  const torch::Tensor all = torch::cat(logits);
  if (!all.isfinite().all().item<bool>())
    fail("{}: its answers are NaN or infinite; the file is damaged or its training failed: export "
         "it again",
         model.path);
  const torch::Tensor p = model.task->probabilities(all.to(torch::kFloat64)).contiguous();
  return {p, model.task->predicted(p), std::move(rows)};
}

}  // namespace distal
