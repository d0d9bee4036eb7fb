# The headers that `cmake --install` offers as <distal/room/file.h>; cmake/public_headers_test.cmake holds the list to what
# they include. A change of their code changes the tag that plugins are checked by.
set(DISTAL_PUBLIC_HEADERS
  base/catalogue.h base/error.h base/npy.h base/options.h base/plugin.h base/random.h base/revision.h  # what all use
  video/probe.h video/decoder.h video/synthetic.h data/clip_reader.h                # videos and clips
  active/strategy.h distill/loss.h models/model.h data/augmentation.h pretext/task.h pretext/contrast.h)  # the families

# What these include, and data/batches.h with what it includes: an augmentation works on a Batch.
set(DISTAL_PUBLIC_HEADERS_INCLUDED
  base/abi.h base/interned.h base/nouns.h base/progress.h data/augment.h data/batches.h data/frame_cache.h data/frame_view.h
  data/sampling.h lists/lists.h lists/quarantine.h)

# The promises of the families, as tests: for those who have GoogleTest. What they include beside the above stands with them.
set(DISTAL_SUITES)
