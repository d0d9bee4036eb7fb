#include "cli/model_file.h"

#include "base/error.h"
#include "infer/freeze.h"
#include "infer/openvino.h"

namespace distal {

OpenedModel open_model(const std::string& path, const std::string& engine, const std::string& precision) {
  const std::string extension = std::filesystem::path(path).extension().string();
  const bool exported = extension == ".onnx" || extension == ".xml";
  if (exported && engine == "libtorch") throw UsageError(fmt::format("{}: only engine openvino reads it; give the .safetensors it was exported from", path));
  OpenvinoOptions options;
  options.precision = precision;
  OpenedModel opened;
  opened.saved = exported ? load_description(path + ".json") : load_model(path);
  read_options(opened.input, opened.saved.input_yaml, path);
  if (opened.saved.classes == std::vector<std::string>{"none"}) fail("{}: was pre-trained without labels and knows no classes; train from it with init", path);
  if (exported) {
    opened.engine = openvino_file_engine(path, options);
  } else if (engine == "openvino" || (engine.empty() && openvino_present())) {
    const int64_t size_px = opened.input.size_px;
    opened.engine = openvino_engine(freeze(*opened.saved.net, {3, opened.input.sampling.frames, size_px, size_px}), options);
  } else {
    if (precision != "f32") throw UsageError(fmt::format("--precision {} is for engine openvino", precision));
    opened.engine = libtorch_engine(opened.saved.net);
  }
  return opened;
}

std::vector<Row> rows_of(const std::string& list, const std::vector<std::string>& videos) {
  if (!list.empty()) {
    auto rows = read_rows(list, "", /*labelled=*/false);
    for (Row& row : rows) row.label.clear();  // whatever it is, it is not asked about
    return rows;
  }
  std::vector<Row> rows(videos.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i].path = rows[i].place = videos[i];
  return rows;
}

std::vector<Clip> clips_of(const std::string& list, const std::vector<std::string>& videos, ClipReader& reader, Progress& progress) {
  const std::string folder = list.empty() ? "" : std::filesystem::path(list).parent_path().string();
  return make_clips(rows_of(list, videos), folder, {}, {}, [&](const std::string& path) { return reader.probe(path); }, progress).clips;
}

}  // namespace distal
