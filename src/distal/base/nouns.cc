#include "distal/base/nouns.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "distal/base/pattern.h"

namespace distal {

std::string Clip::key() const {
  const auto milliseconds = [](double s) { return std::isinf(s) ? -1 : std::llround(s * 1000); };
  std::string key = fmt::format("{}@{}-{}", video_id.empty() ? video : video_id,
                                milliseconds(start_s), milliseconds(end_s));
  if (view > 0) key += fmt::format("#{}", view);
  if (mixed)
    key +=
        fmt::format("*{:.4g}{}+{}", mixed->lambda,
                    mixed->fade > 0 ? fmt::format("~{:.4g}", mixed->fade) : "", mixed->other.key());
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
  clip.mixed =
      std::make_shared<const Clip::Mixed>(Clip::Mixed{other, as_named(lambda), as_named(fade)});
  return clip;
}

namespace {

// A filmed clip, or a view of one.
std::optional<Clip> find_unmixed(const std::string& key, const FilmedClips& filmed) {
  if (const auto at = filmed.find(key); at != filmed.end()) return at->second;
  static const Pattern view(R"((.*@-?\d+--?\d+)#(\d{1,9}))", "a view's key");
  const auto part = view.match(key);
  const auto at = part ? filmed.find((*part)[1]) : filmed.end();
  if (at == filmed.end()) return std::nullopt;
  Clip clip = at->second;
  clip.view = std::stoll((*part)[2]);
  return clip;
}

}  // namespace

std::optional<Clip> find_clip(const std::string& key, const FilmedClips& filmed) {
  if (auto clip = find_unmixed(key, filmed)) return clip;
  static const Pattern mix(
      R"((.*?@-?\d+--?\d+(?:#\d+)?)\*(\d[\d.e-]{0,15})(?:~(\d[\d.e-]{0,15}))?\+(.*))",
      "a mix's key");
  const auto part = mix.match(key);
  if (!part) return std::nullopt;
  const auto clip = find_unmixed((*part)[1], filmed);
  const auto other = find_unmixed((*part)[4], filmed);
  if (!clip || !other) return std::nullopt;
  const auto number = [](const std::string& text) {
    return std::strtod(text.c_str(), nullptr);
  };  // "" is 0
  return mixed_clip(*clip, *other, number((*part)[2]), number((*part)[3]));
}

std::optional<int64_t> Classes::index(const std::string& name) const {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return at - names.begin();
}

}  // namespace distal
