#include <fstream>

#include <fmt/ranges.h>
#include <torch/script.h>

#include "base/error.h"
#include "base/random.h"
#include "distill/teacher.h"

namespace distal {
namespace {

std::string hash_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("teacher {}: cannot be read; give the path of a TorchScript file in oracle.path", path);
  std::vector<char> block(1 << 20);
  uint64_t hash = fnv1a("");
  while (file.read(block.data(), std::ssize(block)) || file.gcount() > 0) hash = fnv1a({block.data(), static_cast<size_t>(file.gcount())}, hash);
  return fmt::format("torchscript:{:016x}", hash);
}

torch::jit::Module load(const std::string& path) {
  try {
    auto module = torch::jit::load(path, torch::kCPU);
    module.eval();
    return module;
  } catch (const c10::Error& error) {
    fail("teacher {}: not a TorchScript file ({}); write one with torch.jit.trace(model, clips).save(path)", path, error.what_without_backtrace());
  }
}

class TorchscriptTeacher final : public Teacher {
 public:
  TorchscriptTeacher(const TeacherOptions& options, int64_t classes)
      : options_(options), classes_(classes), version_(hash_of_file(options.path)), module_(load(options.path)) {}

  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> answers;  // clip by clip, see teacher.h
    for (const auto& clip : clips.split(1)) answers.push_back(forward(clip));
    return checked_answer(torch::cat(answers), options_.logits, clips.size(0), classes_, place());
  }
  std::string version() const override { return version_; }

 private:
  std::string place() const { return "teacher " + options_.path; }
  torch::Tensor forward(const torch::Tensor& clips) {
    torch::jit::IValue out;
    try {
      out = module_.forward({clips.to(torch::kCPU, torch::kFloat32)});
    } catch (const std::exception& error) {
      const std::string text = error.what();
      fail("{}: cannot take clips of shape {}: {}; look at the clip size in the recipe", place(), fmt::join(clips.sizes(), "x"), text.substr(0, text.find('\n')));
    }
    if (out.isTuple() && !out.toTupleRef().elements().empty()) out = torch::jit::IValue(out.toTupleRef().elements()[0]);
    if (!out.isTensor()) fail("{}: returns {} instead of a tensor; return [N, {}] from forward", place(), out.tagKind(), classes_);
    return out.toTensor();
  }
  TeacherOptions options_;
  int64_t classes_;
  std::string version_;
  torch::jit::Module module_;
};

}  // namespace

std::unique_ptr<Teacher> torchscript_teacher(const TeacherOptions& options, int64_t classes) {
  return std::make_unique<TorchscriptTeacher>(options, classes);
}

}  // namespace distal
