// What the library reads of a video, for tests that compare it with ffmpeg's command line:
// `video_frames VIDEO OUT SEED` probes it, writes its frames in order to OUT (uint8 RGB) and prints
// JSON: the index, which frames stand in for damaged ones, and which frames came out otherwise when
// asked for alone: by one decoder in an order drawn from SEED, and each of some by a decoder of its
// own.

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <numeric>

#include <nlohmann/json.hpp>

#include "distal/base/random.h"
#include "distal/video/decoder.h"

namespace {

using distal::Decoder;

constexpr double kPatience_s = 120;

nlohmann::json read(const std::string& path, const std::string& out, uint64_t seed) {
  const distal::VideoInfo info = distal::probe(path);
  std::vector<int64_t> all(static_cast<size_t>(info.frames()));
  std::iota(all.begin(), all.end(), 0);
  const distal::Frames inorder = Decoder(info, kPatience_s).at_frames(all, {}, kPatience_s);
  std::ofstream(out, std::ios::binary)
      .write(reinterpret_cast<const char*>(inorder.frames.const_data_ptr<uint8_t>()),
             inorder.frames.numel());
  distal::Random random(seed);
  std::vector<int64_t> drawn = all, stray, fresh;
  for (size_t i = drawn.size(); i > 1; --i)
    std::swap(drawn[i - 1], drawn[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  if (drawn.size() > 24) drawn.resize(24);
  const auto differs = [&](Decoder& decoder, int64_t index) {
    const auto frame =
        decoder.at_frames(std::span(&index, 1), {}, kPatience_s).frames[0].contiguous();
    return !frame.equal(inorder.frames[index]);
  };
  Decoder decoder(info, kPatience_s);
  for (const int64_t index : drawn) {
    if (differs(decoder, index)) stray.push_back(index);
  }
  for (size_t i = 0; i < std::min<size_t>(drawn.size(), 6); ++i) {
    Decoder own(info, kPatience_s);
    if (differs(own, drawn[i])) fresh.push_back(drawn[i]);
  }
  int64_t keys = 0;
  for (const auto key : info.key) keys += key;
  return {{"frames", info.frames()},
          {"width", info.width},
          {"height", info.height},
          {"time_s", info.time_s},
          {"duration_s", info.duration_s},
          {"damage", info.damage},
          {"seekable", info.seekable},
          {"doubt", info.doubt},
          {"keys", keys},
          {"shown", inorder.shown},
          {"rotation", info.rotation},
          {"codec", info.codec},
          {"container", info.container},
          {"stray", stray},
          {"fresh", fresh}};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fputs("usage: video_frames VIDEO OUT SEED\n", stderr);
    return 2;
  }
  try {
    std::cout << read(arguments[1], arguments[2], std::strtoull(arguments[3], nullptr, 10)).dump()
              << "\n";
  } catch (const std::exception& error) {
    std::cout << nlohmann::json{{"error", error.what()}}.dump() << "\n";
  }
}
