#pragma once
// What is in a video file: one full pass over its packets (no pixels are decoded) gives content
// hash, streams, the presentation time of every frame, and signs of damage (cut off, corrupt or
// overwritten packets; pixels are not judged).
//
// The truth is what FFmpeg's command line decodes from the file's first byte to its last
// (video/playback.h). The packets alone are believed, and frames reached by seeks, where all of
// this holds:
//   * each packet shows one frame as far as its head says, has a presentation time of its own, and
//   times ascend from entry to entry;
//   * an entry (a frame from which decoding can start) is one by the container's flag and by the
//   bytes of H.264, HEVC, AV1, VP8, VP9, MPEG-1, 2
//     and 4 (video/bitstream.h), or every frame of the codec is;
//   * nothing that a decoder needs stands where a seek passes it by: palettes, parameters or
//   orientations that change;
//   * the file begins with an entry that stands alone, is whole, and its edit list is one span.
// Else the file is decoded once, to know which frames come. If only that was in doubt (damage, a
// cut inside a group of pictures, fields, codecs whose I frames only the decoder knows) seeks stay;
// otherwise frames are numbered as they are decoded from the file's start, always.
//
// Probed once per file; the result is a plain value. Patience: 10 s and a second per 10 MB for the
// pass, the same for the hash; to decode, a minute and a second per MB. Times are seconds from the
// first shown frame: first pts, edit lists and start offsets are taken out here. Thread-safe: no
// shared state.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace distal {

/// Size and modification time of a file.
struct FileStamp {
  int64_t bytes = 0;
  int64_t modified_ns = 0;
  bool operator==(const FileStamp&) const = default;
  static std::optional<FileStamp> of(
      const std::string& path);  // nothing where there is no such file
};

struct VideoInfo {
  std::string path;
  std::string id;  // content hash of the whole file, 16 hexadecimal digits
  // of the file when it was probed
  int64_t bytes = 0;
  int64_t modified_ns = 0;
  double duration_s = 0;       // end of the last frame
  std::vector<double> time_s;  // start of each shown frame, ascending, time_s[0] == 0
  std::vector<int64_t> pts;  // the same in the stream's time base, as the decoder reports them; not
                             // seekable: 0, 1, 2, ...
  std::vector<uint8_t>
      key;  // 1 where a decoder can start; in presentation order; all 0: only from the file's start
  // as shown: after rotation
  int64_t width = 0;
  int64_t height = 0;
  bool mirrored = false;  // the first frame is to be turned upside down before it is rotated
  int rotation = 0;       // degrees clockwise to apply to it: 0, 90, 180, 270
  bool seekable = true;   // false: frames are numbered as they are decoded from the file's start
  std::string doubt;      // why it is not seekable
  bool constant_rate = true;
  double average_rate = 0;  // frames per second
  bool full_range = false;  // colour range of the pixels
  std::string codec, container;
  int audio_streams = 0;
  int stream = -1;  // number of the video's stream in the file; -1: to be chosen when it is opened
  std::vector<std::string> damage;  // one sentence each; empty: healthy
  int stopped_by = 0;  // FFmpeg's code of the error that ended the pass; 0: the end of the file

  FileStamp stamp() const { return {bytes, modified_ns}; }
  int64_t frames() const { return static_cast<int64_t>(time_s.size()); }
  /// Index of the frame shown at `t_s`: the last one that starts at or before it, or up to a
  /// microsecond after (times survive text and arithmetic); clamped to [0, frames() - 1].
  int64_t frame_at(double t_s) const;
};

/// Throws Error with the path and the reason: missing, empty, no video stream, not a video or a
/// format that names other files, no readable or whole frame, pictures with a side above 16,384 px
/// or 64 times the other, above 67 megapixels or 256 MB as decoded, patience at its end, changed
/// meanwhile.
VideoInfo probe(const std::string& path);

/// Content hash alone (reads the file once).
std::string content_id(const std::string& path);

}  // namespace distal
