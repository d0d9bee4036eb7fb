#include "distal/oracles/torchscript_teacher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/base/text.h"
#include "distal/networks/program_worker.h"

namespace distal {
namespace {

/// Open from the hash on: what is hashed is what is executed.
class TorchscriptFile {
 public:
  explicit TorchscriptFile(const std::string& path)
      : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat about {};
    if (file_ < 0 || ::fstat(file_, &about) != 0)
      fail("teacher {}: cannot be read; give the path of a TorchScript file in oracle.path", path);
    bytes_ = about.st_size;
    if (!S_ISREG(about.st_mode)) {
      ::close(file_);
      fail("teacher {}: cannot be read: a folder, device or pipe; give the path of a TorchScript "
           "file in oracle.path",
           path);
    }
  }
  ~TorchscriptFile() { ::close(file_); }
  TorchscriptFile(const TorchscriptFile&) = delete;

  int file() const { return file_; }
  int64_t bytes() const { return bytes_; }

  std::string hash() const {
    std::vector<char> block(1 << 20);
    uint64_t hash = fnv1a("");
    int64_t at = 0;
    for (ssize_t got; (got = ::pread(file_, block.data(), block.size(), at)) > 0; at += got)
      hash = fnv1a({block.data(), static_cast<size_t>(got)}, hash);
    return fmt::format("torchscript:{:016x}", hash);
  }

  bool is_zip() const {
    char start[4] = {};
    return ::pread(file_, start, sizeof start, 0) == sizeof start &&
           std::string_view(start, 4) == std::string_view("PK\x03\x04");
  }

 private:
  int file_;
  int64_t bytes_ = 0;
};

class TorchscriptTeacher final : public Teacher {
 public:
  TorchscriptTeacher(const TorchscriptOptions& options, LabelSpace labels, Say say)
      : options_(options),
        labels_(labels),
        say_(std::move(say)),
        file_(options.path),
        version_(file_.hash()) {
    if (!file_.is_zip())
      fail("{}: not a TorchScript file; write one with torch.jit.trace(model, clips).save(path)",
           place());
    start();
  }

  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    if (!worker_ || !worker_->alive()) start();
    remark_.clear();
    const torch::Tensor answers = worker_->run(clips, kMostNumbersOfAClip * clips.size(0));
    if (const std::string prints = worker_->take_prints();
        !prints.empty() && say_ && !std::exchange(said_, true))
      say_(fmt::format("{}: prints '{}'", place(), excerpt(prints)));
    return checked_answer(answers, options_.logits, clips.size(0), labels_, place(), &remark_);
  }
  std::string version() const override { return version_; }
  std::string remark() const override { return remark_; }

 private:
  static constexpr int64_t kMostNumbersOfAClip = 1 << 20;
  std::string place() const { return "teacher " + options_.path; }
  void start() {
    worker_ = std::make_unique<ProgramWorker>(
        file_.file(), file_.bytes(),
        ProgramOptions{.place = place(), .timeout_s = options_.timeout_s});
  }

  TorchscriptOptions options_;
  LabelSpace labels_;
  Say say_;
  TorchscriptFile file_;
  std::string version_, remark_;
  std::unique_ptr<ProgramWorker> worker_;
  bool said_ = false;
};

}  // namespace

void TorchscriptOptions::visit(OptionVisitor& v) const {
  v("path", path, "the TorchScript file");
  v("logits", logits, "the answer is logits: softmax is applied here");
  v("timeout_s", timeout_s, "how long a batch may take, in seconds", at_least(0.001));
}

std::string executes_code(const std::string& path) {
  return fmt::format(
      "{} is TorchScript: a program, which is executed with your rights (in a process of its own, "
      "oracle.timeout_s a batch); use files you trust, or --untrusted to refuse them",
      path);
}

std::unique_ptr<Teacher> torchscript_teacher(const TorchscriptOptions& options, LabelSpace labels,
                                             Say say) {
  return std::make_unique<TorchscriptTeacher>(options, labels, std::move(say));
}

}  // namespace distal
