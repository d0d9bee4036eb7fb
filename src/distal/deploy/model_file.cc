#include "distal/deploy/model_file.h"

#include "distal/base/error.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"

namespace distal {
namespace {

bool is_exported(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  return extension == ".onnx" || extension == ".xml";
}

}  // namespace

OpenedModel open_model(const std::string& path) {
  OpenedModel opened{path, is_exported(path) ? load_description(path + ".json") : load_model(path), {}};
  read_described(opened.input, opened.saved.input_yaml, path + " (input)");
  if (opened.saved.classes == std::vector<std::string>{"none"}) fail("{}: was pre-trained without labels and knows no classes; train from it with init", path);
  return opened;
}

std::unique_ptr<Engine> engine_of(const OpenedModel& model, const std::string& engine, const std::string& precision, int64_t clips, int64_t at_once, std::string* note) {
  const bool exported = is_exported(model.path);
  if (exported && engine == "libtorch") throw UsageError(fmt::format("{}: only engine openvino reads it; give the .safetensors it was exported from", model.path));
  if (!exported && engine != "openvino" && precision == "bf16") throw UsageError(fmt::format("--precision {} wants --engine openvino", precision));
  const std::vector<int64_t> clip = {3, model.input.sampling.frames, model.input.size_px, model.input.size_px};
  OpenvinoOptions options;
  options.precision = precision;
  options.clips = at_once > 0 ? at_once : clips;
  if (exported) return openvino_file_engine(model.path, options);
  if (engine == "openvino") return openvino_engine(freeze(*model.saved.net, clip), options);
  return engine == "libtorch" ? libtorch_engine(model.saved.net) : quicker_engine(model.saved.net, clip, clips, kWorthFreezing, note, at_once);
}

std::vector<Row> rows_of(const std::string& list, const std::vector<std::string>& videos, bool labelled) {
  if (!list.empty()) {
    auto rows = read_rows(list, "", labelled);
    if (!labelled)
      for (Row& row : rows) row.label = Interned();  // whatever it is, it is not asked about
    return rows;
  }
  std::vector<Row> rows(videos.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i].path = videos[i], rows[i].place = videos[i];
  return rows;
}

ClipList clips_of(const std::string& list, const std::vector<std::string>& videos, ClipReader& reader, Progress& progress, const Classes& classes) {
  const std::string folder = list.empty() ? "" : std::filesystem::path(list).parent_path().string();
  return make_clips(rows_of(list, videos, classes.size() > 0), folder, {}, classes, [&](const std::string& path) { return reader.probe(path); }, progress);
}

}  // namespace distal
