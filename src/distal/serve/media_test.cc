// Videos, frames and pictures as a browser asks for them.

#include <cstring>

#include <gmock/gmock.h>

#include "distal/serve/testing.h"
#include "distal/video/probe.h"
#include "distal/video/testing.h"

namespace distal::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class MediaTest : public ServeTest {
 protected:
  void begin() {
    serve();
    ask(1);
    ann_ = person("ann");
    id_ = json_of(ann_->get("items/1"))["video"]["id"];
  }
  std::string media(const std::string& what) const { return "media/" + id_ + "/" + what; }
  /// Waits while it is being made.
  httplib::Result proxy(const httplib::Headers& headers = {}) {
    for (int i = 0; i < 600; ++i) {
      auto answer = ann_->get(media("proxy.mp4"), headers);
      if (!answer || answer->status != 503) return answer;
      EXPECT_EQ(refusal_in(answer), "503 preparing");
      EXPECT_EQ(answer->get_header_value("Retry-After"), "2");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return ann_->get(media("proxy.mp4"), headers);
  }

  std::unique_ptr<Visitor> ann_;
  std::string id_;
};

TEST_F(MediaTest, AVideoThatBrowsersPlayIsServedAsItIs) {
  begin();
  const auto whole = proxy();
  ASSERT_EQ(whole->status, 200) << whole->body;
  EXPECT_EQ(whole->get_header_value("Content-Type"), "video/mp4");
  EXPECT_EQ(whole->body, bytes_of(folder_ / "a.mp4"));
}

TEST_F(MediaTest, ARangeIsPartOfTheFile) {
  begin();
  const std::string file = bytes_of(folder_ / "a.mp4");
  const auto part = proxy({{"Range", "bytes=10-19"}});
  ASSERT_EQ(part->status, 206);
  EXPECT_EQ(part->body, file.substr(10, 10));
  EXPECT_EQ(part->get_header_value("Content-Range"), fmt::format("bytes 10-19/{}", file.size()));
  EXPECT_EQ(proxy({{"Range", "bytes=-5"}})->body, file.substr(file.size() - 5));
  EXPECT_EQ(refusal_in(proxy({{"Range", "bytes=99999999-"}})), "416 bad_range");
  const auto head = ann_->http().Head("/api/v1/" + media("proxy.mp4"), ann_->headers());
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->get_header_value("Content-Length"), fmt::format("{}", file.size()));
}

TEST_F(MediaTest, AVideoThatBrowsersDoNotPlayGetsAProxyWithItsTimes) {
  SyntheticOptions video;
  video.frames = 50;
  video.codec = "mpeg4";
  video.variable_rate = true;
  write_numbered(folder_ / "a.mp4", video);
  begin();
  const auto answer = proxy();
  ASSERT_EQ(answer->status, 200) << answer->body;
  folder_.write("got.mp4", answer->body);
  const VideoInfo got = probe(folder_ / "got.mp4");
  const VideoInfo original = probe(folder_ / "a.mp4");
  EXPECT_EQ(got.codec, "h264");
  ASSERT_EQ(got.frames(), original.frames());
  for (int64_t i = 0; i < got.frames(); ++i)
    EXPECT_NEAR(got.time_s[i], original.time_s[i], 1e-3) << i;
}

TEST_F(MediaTest, PiecesCoverAVideoAtItsTimes) {
  SyntheticOptions video;
  video.frames = 120;
  video.codec = "mpeg4";
  video.variable_rate = true;
  write_numbered(folder_ / "a.mp4", video);
  begin();
  const VideoInfo original = probe(folder_ / "a.mp4");
  const auto pieces = json_of(ann_->get(media("pieces")));
  EXPECT_EQ(pieces["itself"], false);
  EXPECT_THAT(pieces["type"], HasSubstr("avc1.4d"));
  EXPECT_EQ(pieces["duration_s"], original.duration_s);
  ASSERT_THAT(pieces["starts"], SizeIs(3));
  int64_t frames = 0;
  for (int number = 0; number < 3; ++number) {
    const auto answer = ann_->get(media(fmt::format("pieces/{}", number)));
    ASSERT_EQ(answer->status, 200) << answer->body;
    EXPECT_EQ(answer->get_header_value("Content-Type"), "video/mp4");
    folder_.write("piece.mp4", answer->body);
    const double start_s = pieces["starts"][number];
    EXPECT_NEAR(start_s, original.time_s[frames], 1e-9);
    EXPECT_NEAR(
        std::stod(output_of("ffprobe -v error -show_entries format=start_time -of csv=p=0 " +
                            (folder_ / "piece.mp4"))),
        start_s, 1e-4);
    frames += probe(folder_ / "piece.mp4").frames();
  }
  EXPECT_EQ(frames, original.frames());
  for (const char* none : {"pieces/3", "pieces/-1", "pieces/a", "pieces/99999999999999999999"})
    EXPECT_EQ(refusal_in(ann_->get(media(none))), "404 not_found") << none;
}

TEST_F(MediaTest, PiecesOfWhatBrowsersPlayAreItsOwnPackets) {
  begin();
  const auto pieces = json_of(ann_->get(media("pieces")));
  EXPECT_EQ(pieces["itself"], true);
  EXPECT_THAT(pieces["type"], HasSubstr("avc1.64"));
  ASSERT_THAT(pieces["starts"], SizeIs(1)) << "2 s from the first key frame on";
  const auto answer = ann_->get(media("pieces/0"));
  ASSERT_EQ(answer->status, 200) << answer->body;
  folder_.write("piece.mp4", answer->body);
  EXPECT_EQ(probe(folder_ / "piece.mp4").frames(), 50);
  EXPECT_EQ(refusal_in(visitor().get(media("pieces"))), "401 unauthenticated");
}

TEST_F(MediaTest, FrameTimesComeAsJsonAndAsBytes) {
  begin();
  const auto json = json_of(ann_->get(media("frames")));
  ASSERT_THAT(json["times"], SizeIs(50));
  EXPECT_EQ(json["total"], 50);
  EXPECT_EQ(json["first"], 0);
  EXPECT_EQ(json["width"], 64);
  EXPECT_EQ(json["keys"][0], 0);
  const auto part = json_of(ann_->get(media("frames?start=0.41&end=0.6")));
  EXPECT_EQ(part["first"], 10) << "the frame on screen at 0.41 began at 0.4";
  EXPECT_THAT(part["times"], SizeIs(5));
  const auto bytes = ann_->get(media("frames?format=f64&start=0.41&end=0.6"));
  ASSERT_EQ(bytes->body.size(), 5 * sizeof(double));
  double first = 0;
  std::memcpy(&first, bytes->body.data(), sizeof first);
  EXPECT_NEAR(first, 0.4, 1e-9);
  EXPECT_EQ(bytes->get_header_value("X-First-Frame"), "10");
  EXPECT_EQ(bytes->get_header_value("X-Total-Frames"), "50");
  EXPECT_EQ(refusal_in(ann_->get(media("frames?format=xml"))), "400 bad_request");
}

TEST_F(MediaTest, PicturesAreJpeg) {
  begin();
  const auto picture = ann_->get(media("frame.jpg?t=1&height=32"));
  ASSERT_EQ(picture->status, 200) << picture->body;
  EXPECT_EQ(picture->get_header_value("Content-Type"), "image/jpeg");
  EXPECT_TRUE(picture->body.starts_with("\xFF\xD8"));
  EXPECT_EQ(ann_->get(media("frame.jpg?t=1&height=32"))->body, picture->body);
  EXPECT_EQ(ann_->get(media("strip.jpg?start=0&end=2&count=4&height=32"))->status, 200);
  EXPECT_EQ(ann_->get(media("strip.jpg?start=0&end=9999&count=4&height=32"))->status, 200);
  EXPECT_EQ(refusal_in(ann_->get(media("frame.jpg"))), "400 bad_request");
  EXPECT_EQ(refusal_in(ann_->get(media("frame.jpg?t=nan"))), "400 bad_request");
  EXPECT_EQ(refusal_in(ann_->get(media("frame.jpg?t=1&height=9999"))), "400 bad_request");
  EXPECT_EQ(refusal_in(ann_->get(media("strip.jpg?start=2&end=1"))), "400 bad_request");
}

TEST_F(MediaTest, OnlyVideosOfItemsAreServed) {
  SyntheticOptions video;
  video.frames = 10;
  write_numbered(folder_ / "secret.mp4", video);
  begin();
  const std::string secret = probe(folder_ / "secret.mp4").id;
  EXPECT_EQ(refusal_in(ann_->get("media/" + secret + "/proxy.mp4")), "404 not_found");
  for (const char* id : {"..%2F..%2Fetc%2Fpasswd", "../../etc/passwd", "%2e%2e", "0000000000000000",
                         "00000000%00", "ABCDEF0123456789", "a.mp4"}) {
    const auto answer = ann_->get(fmt::format("media/{}/proxy.mp4", id));
    EXPECT_EQ(answer->status, 404) << id << answer->body;
  }
  EXPECT_EQ(refusal_in(visitor().get(media("proxy.mp4"))), "401 unauthenticated");
}

TEST_F(MediaTest, AServerThatStartedAgainKnowsTheVideos) {
  begin();
  end();
  serve();
  ann_ = person("ann");
  EXPECT_EQ(proxy()->status, 200);
}

}  // namespace
}  // namespace distal::serve
