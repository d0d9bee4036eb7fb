#include "distal/networks/program_network.h"

#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/networks/input_form.h"
#include "distal/networks/program_worker.h"
#include "distal/networks/torch_archive.h"

namespace distal {
namespace {

constexpr int64_t kMostNumbersOfAnItem = 1 << 24;
constexpr int64_t kMostItemsOfACall = 16;

/// Open from the first process on: what is executed later is the same file.
class OpenProgram {
 public:
  explicit OpenProgram(const std::string& path)
      : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat about {};
    if (file_ < 0 || ::fstat(file_, &about) != 0) fail("{}: cannot be read", path);
    bytes_ = about.st_size;
  }
  ~OpenProgram() { ::close(file_); }
  OpenProgram(const OpenProgram&) = delete;
  int file() const { return file_; }
  int64_t bytes() const { return bytes_; }

 private:
  int file_;
  int64_t bytes_ = 0;
};

/// The content of a .pt2, for as long as its process loads it.
class UnpackedPackage {
 public:
  explicit UnpackedPackage(const std::string& file) {
    std::string pattern = (std::filesystem::temp_directory_path() / "distal-pt2-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      fail("{}: no folder for its content in {}; set TMPDIR", file,
           std::filesystem::temp_directory_path().string());
    folder_ = pattern;
    try {
      TorchArchive(file).unpack("data/", folder_);
    } catch (...) {
      remove();
      throw;
    }
  }
  ~UnpackedPackage() { remove(); }
  UnpackedPackage(const UnpackedPackage&) = delete;
  const std::string& folder() const { return folder_; }

 private:
  void remove() const {
    std::error_code unknown;
    std::filesystem::remove_all(folder_, unknown);
  }
  std::string folder_;
};

class ProgramNetwork final : public ItemNetwork {
 public:
  ProgramNetwork(const ItemNetworkSetup& setup, const ProgramFile& file)
      : path_(setup.options.file),
        item_(setup.form.item()),
        as_bytes_(setup.form.as_bytes()),
        model_(file.model),
        say_(setup.say),
        program_(path_) {
    options_.place = setup.place + ": " + path_;
    options_.timeout_s = setup.options.timeout_s;
    options_.model = file.model;
    options_.least_batch = std::max(file.least_batch, setup.form.batch());
    options_.as_bytes = as_bytes_;
    options_.output = file.output;
    options_.time_cure = fmt::format("raise {}.timeout_s", setup.place);
    options_.shape_cure = fmt::format("look at size_px, frames and layout of {}", setup.place);
    start();
  }

  torch::Tensor run(int64_t count, const std::function<void(int64_t, void*)>& write) override {
    if (!worker_ || !worker_->alive()) start();
    std::vector<torch::Tensor> parts;
    for (int64_t first = 0; first < count; first += kMostItemsOfACall) {
      const int64_t rows = std::min(kMostItemsOfACall, count - first);
      parts.push_back(
          worker_->run(items(first, rows, write), kMostNumbersOfAnItem * rows).to(torch::kFloat32));
    }
    if (const std::string prints = worker_->take_prints();
        !prints.empty() && say_ && !std::exchange(said_, true))
      say_(fmt::format("{}: prints '{}'", path_, excerpt(prints)));
    const torch::Tensor all = torch::cat(parts);
    if (all.size(0) != count)
      fail("{}: returns {} rows for {} inputs; return [N, D] from forward", options_.place,
           all.size(0), count);
    return all;
  }

 private:
  torch::Tensor items(int64_t first, int64_t rows,
                      const std::function<void(int64_t, void*)>& write) const {
    std::vector<int64_t> shape = item_;
    shape.insert(shape.begin(), rows);
    const torch::Tensor items = torch::empty(shape, as_bytes_ ? torch::kUInt8 : torch::kFloat32);
    const size_t bytes = items.nbytes() / static_cast<size_t>(rows);
    for (int64_t i = 0; i < rows; ++i)
      write(first + i, static_cast<char*>(items.data_ptr()) + static_cast<size_t>(i) * bytes);
    return items.to(torch::kFloat32);
  }

  void start() {
    std::optional<UnpackedPackage> unpacked;
    if (!model_.empty()) options_.folder = unpacked.emplace(path_).folder();
    worker_ = std::make_unique<ProgramWorker>(program_.file(), program_.bytes(), options_);
  }

  std::string path_;
  std::vector<int64_t> item_;
  bool as_bytes_;
  std::string model_;
  std::function<void(const std::string&)> say_;
  OpenProgram program_;
  ProgramOptions options_;
  std::unique_ptr<ProgramWorker> worker_;
  bool said_ = false;
};

}  // namespace

std::unique_ptr<ItemNetwork> program_network(const ItemNetworkSetup& setup,
                                             const ProgramFile& file) {
  return std::make_unique<ProgramNetwork>(setup, file);
}

}  // namespace distal
