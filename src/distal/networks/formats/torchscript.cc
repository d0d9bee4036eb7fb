// TorchScript: what torch.jit.trace and torch.jit.script save. A program.

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/networks/format.h"
#include "distal/networks/program_network.h"
#include "distal/networks/torch_archive.h"

namespace distal::formats {

class TorchscriptFile final : public NetworkFormat {
 public:
  std::string title() const override { return "TorchScript"; }
  std::string ending() const override { return ".pt"; }
  std::string engine() const override { return "LibTorch"; }
  bool executes_code() const override { return true; }

  NetworkDescription describe(const std::string& file) const override {
    const TorchArchive archive(file);
    NetworkDescription description;
    const std::string prefix = "extra/";  // _extra_files of torch.jit.save
    constexpr size_t kMostExtraBytes = 1 << 20;
    bool code = false;
    for (const auto& name : archive.names()) {
      code |= name.starts_with("code/");
      if (name.starts_with(prefix))
        description.metadata[name.substr(prefix.size())] = archive.record(name, kMostExtraBytes);
    }
    if (!code)
      fail(
          "{}: no TorchScript but values that torch.save wrote, weights perhaps; write the network "
          "with torch.jit.trace(network, example).save(path)",
          file);
    return description;
  }
  std::unique_ptr<ItemNetwork> open(const ItemNetworkSetup& setup) const override {
    return program_network(setup, {.output = setup.options.output});
  }
};

extern const Entry<NetworkFormat> torchscript;
const Entry<NetworkFormat> torchscript = entry<NetworkFormat, TorchscriptFile>(
    "a program, executed by LibTorch in a process of its own",
    "PyTorch, TorchScript, https://pytorch.org/docs/stable/jit.html");

}  // namespace distal::formats
