#include "distal/models/opened_network.h"

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/text.h"

namespace distal {
namespace {

std::atomic<bool> programs_refused = false;

// One call at a time.
class SharedNetwork final : public ForeignNetwork {
 public:
  explicit SharedNetwork(std::unique_ptr<ForeignNetwork> network) : network_(std::move(network)) {}
  torch::Tensor run(const torch::Tensor& clips) override {
    const std::lock_guard lock(mutex_);
    return network_->run(clips);
  }
  int64_t width() const override { return network_->width(); }
  int64_t size_px() const override { return network_->size_px(); }
  int64_t frames() const override { return network_->frames(); }
  const std::vector<std::string>& classes() const override { return network_->classes(); }
  std::string id() const override { return network_->id(); }

 private:
  std::mutex mutex_;
  std::unique_ptr<ForeignNetwork> network_;
};

// Whoever opens a network hears that it is a program, with --quiet too.
void to_stderr_line(const std::string& line) {
  const std::string text = printable_lines(line) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

// The options, and the state of the file that they name.
std::string key_of(const NetworkOptions& options) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(options.file, absent);
  const auto time = std::filesystem::last_write_time(options.file, absent);
  return fmt::format("{}{} {}", resolved(options), size, time.time_since_epoch().count());
}

}  // namespace

void refuse_network_programs() { programs_refused = true; }

std::shared_ptr<ForeignNetwork> opened_network(const NetworkOptions& options) {
  if (programs_refused && network_executes_code(options.file))
    throw UsageError(
        fmt::format("network.file: {} executes code, which --untrusted refuses; use an "
                    ".onnx or .xml file, or leave --untrusted out",
                    options.file));
  static std::mutex mutex;
  // Never destroyed: what computes it may end before, as statics of other libraries do.
  static auto& opened = *new std::map<std::string, std::shared_ptr<ForeignNetwork>>;
  const std::lock_guard lock(mutex);
  auto& network = opened[key_of(options)];
  if (!network)
    network = std::make_shared<SharedNetwork>(open_network(options, "network", to_stderr_line));
  return network;
}

}  // namespace distal
