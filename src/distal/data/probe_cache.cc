#include "distal/data/probe_cache.h"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/hash.h"
#include "distal/base/random.h"
#include "distal/data/cache_folder.h"

namespace distal {
namespace {

constexpr int64_t kVersion = 4;  // of what probe says of a file: one more where that changes
using nlohmann::json;

// The fields of VideoInfo, once for both directions.
template <class Info, class Visit>
void visit_fields(Info& info, Visit&& visit) {
  visit("id", info.id);
  visit("bytes", info.bytes);
  visit("duration_s", info.duration_s);
  visit("time_s", info.time_s);
  visit("pts", info.pts);
  visit("key", info.key);
  visit("width", info.width);
  visit("height", info.height);
  visit("rotation", info.rotation);
  visit("constant_rate", info.constant_rate);
  visit("average_rate", info.average_rate);
  visit("full_range", info.full_range);
  visit("codec", info.codec);
  visit("container", info.container);
  visit("audio_streams", info.audio_streams);
  visit("damage", info.damage);
  visit("mirrored", info.mirrored);
  visit("seekable", info.seekable);
  visit("doubt", info.doubt);
  visit("stopped_by", info.stopped_by);
  visit("stream", info.stream);
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

std::string ProbeCache::file_of(const std::string& path) const {
  return fmt::format("{}/{:016x}{}", folder_, fnv1a(absolute(path)), kProbeEnding);
}

std::optional<VideoInfo> ProbeCache::find(const std::string& path, const FileStamp& stamp) const {
  std::ifstream in(file_of(path), std::ios::binary);
  if (!in) return std::nullopt;
  try {
    const json record = json::from_cbor(in);
    const bool current = record.at("version") == kVersion && record.at("path") == absolute(path) &&
                         record.at("stamp") == json{stamp.bytes, stamp.modified_ns};
    if (!current) return std::nullopt;
    VideoInfo info;
    visit_fields(info, [&](const char* name, auto& field) { record.at(name).get_to(field); });
    info.path = path;
    info.modified_ns = stamp.modified_ns;
    utimensat(AT_FDCWD, file_of(path).c_str(), nullptr, 0);
    return info;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

void ProbeCache::store(const std::string& path, const FileStamp& stamp,
                       const VideoInfo& info) const {
  json record = {
      {"version", kVersion}, {"path", absolute(path)}, {"stamp", {stamp.bytes, stamp.modified_ns}}};
  visit_fields(info, [&](const char* name, const auto& field) { record[name] = field; });
  const auto bytes = json::to_cbor(record);
  try {
    make_folder(folder_);
    UnfinishedFile file(file_of(path));
    std::ofstream out(file.name(),
                      std::ios::binary);  // not onto the disk at once: what is lost is probed again
    out.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    if (out.flush()) file.publish(file_of(path));
  } catch (const Error&) {
  }
}

}  // namespace distal
