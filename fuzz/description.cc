// models/saved_model.h: the description of a model, and the input that it names.
#include "distal/data/clip_reader.h"
#include "distal/models/saved_model.h"
#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  const fuzz::MemoryFile file(input);
  fuzz::attempt(input, [&] {
    const SavedModel saved = load_description(file.path());
    InputOptions prepared;
    read_described(prepared, saved.input_yaml, "model.json (input)");
    side_json(saved.options, saved.classes, saved.input_yaml);
  });
}
