#pragma once
// Probing of video files. One pass over the packets of a file, without decoding, gives the content
// hash, the streams, the presentation time of every frame, and signs of damage: truncation, corrupt
// or overwritten packets. Pixels are not checked.
//
// The reference is the output of FFmpeg's command line when it decodes the file from its first byte
// to its last (video/playback.h). probe() takes the frame times from the packets, and trusts seeks,
// only if all of these conditions hold:
//   * The header of each packet announces one frame. Each packet has a presentation time of its
//     own. Times ascend from entry to entry.
//   * An entry is a frame at which decoding can start. The flag of the container and the bytes of
//     H.264, HEVC, AV1, VP8, VP9, MPEG-1, MPEG-2 or MPEG-4 (video/bitstream.h) agree on it, or
//     every frame of the codec is an entry.
//   * No seek skips data that the decoder needs: changes of palettes, parameters or orientation.
//   * The file begins with an entry that needs no other frame, is complete, and has an edit list of
//     at most one span.
// Otherwise probe() decodes the file once to find its frames. Seeks are still trusted if the only
// doubts were damage, a cut inside a group of pictures, fields, or a codec whose I frames only the
// decoder recognises. If they are not, every read decodes from the start of the file and counts
// frames.
//
// A file is probed once. The result is a plain value. The deadline is 10 s and 1 s per 10 MB for
// the pass, the same for the hash, and 60 s and 1 s per MB for decoding. Times are in seconds from
// the first shown frame: the first pts, edit lists and start offsets are subtracted. Thread-safe.

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
  /// nullopt if there is no such file.
  static std::optional<FileStamp> of(const std::string& path);
};

struct VideoInfo {
  std::string path;
  std::string id;  // content hash of the whole file, 16 hexadecimal digits
  // size and modification time of the file when it was probed
  int64_t bytes = 0;
  int64_t modified_ns = 0;
  double duration_s = 0;       // end of the last frame
  std::vector<double> time_s;  // start of each shown frame, ascending, time_s[0] == 0
  // the same in the time base of the stream, as the decoder reports it; 0, 1, 2, ... if not
  // seekable
  std::vector<int64_t> pts;
  // 1 if decoding can start at the frame; all 0: only at the start of the file
  std::vector<uint8_t> key;
  // as shown, after rotation
  int64_t width = 0;
  int64_t height = 0;
  bool mirrored = false;  // the first frame is flipped vertically before the rotation
  int rotation = 0;       // rotation of the first frame, degrees clockwise: 0, 90, 180, 270
  bool seekable = true;   // false: frames are counted in a decode from the start of the file
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
  /// Index of the frame shown at `t_s`: the last frame that starts at or before t_s + 1 us, clamped
  /// to [0, frames() - 1]. The microsecond allows for rounding of times in text and arithmetic.
  int64_t frame_at(double t_s) const;
};

/// Throws Error with the path and the reason: the file is missing, empty, not a video, of a format
/// that refers to other files, without a video stream, without a readable and complete frame, or
/// changed during the call; the deadline has passed; the pictures have a side above 16,384 px, a
/// side longer than 64 times the other, more than 67 megapixels, or more than 256 MB as decoded.
VideoInfo probe(const std::string& path);

/// Only the content hash. Reads the file once.
std::string content_id(const std::string& path);

}  // namespace distal
