#include "distal/infer/onnx_part.h"

#include <filesystem>
#include <memory>
#include <set>
#include <string_view>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/options.h"
#include "distal/base/protobuf.h"

namespace distal {
namespace {

constexpr int64_t kOldestOpset = 13;  // what stands around the part is alike from here on
constexpr int kMostDepth = 32;        // of graphs within graphs

struct Field {
  int number;
  uint64_t value;          // of a number
  std::string_view bytes;  // of a string, bytes or message
  std::string_view whole;  // as it stands in its message
};

// Reads onnx.proto, whose field numbers these are, and writes it again.
class PartReader {
 public:
  PartReader(const std::string& file, std::string prefix)
      : file_(file), prefix_(std::move(prefix)), bytes_(file) {}

  OnnxPart read() {
    OnnxPart part;
    std::string_view graph;
    each({bytes_.data(), bytes_.size()}, [&](const Field& field) {
      if (field.number == 1) part.ir_version = static_cast<int64_t>(field.value);
      if (field.number == 7) graph = field.bytes;
      if (field.number == 8) add_opset(part, field.bytes);
      if (field.number == 25) part.functions.emplace_back(field.bytes);
    });
    if (graph.empty()) damaged();
    const auto opset = part.opsets.find("");
    if (opset == part.opsets.end() || opset->second < kOldestOpset)
      fail("{}: its operations are those of opset {}, and a graph that holds them can be exported "
           "from opset {} on; convert it with onnx.version_converter",
           file_, opset == part.opsets.end() ? 0 : opset->second, kOldestOpset);
    std::set<std::string> valued;
    each(graph, [&](const Field& field) {
      if (field.number == 1) part.nodes.push_back(node(field.bytes, 0));
      if (field.number == 5) part.initialisers.push_back(bytes_field(5, tensor(field.bytes)));
      if (field.number == 5) valued.insert(prefix_ + text_of(field.bytes, 8));
      if (field.number == 11) part.inputs.push_back(prefix_ + text_of(field.bytes, 1));
      if (field.number == 12) part.outputs.push_back(prefix_ + text_of(field.bytes, 1));
      if (field.number == 15) part.initialisers.push_back(bytes_field(15, sparse(field.bytes)));
    });
    std::erase_if(part.inputs, [&](const std::string& name) { return valued.contains(name); });
    return part;
  }

 private:
  [[noreturn]] void damaged() const { fail("{}: no ONNX file, or cut off; copy it again", file_); }

  template <class Work>
  void each(std::string_view message, const Work& work) const {
    while (!message.empty()) {
      const std::string_view before = message;
      const auto field = take_field(message);
      if (!field) damaged();
      work(Field{static_cast<int>(field->number), field->value, field->bytes,
                 before.substr(0, before.size() - message.size())});
    }
  }

  std::string text_of(std::string_view message, int field_number) const {
    std::string text;
    each(message, [&](const Field& field) {
      if (field.number == field_number) text = field.bytes;
    });
    return text;
  }

  // An optional input that is left out has no name.
  std::string named(int field, std::string_view name) const {
    return bytes_field(field, name.empty() ? "" : prefix_ + std::string(name));
  }

  void add_opset(OnnxPart& part, std::string_view message) const {
    std::string domain;
    int64_t version = 0;
    each(message, [&](const Field& field) {
      if (field.number == 1) domain = field.bytes;
      if (field.number == 2) version = static_cast<int64_t>(field.value);
    });
    part.opsets[domain == "ai.onnx" ? "" : domain] = version;
  }

  // Without doc_string and metadata_props.
  std::string node(std::string_view message, int depth) {
    std::string out;
    each(message, [&](const Field& field) {
      switch (field.number) {
        case 1:
        case 2:
        case 3: out += named(field.number, field.bytes); break;
        case 5: out += bytes_field(5, attribute(field.bytes, depth)); break;
        case 6:
        case 9: break;
        default: out += field.whole;
      }
    });
    return out;
  }

  std::string attribute(std::string_view message, int depth) {
    std::string out;
    each(message, [&](const Field& field) {
      switch (field.number) {
        case 5:
        case 10: out += bytes_field(field.number, with_data(field.bytes)); break;
        case 6:
        case 11: out += bytes_field(field.number, inner_graph(field.bytes, depth + 1)); break;
        default: out += field.whole;
      }
    });
    return out;
  }

  // The body of a loop or a branch. It may read tensors of the graphs around it.
  std::string inner_graph(std::string_view message, int depth) {
    if (depth > kMostDepth) damaged();
    std::string out;
    each(message, [&](const Field& field) {
      switch (field.number) {
        case 1: out += bytes_field(1, node(field.bytes, depth)); break;
        case 5: out += bytes_field(5, tensor(field.bytes)); break;
        case 11:
        case 12:
        case 13: out += bytes_field(field.number, renamed(field.bytes, 1)); break;
        case 14: break;
        case 15: out += bytes_field(15, sparse(field.bytes)); break;
        default: out += field.whole;
      }
    });
    return out;
  }

  std::string renamed(std::string_view message, int name_field) const {
    std::string out;
    each(message, [&](const Field& field) {
      out += field.number == name_field ? named(name_field, field.bytes) : std::string(field.whole);
    });
    return out;
  }

  std::string tensor(std::string_view message) { return renamed(with_data(message), 8); }

  std::string sparse(std::string_view message) {
    std::string out;
    each(message, [&](const Field& field) {
      out += field.number == 1 ? bytes_field(1, tensor(field.bytes)) : std::string(field.whole);
    });
    return out;
  }

  // A tensor whose values stand in it.
  std::string with_data(std::string_view message) {
    std::string out;
    std::map<std::string, std::string> place;
    bool outside = false;
    each(message, [&](const Field& field) {
      if (field.number == 13)
        add_entry(place, field.bytes);
      else if (field.number == 14)
        outside = field.value == 1;
      else
        out += field.whole;
    });
    if (outside) out += bytes_field(9, values_outside(place));
    return out;
  }

  void add_entry(std::map<std::string, std::string>& entries, std::string_view message) const {
    std::string key, value;
    each(message,
         [&](const Field& field) { (field.number == 1 ? key : value) = std::string(field.bytes); });
    entries[key] = value;
  }

  // The format wants a file below the folder of the graph's.
  std::string_view values_outside(const std::map<std::string, std::string>& place) {
    const auto text = [&](const char* key) {
      const auto at = place.find(key);
      return at == place.end() ? std::string() : at->second;
    };
    const auto whole = [&](const char* key, size_t otherwise) {
      const auto number = number_of(text(key));
      return number && *number >= 0 ? static_cast<size_t>(*number) : otherwise;
    };
    const std::filesystem::path location(text("location"));
    bool leaves = location.empty() || location.is_absolute();
    for (const auto& step : location) leaves |= step == "..";
    if (leaves) damaged();
    const std::string path = (std::filesystem::path(file_).parent_path() / location).string();
    auto& beside = beside_[path];
    if (!beside) beside = std::make_unique<MappedFile>(path);
    const std::string_view all(beside->data(), beside->size());
    const size_t offset = whole("offset", 0);
    if (offset > all.size()) damaged();
    const size_t length = whole("length", all.size() - offset);
    if (length > all.size() - offset) damaged();
    return all.substr(offset, length);
  }

  const std::string& file_;
  std::string prefix_;
  MappedFile bytes_;
  std::map<std::string, std::unique_ptr<MappedFile>> beside_;  // files of weights, by path
};

}  // namespace

OnnxPart read_onnx_part(const std::string& file, const std::string& prefix) {
  return PartReader(file, prefix).read();
}

}  // namespace distal
