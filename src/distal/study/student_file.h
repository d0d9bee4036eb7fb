#pragma once
// The last student of an arm's first seed: FOLDER/slug(ARM).safetensors. The store knows its
// content and where it was kept.

#include "distal/study/trial.h"

namespace distal {

std::string student_file(const TrialSetup& setup, const Arm& arm);

/// Writes the student, with what it learned from and how it was measured in its last round
/// (study/training_account.h), and tells the record; nothing where the trial is not of the first
/// seed, or students are not kept.
void keep_student(const TrialSetup& setup, const Arm& arm, const Net& student,
                  const LabeledSet& known, const Metrics& metrics, TrialRecord& record);
/// Whether the folder has another one or none, because the rounds were measured elsewhere or there
/// are more of them.
bool lacks_student(const TrialSetup& setup, const Arm& arm, const TrialRecord& record);
/// Copies what another process kept of the same trial, in whatever folder (one of several jobs, a
/// share that somebody else started); false where that is gone.
bool take_student(const TrialSetup& setup, const Arm& arm, const TrialRecord& record);

}  // namespace distal
