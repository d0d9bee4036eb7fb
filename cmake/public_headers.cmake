# The headers that `cmake --install` offers as <distal/room/file.h>; cmake/public_headers_test.cmake
# holds the lists to what they include. A change of their code changes the tag that plugins are
# checked by (DISTAL_ABI, base/plugin.h).
set(DISTAL_PUBLIC_HEADERS
  # what all use
  base/catalogue.h base/choice.h base/error.h base/interrupted.h base/npy.h base/options.h
  base/plugin.h base/progress.h base/random.h base/revision.h
  # videos, clips, trained students
  video/probe.h video/decoder.h video/synthetic.h data/cache_error.h data/clip_reader.h
  deploy/model_file.h
  # the families
  active/strategy.h active/kernels.h data/augment.h data/augmentation.h data/batches.h
  distill/loss.h models/backbone.h models/model.h pretext/task.h pretext/contrast.h
  oracles/oracle.h deploy/export_target.h tasks/task.h)

# What these include.
set(DISTAL_PUBLIC_HEADERS_INCLUDED
  base/abi.h base/document.h base/files.h base/interned.h base/nouns.h active/nearest_centre.h
  data/frame_cache.h data/frame_view.h data/sampling.h data/share.h distill/loss_parts.h
  infer/engine.h infer/onnx.h infer/onnx_part.h lists/lists.h lists/quarantine.h models/model_fwd.h
  models/model_options.h models/output.h models/saved_model.h models/weights.h
  oracles/asked_for.h)

# The promises of the families as tests, for those who have GoogleTest. That of pretext/ trains.
# Oracles have none here: oracles/conformance_test.cc opens each kind in a way of its own.
set(DISTAL_SUITES active/conformance.h data/conformance.h deploy/conformance.h distill/conformance.h
  models/conformance.h pretext/conformance.h)
set(DISTAL_SUITES_INCLUDED base/leftovers.h base/testing.h deploy/export.h infer/freeze.h
  infer/openvino.h infer/quantise.h distill/testing_lessons.h models/layers.h models/testing.h
  pretext/heads.h pretext/options.h pretext/taco.h pretext/testing.h
  train/collective.h train/fit.h)
