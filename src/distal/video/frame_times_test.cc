#include "distal/video/frame_times.h"

#include <cstring>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;

TEST(FrameTimes, AreThoseOfTheProbe) {
  const TemporaryFolder folder;
  write_numbered(folder / "v.mp4", {.frames = 30,
                                    .rate = 30000.0 / 1001,
                                    .variable_rate = true,
                                    .b_frames = 2,
                                    .gop = 12,
                                    .first_s = 3});
  const VideoInfo info = probe(folder / "v.mp4");
  EXPECT_THAT(key_frames(info), ElementsAre(0, 12, 24));
  const auto json = nlohmann::json::parse(frame_times_json(info));
  EXPECT_EQ(json.at("times").get<std::vector<double>>(), info.time_s) << "to the last bit";
  EXPECT_EQ(json.at("keys").get<std::vector<int64_t>>(), key_frames(info));
  const std::string bytes = frame_times_f64(info);
  ASSERT_EQ(bytes.size(), 8 * info.time_s.size());
  EXPECT_EQ(std::memcmp(bytes.data(), info.time_s.data(), bytes.size()), 0);
}

TEST(FrameTimes, AFileWithoutSeeksHasNoKeys) {
  VideoInfo info = steady_video(3, 2);
  info.key = {0, 0, 0};
  EXPECT_EQ(frame_times_json(info), R"({"times":[0,0.5,1],"keys":[]})");
}

}  // namespace
}  // namespace distal
