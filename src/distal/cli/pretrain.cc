#include "distal/cli/pretrain.h"

#include "distal/base/files.h"
#include "distal/base/leftovers.h"
#include "distal/study/pretraining_alone.h"

namespace distal {

void pretrain_and_print(const Experiment& experiment, const RecipeArguments& arguments) {
  arguments.set_threads();
  if (arguments.dry_run) {
    fmt::print("{}", pretraining_plan(experiment.base()));
    return;
  }
  Progress progress(arguments.progress());
  const StudyOptions study = arguments.study(experiment);
  const RunPlace place = place_of(study);
  make_folder(place.folder);
  const FileLock lock(place.folder + "/.lock", place.folder, "give another --out");
  clear_leftovers(place.folder, /*deep=*/true);
  write_atomically(place.folder + "/recipe.yaml", experiment.resolved);
  set_threads_alone(experiment.base(), study, place.folder, progress);
  const Pretrained result = pretrain(experiment.base(), place.folder, progress);
  fmt::print("{}", arguments.json ? result.json() + "\n" : result.text());
}

}  // namespace distal
