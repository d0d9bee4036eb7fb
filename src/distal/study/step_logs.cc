#include "distal/study/step_logs.h"

#include <memory>

#include "distal/base/error.h"
#include "distal/base/progress.h"
#include "distal/base/text.h"
#include "distal/report/step_log.h"

namespace distal {
namespace {

void log_step(StepLog& log, const StepRecord& record) {
  StepLog::Values values = {{"loss", record.loss}};
  if (record.parts.size() > 1) {
    for (const auto& [name, part] : record.parts) values.emplace_back("loss/" + name, part);
  }
  values.emplace_back("learning_rate", record.learning_rate);
  values.emplace_back("samples_per_s", record.samples_per_s);
  log.add(record.from, record.step, values);
}

}  // namespace

NetworkTrainer::WatchTraining step_logs(const std::string& folder, Progress& progress) {
  const auto failed = std::make_shared<bool>(false);
  return [=, &progress](const std::string& what) -> WatchSteps {
    const auto log = std::make_shared<StepLog>(folder + "/training/" + slug(what), what);
    return [=, &progress](const StepRecord& record) {
      if (*failed) return;
      try {
        log_step(*log, record);
      } catch (const Error& error) {
        *failed = true;
        progress.say(fmt::format("the steps of trainings are not written: {}", error.what()));
      }
    };
  };
}

}  // namespace distal
