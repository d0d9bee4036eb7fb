#pragma once
// For the tests of this room: a folder that goes away, files of many kinds, and the slow plain decoder they are judged by.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "distal/video/convert.h"
#include "distal/video/probe.h"
#include "distal/video/synthetic.h"

namespace distal::scratch {

class Folder {
 public:
  Folder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() / fmt::format("distal_video_{}_{}", ::getpid(), count++);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Kind {
  std::string name, file;
  int64_t first_number = 0;  // number painted in the first shown frame
  SyntheticOptions options;
};

inline std::vector<Kind> kinds() {
  using O = SyntheticOptions;
  return {
      {"constant rate", "constant.mp4", 0, O{}},
      {"variable rate", "variable.mp4", 0, O{.variable_rate = true}},
      {"B-frames", "b.mp4", 0, O{.frames = 50, .b_frames = 3}},
      {"open GOP", "open.mp4", 0, O{.frames = 60, .b_frames = 3, .gop = 10, .open_gop = true}},
      {"open GOP in Matroska", "open.mkv", 0, O{.frames = 60, .b_frames = 3, .gop = 10, .open_gop = true}},
      {"open GOP in MPEG-TS", "open.ts", 0, O{.frames = 60, .b_frames = 3, .gop = 10, .open_gop = true}},
      {"first time not 0", "late.mp4", 0, O{.b_frames = 2, .first_s = 1.5}},
      {"first time not 0 in Matroska", "late.mkv", 0, O{.b_frames = 2, .first_s = 1.5}},
      {"edit list inside a GOP", "edit.mp4", 8, O{.frames = 40, .b_frames = 2, .first_s = -0.32}},
      {"rotated 90", "r90.mp4", 0, O{.width = 80, .height = 48, .rotation = 90}},
      {"rotated 180", "r180.mp4", 0, O{.width = 80, .height = 48, .rotation = 180}},
      {"rotated 270", "r270.mp4", 0, O{.width = 80, .height = 48, .rotation = 270}},
      {"odd size", "odd.mp4", 0, O{.width = 65, .height = 51, .b_frames = 1}},
      {"Matroska", "variable.mkv", 0, O{.variable_rate = true, .b_frames = 2}},
      {"30000/1001 frames per second", "ntsc.mkv", 0, O{.frames = 90, .rate = 29.97}},
      {"MPEG-4 in AVI", "plain.avi", 0, O{.codec = "mpeg4"}},
      {"MPEG-4 with B-frames in AVI", "b.avi", 0, O{.b_frames = 2, .codec = "mpeg4"}},
      {"H.264 with B-frames in AVI", "h264.avi", 0, O{.b_frames = 2}},
      {"MPEG-TS", "plain.ts", 0, O{.frames = 60, .gop = 8}},
      {"MPEG-TS with B-frames", "b.ts", 0, O{.frames = 60, .b_frames = 2, .gop = 8}},
      {"long GOP", "long.mp4", 0, O{.frames = 200, .b_frames = 3, .gop = 250}},
      {"every frame a key", "intra.mp4", 0, O{.gop = 1}},
      {"with audio", "audio.mp4", 0, O{.b_frames = 2, .audio = true}},
      {"with audio in MPEG-TS", "audio.ts", 0, O{.b_frames = 2, .audio = true}},
      {"one frame", "one.mp4", 0, O{.frames = 1}},
      {"lossless", "lossless.mp4", 0, O{.b_frames = 2, .crf = 0}},
  };
}

/// Every frame a player shows, from the first to the last, without seeking: uint8 [height, width, 3] each.
inline std::vector<std::vector<uint8_t>> play(const VideoInfo& info) {
  using namespace ffmpeg;
  const Deadline never;
  Input input = open_input(info.path, never);
  const Codec codec = open_decoder(info.path, *input.video);
  const Packet packet = make_packet();
  const Frame frame = make_frame();
  Converter converter;
  std::vector<std::vector<uint8_t>> shown;
  const auto receive = [&] {
    while (avcodec_receive_frame(codec.get(), frame.get()) >= 0) {
      shown.emplace_back(static_cast<size_t>(3 * info.height * info.width));
      converter.convert(*frame, info.rotation, info.height, info.width, shown.back().data());
    }
  };
  while (read_packet(*input.format, *packet) >= 0) {
    if (packet->stream_index == input.video->index) avcodec_send_packet(codec.get(), packet.get());
    av_packet_unref(packet.get());
    receive();
  }
  avcodec_send_packet(codec.get(), nullptr);
  receive();
  return shown;
}

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// What an Error says; empty where nothing was thrown.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace distal::scratch
