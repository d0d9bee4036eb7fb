#include "distal/cli/pretrain.h"

#include "distal/base/files.h"
#include "distal/base/leftovers.h"
#include "distal/study/pretraining_alone.h"

namespace distal {

void pretrain_and_print(const Study& study, const RecipeArguments& arguments) {
  const Learner& learner = study.arms.front().options.student;
  arguments.set_threads();
  if (arguments.dry_run) {
    fmt::print("{}", pretraining_plan(study.shared, learner));
    return;
  }
  ConsoleProgress progress(arguments.progress());
  const RunOptions options = arguments.run_options(study);
  const RunPlace place = place_of(options);
  make_folder(place.folder);
  const FileLock lock(place.folder + "/.lock", place.folder, "give another --out");
  clear_leftovers(place.folder, /*deep=*/true);
  write_atomically(place.folder + "/recipe.yaml", study.resolved);
  set_threads_alone(learner, study.shared.input, options, place.folder, progress);
  const Pretrained result = pretrain(study.shared, learner, place.folder, progress);
  fmt::print("{}", arguments.json ? result.json() + "\n" : result.text());
}

}  // namespace distal
