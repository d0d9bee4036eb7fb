#include "distal/video/shrink.h"

#include "distal/video/ffmpeg.h"

namespace distal {
namespace {

// Kept in the copy's metadata. The number is of what is read of a file: one more where that
// changes.
std::string mark(const FileStamp& of, const ShrinkOptions& options) {
  return fmt::format("distal shrink 2 of {} bytes {} ns: {} px, gop {}, crf {}", of.bytes,
                     of.modified_ns, options.short_side_px, options.gop, options.crf);
}

}  // namespace

void shrink(const VideoInfo& info, const std::string& path, const ShrinkOptions& options) {
  write_copy(info, {0, info.frames()}, path,
             {.short_side_px = options.short_side_px,
              .gop = options.gop,
              .crf = options.crf,
              .comment = mark(info.stamp(), options)});
}

bool is_shrunk(const std::string& path, const FileStamp& of, const ShrinkOptions& options) {
  try {
    ffmpeg::require_file(path);  // opening a pipe that nobody writes to would wait for ever
    const ffmpeg::Deadline deadline(10);
    const auto input = ffmpeg::open_input(path, deadline);
    const auto* comment = av_dict_get(input.format->metadata, "comment", nullptr, 0);
    return comment != nullptr && comment->value == mark(of, options);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace distal
