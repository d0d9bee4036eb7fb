#pragma once
// Pictures of clips inside the page. A clip is decoded once, however often it is shown.

#include <map>
#include <string>

#include "distal/report/report.h"

namespace distal::sections {

class PicturesOf {
 public:
  /// `thumbnail` may be empty: then no clip has a picture.
  explicit PicturesOf(const ThumbnailFunction& thumbnail) : thumbnail_(thumbnail) {}

  /// An <img> that holds its picture, or a blank where there is none or it is larger than
  /// kMostBytes. `alt` is text. Throws Interrupted after a signal, and nothing else.
  std::string html(const Clip& clip, const std::string& alt);

  static constexpr size_t kMostBytes = 32'768;  // a few KB are usual

 private:
  const std::string& source(const Clip& clip);

  const ThumbnailFunction& thumbnail_;
  std::map<std::string, std::string> sources_;  // data URL by the key of the clip; empty: none
};

/// The name of its file and its span: "walk_03.mp4, 2–10 s".
std::string clip_words(const Clip& clip);

}  // namespace distal::sections
