#include "distal/report/pictures_of.h"

#include <cmath>

#include <fmt/format.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/report/html.h"

namespace distal::sections {
namespace {

std::string data_url(const Clip& clip, const ThumbnailFunction& thumbnail) {
  std::optional<Thumbnail> found;
  try {
    if (thumbnail) found = thumbnail(clip);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {  // a clip that cannot be shown is shown as a blank
  }
  if (!found || found->bytes.empty() || found->bytes.size() > PicturesOf::kMostBytes) return "";
  return "data:" + found->mime + ";base64," + base64(found->bytes);
}

std::string file_name(const std::string& path) { return path.substr(path.find_last_of("/\\") + 1); }

std::string span(const Clip& clip) {
  if (!std::isfinite(clip.end_s))
    return clip.start_s > 0 ? fmt::format(", from {} s", number(clip.start_s, 1)) : "";
  return fmt::format(", {}–{} s", number(clip.start_s, 1), number(clip.end_s, 1));
}

}  // namespace

const std::string& PicturesOf::source(const Clip& clip) {
  const std::string place = fmt::format("{} {}", clip.video.str(), clip.key());
  auto at = sources_.find(place);
  if (at == sources_.end()) at = sources_.emplace(place, data_url(clip, thumbnail_)).first;
  return at->second;
}

std::string PicturesOf::html(const Clip& clip, const std::string& alt) {
  const std::string& url = source(clip);
  if (url.empty()) return "<div class=\"blank\">no picture</div>";
  return "<img src=\"" + escaped(url) + "\" alt=\"" + escaped(alt) + "\">";
}

std::string clip_words(const Clip& clip) { return file_name(clip.video) + span(clip); }

}  // namespace distal::sections
