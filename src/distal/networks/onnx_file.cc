#include "distal/networks/onnx_file.h"

#include <filesystem>
#include <set>

#include "distal/base/error.h"
#include "distal/base/protobuf.h"
#include "distal/base/text.h"

namespace distal {
namespace {

// Numbers of fields, by message.
enum ModelField { kModelGraph = 7, kModelMetadata = 14, kModelFunctions = 25 };
enum GraphField { kGraphNode = 1, kGraphInitializer = 5 };
constexpr uint64_t kFunctionNode = 7;
constexpr uint64_t kNodeAttribute = 5;
enum AttributeField {
  kAttributeTensor = 5,
  kAttributeGraph = 6,
  kAttributeTensors = 10,
  kAttributeGraphs = 11
};
constexpr uint64_t kTensorExternal = 13;
constexpr int kDeepestGraph = 32;  // of graphs in the attributes of nodes

class OnnxReader {
 public:
  explicit OnnxReader(const std::string& place) : place_(place) {}

  OnnxFile model(std::string_view bytes) {
    OnnxFile file;
    bool has_graph = false;
    each(bytes, [&](const ProtoField& field) {
      if (field.number == kModelGraph) {
        has_graph = true;
        graph(field.bytes, 0);
      } else if (field.number == kModelFunctions) {
        each(field.bytes, [&](const ProtoField& inner) {
          if (inner.number == kFunctionNode) node(inner.bytes, 0);
        });
      } else if (field.number == kModelMetadata) {
        file.metadata.insert(pair(field.bytes));
      }
    });
    if (!has_graph) refuse();
    file.external.assign(external_.begin(), external_.end());
    return file;
  }

 private:
  template <class See>
  void each(std::string_view rest, const See& see) {
    while (!rest.empty()) {
      const auto field = take_field(rest);
      if (!field) refuse();
      if (field->is_bytes) see(*field);
    }
  }

  [[noreturn]] void refuse() const {
    fail("{}: no ONNX file, or cut off; copy it again, or export the network again", place_);
  }

  std::pair<std::string, std::string> pair(std::string_view bytes) {
    std::pair<std::string, std::string> found;
    each(bytes, [&](const ProtoField& field) {
      if (field.number == 1) found.first = field.bytes;
      if (field.number == 2) found.second = field.bytes;
    });
    return found;
  }

  void graph(std::string_view bytes, int depth) {
    if (depth > kDeepestGraph) fail("{}: its graphs are nested too deep; export it again", place_);
    each(bytes, [&](const ProtoField& field) {
      if (field.number == kGraphNode) node(field.bytes, depth);
      if (field.number == kGraphInitializer) tensor(field.bytes);
    });
  }

  void node(std::string_view bytes, int depth) {
    each(bytes, [&](const ProtoField& field) {
      if (field.number == kNodeAttribute) attribute(field.bytes, depth);
    });
  }

  void attribute(std::string_view bytes, int depth) {
    each(bytes, [&](const ProtoField& field) {
      if (field.number == kAttributeTensor || field.number == kAttributeTensors)
        tensor(field.bytes);
      if (field.number == kAttributeGraph || field.number == kAttributeGraphs)
        graph(field.bytes, depth + 1);
    });
  }

  void tensor(std::string_view bytes) {
    each(bytes, [&](const ProtoField& field) {
      if (field.number != kTensorExternal) return;
      const auto [key, value] = pair(field.bytes);
      if (key != "location") return;
      const std::filesystem::path path(value);
      const bool up = std::find(path.begin(), path.end(), "..") != path.end();
      if (value.empty() || path.is_absolute() || up)
        fail(
            "{}: wants its weights from '{}', outside of its folder; export it with weights beside "
            "it",
            place_, excerpt(value));
      external_.insert(value);
    });
  }

  std::string place_;
  std::set<std::string> external_;
};

}  // namespace

OnnxFile read_onnx(std::string_view bytes, const std::string& place) {
  return OnnxReader(place).model(bytes);
}

}  // namespace distal
