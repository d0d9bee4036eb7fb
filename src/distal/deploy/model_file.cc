#include "distal/deploy/model_file.h"

#include "distal/base/error.h"
#include "distal/base/progress.h"
#include "distal/deploy/export_target.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"

namespace distal {
namespace {

// The target of a file that export wrote, if it holds a graph; none: weights.
TargetChoice graph_target_of(const std::string& path) {
  TargetChoice target = target_of_file(path);
  return target && target->holds_graph() ? target : TargetChoice();
}

}  // namespace

OpenedModel open_model(const std::string& path) {
  const TargetChoice target = graph_target_of(path);
  OpenedModel opened{
      path, target ? load_description(target->description_of(path)) : load_model(path), {}};
  read_described(opened.input, opened.saved.input_yaml, path + " (input)");
  if (opened.saved.classes == std::vector<std::string>{"none"}) {
    fail("{}: was pre-trained without labels and knows no classes; train from it with init", path);
  }
  return opened;
}

std::vector<int64_t> clip_sizes(const InputOptions& input) {
  return {3, input.sampling.frames, input.size_px, input.size_px};
}

std::unique_ptr<Engine> engine_of(const OpenedModel& model, const std::string& engine,
                                  const std::string& precision, int64_t clips, int64_t at_once,
                                  std::string* note) {
  const int64_t company = at_once > 0 ? at_once : clips;
  if (const TargetChoice target = graph_target_of(model.path)) {
    const std::string reader = target->reader().engine;
    if (!engine.empty() && engine != reader) {
      throw UsageError(
          fmt::format("{}: only engine {} reads it; give the .safetensors it was exported from",
                      model.path, reader));
    }
    return target->open(model.path, {precision, company});
  }
  if (engine != "openvino" && precision == "bf16") {
    throw UsageError(fmt::format("--precision {} wants --engine openvino", precision));
  }
  const std::vector<int64_t> clip = clip_sizes(model.input);
  if (engine == "openvino") {
    OpenvinoOptions options;
    options.precision = precision;
    options.clips = company;
    return openvino_engine(freeze(*model.saved.net, clip), options);
  }
  if (engine == "libtorch") return libtorch_engine(model.saved.net);
  return quicker_engine(model.saved.net, clip, clips, kWorthFreezing, note, at_once);
}

std::vector<Row> rows_of(const std::string& list, const std::vector<std::string>& videos,
                         bool labelled) {
  if (!list.empty()) {
    auto rows = read_rows(list, "", labelled);
    if (!labelled) {  // whatever the labels are, they are not asked about
      for (Row& row : rows) row.label = Interned();
    }
    return rows;
  }
  std::vector<Row> rows(videos.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].path = videos[i];
    rows[i].place = videos[i];
  }
  return rows;
}

ClipList clips_of(const std::string& list, const std::vector<std::string>& videos,
                  ClipReader& reader, Progress& progress, const Classes& classes) {
  const std::string folder = list.empty() ? "" : std::filesystem::path(list).parent_path().string();
  const auto probe_video = [&](const std::string& path) { return reader.probe(path); };
  return make_clips(rows_of(list, videos, classes.size() > 0), folder, {}, classes, probe_video,
                    progress);
}

}  // namespace distal
