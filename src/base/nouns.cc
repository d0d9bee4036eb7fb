#include "base/nouns.h"

#include <algorithm>
#include <cmath>
#include <regex>

#include <fmt/format.h>

namespace distal {

std::string Clip::key() const {
  const auto milliseconds = [](double s) { return std::isinf(s) ? -1 : std::llround(s * 1000); };
  std::string key = fmt::format("{}@{}-{}", video_id.empty() ? video : video_id, milliseconds(start_s), milliseconds(end_s));
  if (view > 0) key += fmt::format("#{}", view);
  if (mixed) key += fmt::format("*{:.4g}{}+{}", mixed->lambda, mixed->fade > 0 ? fmt::format("~{:.4g}", mixed->fade) : "", mixed->other.key());
  return key;
}

ClipRefs refs_of(std::span<const Clip> clips) {
  ClipRefs refs;
  refs.reserve(clips.size());
  for (const Clip& clip : clips) refs.push_back(&clip);
  return refs;
}

Clip mixed_clip(Clip clip, const Clip& other, double lambda, double fade) {
  const auto as_named = [](double value) { return std::stod(fmt::format("{:.4g}", value)); };
  clip.label = -1;
  clip.mixed = std::make_shared<const Clip::Mixed>(Clip::Mixed{other, as_named(lambda), as_named(fade)});
  return clip;
}

std::optional<Clip> find_clip(const std::string& key, const FilmedClips& filmed) {
  if (const auto at = filmed.find(key); at != filmed.end()) return at->second;
  static const std::regex view(R"((.*@-?\d+--?\d+)#(\d+))"), mix(R"((.*?@-?\d+--?\d+)\*([\d.e-]+)(?:~([\d.e-]+))?\+(.*))");
  std::smatch part;
  if (std::regex_match(key, part, view)) {
    auto clip = find_clip(part[1], filmed);
    if (clip) clip->view = std::stoll(part[2]);
    return clip;
  }
  if (!std::regex_match(key, part, mix)) return std::nullopt;
  const auto clip = find_clip(part[1], filmed), other = find_clip(part[4], filmed);
  if (!clip || !other) return std::nullopt;
  return mixed_clip(*clip, *other, std::stod(part[2]), part[3].matched ? std::stod(part[3]) : 0);
}

std::optional<int64_t> Classes::index(const std::string& name) const {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return at - names.begin();
}

}  // namespace distal
