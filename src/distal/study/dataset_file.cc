#include "distal/study/dataset_file.h"

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"

namespace distal {
namespace {

using Json = nlohmann::json;

Json json_of(const std::vector<Clip>& clips) {
  Json rows = Json::array();
  for (const Clip& clip : clips)
    rows.push_back({clip.video.str(), clip.video_id.str(), clip.start_s, clip.end_s,
                    clip.group.str(), clip.label});
  return rows;
}

std::vector<Clip> clips_of(const Json& rows) {
  std::vector<Clip> clips;
  for (const Json& row : rows) {
    Clip clip;
    clip.video = row.at(0).get<std::string>();
    clip.video_id = row.at(1).get<std::string>();
    clip.start_s = row.at(2).get<double>();
    clip.end_s = row.at(3).get<double>();
    clip.group = row.at(4).get<std::string>();
    clip.label = row.at(5).get<int64_t>();
    clips.push_back(std::move(clip));
  }
  return clips;
}

}  // namespace

void save_dataset(const Dataset& dataset, const std::string& path) {
  Json quarantined = Json::array();
  for (const Quarantined& video : dataset.quarantine())
    quarantined.push_back({video.path, video.reason});
  const Json file = {{"classes", dataset.classes.names},
                     {"lists_id", dataset.lists_id},
                     {"unlabelled_segments", dataset.unlabelled_segments},
                     {"duplicates", dataset.duplicates},
                     {"quarantined", quarantined},
                     {"pool", json_of(dataset.pool)},
                     {"start", json_of(dataset.start)},
                     {"test", json_of(dataset.test)},
                     {"teacher", json_of(dataset.teacher)}};
  write_atomically(path, file.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Dataset load_dataset(const Study& study, const std::string& path) {
  Dataset dataset;
  try {
    const Json file = Json::parse(read_if_there(path));
    dataset.classes.names = file.at("classes").get<std::vector<std::string>>();
    dataset.lists_id = file.at("lists_id").get<std::string>();
    dataset.unlabelled_segments = file.at("unlabelled_segments").get<int64_t>();
    dataset.duplicates = file.at("duplicates").get<int64_t>();
    for (const Json& row : file.at("quarantined"))
      dataset.quarantined.push_back({row.at(0).get<std::string>(), row.at(1).get<std::string>()});
    dataset.pool = clips_of(file.at("pool"));
    dataset.start = clips_of(file.at("start"));
    dataset.test = clips_of(file.at("test"));
    dataset.teacher = clips_of(file.at("teacher"));
  } catch (const Json::exception&) {
    fail("{}: not the dataset that another process of this study opened; remove it, and repeat the "
         "command that started the study",
         path);
  }
  add_readers(study, dataset);
  return dataset;
}

}  // namespace distal
