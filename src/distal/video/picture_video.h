#pragma once
// Pictures as a video: a row of JPEG or PNG files becomes one MOV file whose frames are these
// pictures, in their own bytes. What reads videos then reads pictures, at exact times.
//
// The first picture decides about the size. A picture of another size, or one that cannot be
// decoded or is cut off, is left out; the picture before it is shown for its time too. Where not
// all are JPEG or all PNG (a mixed row, BMP, TIFF, WebP), all become PNG, which loses nothing. The
// orientation in a JPEG's Exif data is not looked at.

#include <cstdint>
#include <string>
#include <vector>

namespace distal {

/// Whether a file's ending is one of a picture's: .jpg .jpeg .png .bmp .tif .tiff .webp, in any
/// case.
bool has_picture_ending(const std::string& path);

struct PictureVideo {
  int64_t frames = 0;                 // that were written
  std::vector<std::string> left_out;  // a sentence each, the first eight
  int64_t missing = 0;                // how many were left out
  /// `3 of 300 pictures left out: a.jpg: cut off; ...`; empty: none.
  std::string damage() const;
};

/// Writes `pictures`, in their order, `rate` a second, to the file `out`, a MOV; `name` stands for
/// them in messages. Picture i is shown from i / rate on. Throws Error: no picture can be used, a
/// file cannot be read or is larger than 1 GB, a picture is beyond the limits of video/probe.h,
/// `out` cannot be written; Interrupted.
PictureVideo write_picture_video(const std::vector<std::string>& pictures, double rate,
                                 const std::string& out, const std::string& name);

}  // namespace distal
