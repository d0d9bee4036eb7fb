#include "distal/study/student_file.h"

#include "distal/base/interrupted.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/text.h"
#include "distal/models/model.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/study/training_account.h"

namespace distal {
namespace {

bool is_kept(const TrialSetup& setup, const TrialRecord& record) {
  return !setup.folder.empty() && record.seed() == setup.study.shared.seed;
}

}  // namespace

std::string student_file(const TrialSetup& setup, const Arm& arm) {
  return fmt::format("{}/{}.safetensors", setup.folder, slug(arm.name));
}

void keep_student(const TrialSetup& setup, const Arm& arm, const Net& student,
                  const LabeledSet& known, const Metrics& metrics, TrialRecord& record) {
  if (!is_kept(setup, record)) return;
  const std::string path = student_file(setup, arm);
  save_model(path, student,
             side_json(arm.options.student.model, setup.dataset.classes.names,
                       resolved(setup.study.shared.input),
                       training_account(setup, arm, known, metrics, record.seed())));
  record.put_student(arm.options.rounds, path);
}

bool lacks_student(const TrialSetup& setup, const Arm& arm, const TrialRecord& record) {
  return setup.collects && is_kept(setup, record) &&
         !record.is_student(arm.options.rounds, student_file(setup, arm));
}

bool take_student(const TrialSetup& setup, const Arm& arm, const TrialRecord& record) {
  std::string damage;
  for (const std::string& file : record.student_files()) {
    if (!record.is_student(arm.options.rounds, file)) continue;
    try {
      const SavedModel student = load_model(file);
      save_model(student_file(setup, arm), *student.net, student.side_json);
      if (!lacks_student(setup, arm, record)) return true;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      damage = error.what();
    }
  }
  if (!damage.empty()) setup.progress.say(fmt::format("{}; {} is trained again", damage, arm.name));
  return false;
}

}  // namespace distal
