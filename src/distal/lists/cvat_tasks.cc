#include "distal/lists/cvat_tasks.h"

#include <algorithm>
#include <tuple>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/lists/cvat_document.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

// The tasks of an export: `<task>` in `<meta>`, of a project in `<tasks>` within it. Images and
// tracks of a project name their task in `task_id`.
class CvatTaskReader {
 public:
  explicit CvatTaskReader(const CvatDocument& document) : document_(document) {}

  CvatTasks read() {
    const pugi::xml_node root = document_.root();
    if (std::string_view(root.name()) != "annotations")
      fail("{}: <{}> where <annotations> was expected; {}", document_.place_of(root),
           excerpt(root.name(), 40), kExportFromCvatAgain);
    meta(root.child("meta"), root);
    for (const pugi::xml_node node : root.children()) {
      const std::string_view name = node.name();
      if (name == "track")
        attempt(node, [&](CvatTask& task) { track(node, task); });
      else if (name == "image")
        attempt(node, [&](CvatTask& task) { image(node, task); });
    }
    for (CvatTask& task : read_.tasks) merge(task.marks);
    return std::move(read_);
  }

 private:
  void meta(const pugi::xml_node& meta, const pugi::xml_node& root) {
    if (const auto job = meta.child("job"))
      fail("{}: a job, which does not name its task; export the task or the whole project",
           document_.place_of(job));
    if (const auto project = meta.child("project")) {
      for (const pugi::xml_node task : project.child("tasks").children("task")) add_task(task);
    } else if (const auto task = meta.child("task")) {
      add_task(task);
    }
    if (read_.tasks.empty())
      fail("{}: no <task> in <meta>; {}", document_.place_of(root), kExportFromCvatAgain);
  }

  void add_task(const pugi::xml_node& node) {
    at_[node.child("id").text().get()] = read_.tasks.size();
    steps_.push_back(cvat_step(node.child("frame_filter").text().get()));
    read_.tasks.push_back({utf8_name(node.child("name").text().get()),
                           utf8_name(node.child("assignee").child("username").text().get()),
                           node.child("updated").text().get(),
                           {},
                           document_.place_of(node),
                           ""});
  }

  // The place in `read_.tasks`. What names no task belongs to the only one.
  size_t task_of(const pugi::xml_node& node) const {
    const std::string id = node.attribute("task_id").value();
    if (id.empty() && read_.tasks.size() == 1) return 0;
    const auto found = at_.find(id);
    if (found == at_.end())
      fail("{}: <{}> of task '{}', which <meta> does not have; {}", document_.place_of(node),
           node.name(), excerpt(id, 40), kExportFromCvatAgain);
    return found->second;
  }

  // A fault costs the marks of its task alone.
  template <class Read>
  void attempt(const pugi::xml_node& node, const Read& read) {
    current_ = task_of(node);
    CvatTask& task = read_.tasks[current_];
    try {
      read(task);
    } catch (const Error& error) {
      if (task.fault.empty()) task.fault = error.what();
    }
  }

  void track(const pugi::xml_node& node, CvatTask& task) {
    const std::string label = document_.value(node, "label");
    std::map<std::string, std::string> attributes;
    document_.each_span(
        node, steps_[current_],
        [&](const pugi::xml_node& shape) { attributes.merge(attributes_of(shape)); },
        [&](FrameSpan span) { add(task, node, label, span, attributes); });
  }

  void image(const pugi::xml_node& node, CvatTask& task) {
    for (const pugi::xml_node inner : node.children()) {
      if (inner.type() != pugi::node_element) continue;
      if (std::string_view(inner.name()) != "tag") {
        ++read_.left_out;
        continue;
      }
      const int64_t frame = document_.frame_of(node, "id");
      add(task, inner, document_.value(inner, "label"), {frame, frame + steps_[current_] - 1},
          attributes_of(inner));
    }
  }

  static std::map<std::string, std::string> attributes_of(const pugi::xml_node& node) {
    std::map<std::string, std::string> all;
    for (const pugi::xml_node attribute : node.children("attribute"))
      all.emplace(utf8_name(attribute.attribute("name").value()),
                  utf8_name(attribute.text().get()));
    return all;
  }

  void add(CvatTask& task, const pugi::xml_node& node, const std::string& label, FrameSpan span,
           const std::map<std::string, std::string>& attributes) {
    task.marks.push_back(
        {utf8_name(label), span.first, span.last, attributes, document_.place_of(node)});
  }

  static void merge(std::vector<CvatMark>& marks) {
    std::stable_sort(marks.begin(), marks.end(), [](const CvatMark& a, const CvatMark& b) {
      return std::tie(a.label, a.first) < std::tie(b.label, b.first);
    });
    std::vector<CvatMark> merged;
    for (CvatMark& mark : marks) {
      if (merged.empty() || merged.back().label != mark.label ||
          mark.first > merged.back().last + 1)
        merged.push_back(std::move(mark));
      else
        merged.back().last = std::max(merged.back().last, mark.last);
    }
    std::stable_sort(merged.begin(), merged.end(),
                     [](const CvatMark& a, const CvatMark& b) { return a.first < b.first; });
    marks = std::move(merged);
  }

  const CvatDocument& document_;
  CvatTasks read_;
  std::map<std::string, size_t> at_;  // by id
  std::vector<int64_t> steps_;        // a task each: CVAT showed every so many frames of the file
  size_t current_ = 0;
};

}  // namespace

CvatTasks read_cvat_tasks(const std::string& text, const std::string& place) {
  const CvatDocument document(text, place);
  return CvatTaskReader(document).read();
}

}  // namespace distal
