#pragma once
// A video's frames from the file's first to its last, as FFmpeg's command line decodes them
// (`ffmpeg -vsync passthrough`): which frames come, in which order, and when each is shown. The
// truth that an index is judged by, and where none can be trusted, the index itself. Times follow
// fftools/ffmpeg.c (FFmpeg 5.1): a packet without a decoding time gets the one before and its
// duration; a frame has the time that avcodec guesses from both.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/video/ffmpeg.h"

namespace distal::ffmpeg {

/// Leaves all streams but the video out.
void keep_video_alone(Input& input);

/// A packet that holds nothing shows nothing new; decoders are not asked (fftools/ffmpeg.c,
/// decode_video).
inline bool is_empty(const AVPacket& packet) { return packet.size == 0; }

/// Whether FFmpeg's flag for corrupt packets comes from counters, which also jump where recordings
/// were put together. Elsewhere it says that a packet was cut short.
bool counts_packets(const AVInputFormat& format);

/// A picture that was cut short: decoders leave what was in memory in the rest of it, and few say
/// so. Where packets are counted only those that stand alone are told from sound ones.
bool is_spoilt(const AVPacket& packet, const Input& input);

/// In a format whose recordings may be put together (AVFMT_TS_DISCONT), a time so much later than
/// the one before begins another recording (fftools/ffmpeg.c, dts_delta_threshold).
constexpr double kJump_s = 10;

struct PlayedFrame {
  int64_t pts = AV_NOPTS_VALUE;   // in the stream's time base, as the decoder reports it
  int64_t time = AV_NOPTS_VALUE;  // in the stream's time base, as FFmpeg shows it
  int64_t duration = 0;           // 0: unknown
  bool intra = false;             // an I picture
  bool sound = true;              // nothing patched
};

struct Playback {
  std::vector<PlayedFrame> frames;
  int64_t faults = 0;   // pictures that the decoder refused and frames that it patched
  bool joined = false;  // times ran back and were put after those before
  bool jumped = false;  // times jumped ahead, by kJump_s and more, and were put after those before:
                        // what lay between may be lost
  Frame first;          // the first frame
};

/// Decodes a whole file. Throws Error: `deadline`; the disk failed.
Playback play(const std::string& path, const Deadline& deadline);

/// Start of each frame in ticks, ascending. Where times run back and stay there (recordings put
/// together) the rest goes on where the part before it ends; times that do not ascend (a container
/// that rounds, a frame out of turn) share the time up to the next that does.
std::vector<double> ascending_ticks(const std::vector<PlayedFrame>& frames);

}  // namespace distal::ffmpeg
