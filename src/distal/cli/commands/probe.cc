#include <nlohmann/json.hpp>

#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/cli/output.h"
#include "distal/video/probe.h"

namespace distal {
namespace {

std::string describe(const VideoInfo& info) {
  int64_t keys = 0;
  for (const uint8_t key : info.key) keys += key;
  std::string text =
      fmt::format("{}\n  {}x{} {} in {}, {} frames, {:.3f} s, {:.3f} frames/s {}{}, {} key frames, "
                  "{} range, {} audio streams, id {}\n",
                  info.path, info.width, info.height, info.codec, info.container, info.frames(),
                  info.duration_s, info.average_rate, info.constant_rate ? "constant" : "variable",
                  info.rotation != 0 ? fmt::format(", rotated {} degrees", info.rotation) : "",
                  keys, info.full_range ? "full" : "limited", info.audio_streams, info.id);
  if (!info.seekable)
    text += fmt::format(
        "  plays from its start only, each clip takes as long as all before it: {}\n", info.doubt);
  for (const auto& damage : info.damage) text += "  damage: " + damage + "\n";
  return text;
}

nlohmann::json as_json(const VideoInfo& info) {
  return {{"path", info.path},
          {"id", info.id},
          {"bytes", info.bytes},
          {"width", info.width},
          {"height", info.height},
          {"codec", info.codec},
          {"container", info.container},
          {"frames", info.frames()},
          {"duration_s", info.duration_s},
          {"average_rate", info.average_rate},
          {"constant_rate", info.constant_rate},
          {"rotation", info.rotation},
          {"full_range", info.full_range},
          {"audio_streams", info.audio_streams},
          {"damage", info.damage},
          {"seekable", info.seekable},
          {"doubt", info.doubt}};
}

void add_probe(CLI::App* command) {
  command->description(
      "prints the content of video files: streams, frame rate (constant or variable), damage");
  const auto paths = std::make_shared<std::vector<std::string>>();
  const auto json = std::make_shared<bool>(false);
  command->add_option("videos", *paths, "video files")->required();
  command->add_flag("--json", *json, "a JSON object per line");
  command->callback([=] {
    const EndAtOnce makes_nothing;
    int64_t bad = 0;
    for (const auto& path : *paths) {
      check_interrupted();
      try {
        const VideoInfo info = probe(path);
        print_now(*json ? json_text(as_json(info)) + "\n" : printable_lines(describe(info)));
      } catch (const Interrupted&) {
        throw;
      } catch (const StdoutError&) {
        throw;
      } catch (const Error& error) {
        ++bad;
        print_now((*json ? json_text(nlohmann::json{{"path", path}, {"error", error.what()}})
                         : printable(error.what())) +
                  "\n");
      }
    }
    if (bad > 0) fail("{} of {} files cannot be used", bad, paths->size());
  });
}

}  // namespace

extern const Command probe_command;
const Command probe_command{20, add_probe};

}  // namespace distal
