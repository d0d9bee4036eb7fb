// Videos, frames, pictures.

#include <algorithm>
#include <limits>

#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"

namespace distal::serve {
namespace {

constexpr double kEndless_s = std::numeric_limits<double>::infinity();
constexpr size_t kShortestId = 8;
constexpr size_t kLongestId = 128;

const std::string& video_of(const Call& call) {
  const std::string& id = call.part("video");
  const bool is_hash =
      id.size() >= kShortestId && id.size() <= kLongestId &&
      std::ranges::all_of(id, [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
      });
  if (!is_hash) refuse_unknown("video: it is no id of a video; take that of an item");
  return id;
}

Reply get_proxy(Services& services, const Call& call) {
  Reply reply;
  reply.type = "video/mp4";
  reply.file = services.media.file(video_of(call));
  if (reply.file.ends_with(".webm")) reply.type = "video/webm";
  reply.headers.emplace_back("Cache-Control", "private, max-age=3600");
  return reply;
}

Reply get_pieces(Services& services, const Call& call) {
  return services.media.pieces(video_of(call));
}

Reply get_piece(Services& services, const Call& call) {
  return services.media.piece(video_of(call), call.whole_part("number"));
}

Reply get_frames(Services& services, const Call& call) {
  const Media::Part part{call.number("start", 0), call.number("end", kEndless_s)};
  return call.word("format", {"json", "f64"}) == "f64"
             ? services.media.frames_f64(video_of(call), part)
             : services.media.frames_json(video_of(call), part);
}

Reply get_frame(Services& services, const Call& call) {
  return services.media.picture(video_of(call), call.number("t"),
                                call.whole("height", 16, 1080, 96));
}

Reply get_strip(Services& services, const Call& call) {
  const Media::Part part{call.number("start"), call.number("end")};
  if (part.end_s <= part.start_s) refuse_request("end: it lies before start; give a later time");
  return services.media.strip(video_of(call), part, call.whole("count", 1, 64, 12),
                              call.whole("height", 16, 360, 64));
}

}  // namespace

std::vector<Route> media_routes() {
  return {{"GET", "/media/{video}/proxy.mp4", Role::annotator, false, get_proxy},
          {"GET", "/media/{video}/pieces", Role::annotator, false, get_pieces},
          {"GET", "/media/{video}/pieces/{number}", Role::annotator, false, get_piece},
          {"GET", "/media/{video}/frames", Role::annotator, false, get_frames},
          {"GET", "/media/{video}/frame.jpg", Role::annotator, false, get_frame},
          {"GET", "/media/{video}/strip.jpg", Role::annotator, false, get_strip}};
}

}  // namespace distal::serve
