#pragma once
// What an export of CVAT says of each task, as plain values.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace distal {

/// A label on frames of a task's video.
struct CvatMark {
  std::string label;
  int64_t first = 0;  // frames of the file, from 0, both included
  int64_t last = 0;
  std::map<std::string, std::string> attributes;
  std::string place;  // file:line
};

struct CvatTask {
  std::string name;
  std::string assignee;  // name of the user; empty: nobody
  std::string updated;   // as CVAT writes it
  std::vector<CvatMark> marks;
  std::string place;
  std::string fault;  // why its marks cannot be read, "place: what; cure"; empty: they can
};

struct CvatTasks {
  std::vector<CvatTask> tasks;  // in the order of the file
  int64_t left_out = 0;         // shapes on frames of images, which belong to no track
};

/// CVAT 1.1 XML of a task or of a project with its tasks: tags of frames (`for images`) and tracks
/// of any shape (`for video`). Marks of one label in one task that touch are one, with the
/// attributes of the first; they are sorted by frame. Throws Error `place:line: what; cure` for
/// what is no such export, and for the export of a job, which does not name its task.
CvatTasks read_cvat_tasks(const std::string& text, const std::string& place);

}  // namespace distal
