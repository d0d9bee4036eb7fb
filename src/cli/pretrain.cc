#include "cli/pretrain.h"

#include <ATen/Parallel.h>

#include "base/files.h"
#include "base/leftovers.h"
#include "experiment/pretraining.h"
#include "experiment/split.h"

namespace distal {

void pretrain_and_print(const Experiment& experiment, const RecipeArguments& arguments) {
  arguments.set_threads();
  if (arguments.dry_run) {
    fmt::print("{}", pretraining_plan(experiment.base()));
    return;
  }
  Progress progress(arguments.progress());
  const RunPlace place = arguments.place(experiment);
  make_folder(place.folder);
  const FileLock lock(place.folder + "/.lock", place.folder, "give another --out");
  clear_leftovers(place.folder, /*deep=*/true);
  write_atomically(place.folder + "/recipe.yaml", experiment.resolved);
  if (arguments.threads == 0) at::set_num_threads(static_cast<int>(measured_threads(experiment.base().student, experiment.base().input)));
  const Pretrained result = pretrain(experiment.base(), place.folder, progress);
  fmt::print("{}", arguments.json ? result.json() + "\n" : result.text());
}

}  // namespace distal
