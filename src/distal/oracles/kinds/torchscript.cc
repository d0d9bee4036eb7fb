// A TorchScript file: a program that somebody else may have written (networks/program_worker.h).

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/oracles/torchscript_teacher.h"

namespace distal::kinds {

class Torchscript final : public Oracle {
 public:
  using Options = TorchscriptOptions;
  explicit Torchscript(Options options) : options_(std::move(options)) {}

  OracleTraits traits() const override {
    return {.at_hand = true, .bills_unusable = false, .foreign_code = true};
  }
  std::string missing() const override {
    if (!options_.path.empty()) return "";
    return "oracle.kind = torchscript needs oracle.path, the file of who answers";
  }
  std::string line() const override { return "TorchScript file " + options_.path; }
  std::string answer_options() const override { return fmt::format("{}", options_.logits); }
  std::string program() const override {
    return "path: " + options_.path + " is TorchScript, a program";
  }
  std::string warning() const override { return executes_code(options_.path); }
  OpenedOracle open(const OracleSetup& setup) const override {
    if (setup.say) setup.say(warning());
    auto teacher = torchscript_teacher(options_, setup.labels(), setup.say);
    return {answers_at_once(std::move(teacher)), line()};
  }

 private:
  Options options_;
};

extern const Entry<Oracle> torchscript;
const Entry<Oracle> torchscript = entry<Oracle, Torchscript>(
    "a TorchScript file, executed on this machine in a process of its own",
    "PyTorch, TorchScript, https://pytorch.org/docs/stable/jit.html");

}  // namespace distal::kinds
