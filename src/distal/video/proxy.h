#pragma once
// What a browser plays in place of a video: a copy in H.264 (8 bits, 4:2:0, Main profile, no
// B-frames, a key frame at least every 12 frames, index in front, no sound) with every frame of the
// video at its own time, upright. It is made whole, or, for long recordings, in pieces on demand.
//
// A piece is an MP4 in fragments for a MediaSource. Its times are those of the video. Where a
// browser can play the packets of the source exactly (why_not_copied in video/browser.h), pieces
// hold these, and nothing is decoded.
//
// Files lie in FOLDER/ID-OPTIONS/, where ID is the video's content hash: `whole.mp4`, and
// `piece-NUMBER.mp4` beside others of the same plan. A file has its name when it is complete and
// on the disk; what was interrupted is never taken.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "distal/base/progress.h"
#include "distal/video/copy.h"

namespace distal {

struct ProxyOptions {
  int64_t short_side_px = 480;  // of the copy, rounded down to even; a smaller video keeps its size
  int64_t gop = 12;             // frames between key frames, 1 .. 12
  int64_t crf = 23;             // H.264's quality, smaller is better
  double piece_s = 2;           // a piece begins every so many seconds; who seeks waits for one
};

/// How a video is cut into pieces. Piece i holds the frames from first[i] on, up to those of the
/// next.
struct PiecePlan {
  bool copied = false;         // of the source's packets, where they can be had; else coded again
  std::vector<int64_t> first;  // numbers of frames, ascending; first[0] == 0

  int64_t count() const { return std::ssize(first); }
  FrameSpan frames(const VideoInfo& info, int64_t number) const;
};
/// A piece begins with the first frame behind each multiple of `piece_s`, or, where it is copied,
/// with the first key frame there. A time within a microsecond before an edge lies behind it, as in
/// VideoInfo::frame_at. Opens the file. Throws Error: it cannot be opened.
PiecePlan plan_pieces(const VideoInfo& info, double piece_s);

/// Thread-safe; who asks for a file that another thread makes waits for it. Two processes that make
/// the same file at once both work, and both are right.
class Proxies {
 public:
  /// Makes the folder, and removes what killed processes left in it. Throws Error: it cannot be
  /// made.
  explicit Proxies(std::string folder, const ProxyOptions& options = {});

  /// The path of a file that is there, made first where it was not. The time is that of reading the
  /// video from the key frame before; in a video that is not seekable, from its start. Memory does
  /// not depend on its length. Throws Error: the video cannot be read, or it has no such piece;
  /// CopyError; Interrupted.
  std::string whole(const VideoInfo& info, Progress* progress = nullptr);
  std::string piece(const VideoInfo& info, const PiecePlan& plan, int64_t number,
                    Progress* progress = nullptr);
  /// Whether they are there.
  bool has_whole(const VideoInfo& info) const;
  bool has_piece(const VideoInfo& info, const PiecePlan& plan, int64_t number) const;

  /// Removes the files that were longest not asked for until the rest has at most `bytes`. A file
  /// that is open can be read on.
  void keep_at_most(int64_t bytes);

  const ProxyOptions& options() const { return options_; }

 private:
  std::string folder_of(const VideoInfo& info) const;
  std::string whole_path(const VideoInfo& info) const;
  std::string piece_path(const VideoInfo& info, const PiecePlan& plan, int64_t number) const;
  std::string made(const std::string& path, const std::function<void()>& make);
  void make(const VideoInfo& info, FrameSpan span, const std::string& path, bool fragments,
            Progress* progress);

  std::string folder_;
  ProxyOptions options_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::set<std::string> at_work_;  // paths
};

}  // namespace distal
