#include "distal/evaluation/pool_map.h"

#include <filesystem>
#include <limits>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/json.h"
#include "distal/base/npy.h"
#include "distal/base/text.h"

namespace distal {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kEnding = ".map.json";
constexpr int64_t kMostBytes = int64_t{64} << 20;

Json row_json(const PoolMap::Row& row) {
  return {{"clip", row.clip},
          {"video", row.video},
          {"start_s", row.start_s},
          {"end_s", std::isfinite(row.end_s) ? Json(row.end_s) : Json(nullptr)}};
}

PoolMap::Row row_from(const nlohmann::json& json) {
  const nlohmann::json& end = json.at("end_s");
  return {json.at("clip"), json.at("video"), json.at("start_s"),
          end.is_null() ? std::numeric_limits<double>::infinity() : end.get<double>()};
}

void remove_arrays(const fs::path& folder, const std::string& stem, const std::string& kept) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(folder, gone)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(stem + ".map-") && name.ends_with(".npy") && name != kept)
      fs::remove(entry.path(), gone);
  }
}

}  // namespace

// The array comes first: what names it names one that is whole.
void write_pool_map(const std::string& folder, const PoolMap& map) {
  expect(std::ssize(map.rows) == map.embeddings.size(0), "a map has a row for each clip");
  const std::string stem = slug(map.arm);
  const std::string array = fmt::format("{}.map-{}.npy", stem, map.round);
  write_npy(fmt::format("{}/{}", folder, array), map.embeddings.to(torch::kFloat16));
  Json rows = Json::array();
  for (const PoolMap::Row& row : map.rows) rows.push_back(row_json(row));
  const Json json = {{"arm", map.arm},     {"seed", map.seed},    {"round", map.round},
                     {"total", map.total}, {"embeddings", array}, {"rows", rows}};
  write_atomically(fmt::format("{}/{}{}", folder, stem, kEnding), json_text(json) + "\n");
  remove_arrays(folder, stem, array);
}

std::string newest_pool_map(const std::string& folder) {
  std::string newest;
  fs::file_time_type written;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) {
    if (!entry.path().string().ends_with(kEnding)) continue;
    const auto time = entry.last_write_time(absent);
    if (!newest.empty() && time <= written) continue;
    newest = entry.path().string();
    written = time;
  }
  return newest;
}

namespace {

constexpr int kMostReads = 10;

PoolMap map_from(const std::string& text, const std::string& path) {
  PoolMap map;
  std::string array;
  const nlohmann::json json = parse_json(text, path);
  try {
    map.arm = json.at("arm");
    map.seed = json.at("seed");
    map.round = json.at("round");
    map.total = json.at("total");
    array = json.at("embeddings");
    for (const nlohmann::json& row : json.at("rows")) map.rows.push_back(row_from(row));
  } catch (const nlohmann::json::exception&) {
    fail("{}: is no map of a pool; remove it, the next round writes another", path);
  }
  const fs::path beside = fs::path(path).parent_path() / fs::path(array).filename();
  map.embeddings = map_npy(beside.string()).to(torch::kFloat32);
  if (map.embeddings.dim() != 2 || map.embeddings.size(0) != std::ssize(map.rows) ||
      std::ssize(map.rows) > PoolMap::kMostRows) {
    fail("{}: its array has not a row for each clip; remove it, the next round writes another",
         path);
  }
  return map;
}

}  // namespace

// The next round may remove the array between the reading of the two files: then the first one is
// another by now.
PoolMap read_pool_map(const std::string& path) {
  for (int reads = 1;; ++reads) {
    const std::string text = read_file(path, kMostBytes);
    try {
      return map_from(text, path);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {
      if (reads == kMostReads || read_file(path, kMostBytes) == text) throw;
    }
  }
}

}  // namespace distal
