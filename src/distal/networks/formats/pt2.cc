// pt2: what torch._inductor.aoti_compile_and_package wrote. Compiled code, for one kind of
// processor.

#include <nlohmann/json.hpp>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/networks/format.h"
#include "distal/networks/program_network.h"
#include "distal/networks/pt2_source.h"
#include "distal/networks/torch_archive.h"

namespace distal::formats {

class Pt2 final : public NetworkFormat {
 public:
  std::string title() const override { return "pt2"; }
  std::string ending() const override { return ".pt2"; }
  std::string engine() const override { return "AOTInductor"; }
  bool executes_code() const override { return true; }

  NetworkDescription describe(const std::string& file) const override {
    const Package package(file);
    NetworkDescription description;
    description.inputs = package.source.inputs;
    description.outputs = package.source.outputs;
    description.metadata = package.metadata;
    return description;
  }

  std::unique_ptr<ItemNetwork> open(const ItemNetworkSetup& setup) const override {
    const Package package(setup.options.file);
    if (package.source.inputs.size() > 1)
      fail("{}: {} takes {} inputs; compile it for pictures alone", setup.place, setup.options.file,
           package.source.inputs.size());
    return program_network(setup, {.model = package.model,
                                   .least_batch = package.source.least_batch,
                                   .output = std::to_string(package.position(setup.output.name))});
  }

 private:
  struct Package {
    std::string model;  // "model"
    Pt2Source source;
    std::map<std::string, std::string> metadata;

    explicit Package(const std::string& file) {
      constexpr size_t kMostSourceBytes = 64 << 20;
      const std::string prefix = "data/aotinductor/";
      const TorchArchive archive(file);
      bool compiled = false;
      for (const auto& name : archive.names()) {
        if (!name.starts_with(prefix)) continue;
        const auto here = name.substr(prefix.size(), name.find('/', prefix.size()) - prefix.size());
        if (!model.empty() && here != model)
          fail("{}: holds several models, {} and {}; compile one alone", file, excerpt(model),
               excerpt(here));
        model = here;
        compiled |= name.ends_with(".so");
        if (name.ends_with("wrapper.cpp"))
          source = read_pt2_source(archive.record(name, kMostSourceBytes));
        if (name.ends_with("wrapper_metadata.json"))
          add_metadata(archive.record(name, kMostSourceBytes), file);
      }
      if (!compiled)
        fail("{}: holds no compiled code; write it with torch._inductor.aoti_compile_and_package "
             "(torch.export.save writes a .pt2 that distal cannot execute)",
             file);
      if (const auto device = metadata.find("AOTI_DEVICE_KEY");
          device != metadata.end() && device->second != "cpu")
        fail("{}: compiled for {}; compile it for the CPU", file, excerpt(device->second));
    }

    void add_metadata(const std::string& text, const std::string& file) {
      const auto values = parse_json(text, file);
      if (!values.is_object()) return;
      for (const auto& [key, value] : values.items())
        metadata[key] = value.is_string() ? value.get<std::string>() : json_text(value);
    }

    size_t position(const std::string& output) const {
      for (size_t i = 0; i < source.outputs.size(); ++i) {
        if (source.outputs[i].name == output) return i;
      }
      return 0;
    }
  };
};

extern const Entry<NetworkFormat> pt2;
const Entry<NetworkFormat> pt2 = entry<NetworkFormat, Pt2>(
    "compiled code, executed by AOTInductor's loader in a process of its own",
    "PyTorch, AOTInductor, https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html");

}  // namespace distal::formats
