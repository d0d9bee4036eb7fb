# The headers that `cmake --install` offers as <distal/room/file.h>; cmake/public_headers_test.cmake holds the lists to what
# they include. A change of their code changes the tag that plugins are checked by (DISTAL_ABI, base/plugin.h).
set(DISTAL_PUBLIC_HEADERS
  base/catalogue.h base/error.h base/npy.h base/options.h base/plugin.h base/random.h base/revision.h  # what all use
  video/probe.h video/decoder.h video/synthetic.h data/clip_reader.h deploy/model_file.h  # videos, clips, trained students
  active/strategy.h active/kernels.h data/augmentation.h data/batches.h distill/loss.h models/model.h pretext/task.h
  pretext/contrast.h)                                                                     # the families

# What these include.
set(DISTAL_PUBLIC_HEADERS_INCLUDED
  base/abi.h base/interned.h base/nouns.h base/progress.h active/nearest_centre.h data/augment.h data/frame_cache.h
  data/frame_view.h data/sampling.h infer/engine.h lists/lists.h lists/quarantine.h models/weights.h)

# The promises of the families as tests, for those who have GoogleTest. That of pretext/ is left out: it trains, and so includes
# a third of all headers; bin/distal_conformance runs it.
set(DISTAL_SUITES active/conformance.h data/conformance.h distill/conformance.h models/conformance.h)
set(DISTAL_SUITES_INCLUDED distill/testing_lessons.h models/testing.h)
