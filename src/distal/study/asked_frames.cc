#include "distal/study/asked_frames.h"

#include <cmath>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"

namespace distal {
namespace {

constexpr double kSlack_s = 2e-6;  // VideoInfo::frame_at allows for 1 us

void number_item(AskedItem& item, const VideoInfo& info) {
  item.frame_rate = info.average_rate;
  item.first_frame = info.frame_at(item.start_s);
  const bool to_the_end = std::isinf(item.end_s);
  item.last_frame = to_the_end ? info.frames() - 1
                               : std::max(item.first_frame, info.frame_at(item.end_s - kSlack_s));
  if (to_the_end && item.kind == AskedKind::ranges) item.end_s = info.duration_s;
}

}  // namespace

std::map<std::string, std::string> AskedFrames::number(std::vector<AskedItem>& items) {
  std::map<std::string, std::vector<AskedItem*>> by_video;
  for (AskedItem& item : items) by_video[item.video].push_back(&item);
  std::map<std::string, std::string> unreadable;
  for (const auto& [video, own] : by_video) {
    check_interrupted();
    try {
      const VideoInfo& info = index_of(video);
      for (AskedItem* item : own) number_item(*item, info);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      unreadable[video] = error.what();
    }
  }
  return unreadable;
}

double AskedFrames::time_of(const AskedItem& item, int64_t frame) {
  const VideoInfo& info = index_of(item.video);
  if (frame > info.frames())
    fail("{}: frame {} of {}; answer about the video that was asked about", item.video, frame,
         info.frames());
  return frame == info.frames() ? info.duration_s : info.time_s[static_cast<size_t>(frame)];
}

const VideoInfo& AskedFrames::index_of(const std::string& video) {
  if (!last_.path.empty() && last_.path == video) return last_;
  last_.path.clear();
  const auto stamp = FileStamp::of(video);
  if (!stamp) fail("{}: missing; put it back", video);
  if (auto kept = probes_.find(video, *stamp)) return last_ = *std::move(kept);
  last_ = probe(video);
  if (FileStamp::of(video) == stamp) probes_.store(video, *stamp, last_);
  return last_;
}

}  // namespace distal
