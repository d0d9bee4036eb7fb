#pragma once
// Formats of networks, a family: one file each in formats/. The ending of a file's name says which
// it is.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/networks/network.h"

namespace distal {

class InputForm;

/// A network that takes items in its own layout (InputForm). One thread uses it.
class ItemNetwork {
 public:
  virtual ~ItemNetwork() = default;
  /// `write(i, to)` writes item i of `count` to `to`, in one thread. Returns float32 [count, ...]
  /// on the CPU. A row does not depend on the other items. Throws Error; Interrupted.
  virtual torch::Tensor run(int64_t count,
                            const std::function<void(int64_t i, void* to)>& write) = 0;
};

struct ItemNetworkSetup {
  const NetworkOptions& options;
  const InputForm& form;
  NetworkPort input, output;                    // as the file names them
  std::string place;                            // of messages
  std::function<void(const std::string&)> say;  // may be empty
};

class NetworkFormat {
 public:
  virtual ~NetworkFormat() = default;
  virtual std::string title() const = 0;   // "ONNX"
  virtual std::string ending() const = 0;  // with its point
  /// What computes it: "OpenVINO".
  virtual std::string engine() const = 0;
  virtual bool executes_code() const { return false; }
  /// All but classes of files beside it. Throws Error.
  virtual NetworkDescription describe(const std::string& file) const = 0;
  /// Every file whose content decides what it computes, `file` first. Throws Error.
  virtual std::vector<std::string> content(const std::string& file) const { return {file}; }
  /// Throws Error.
  virtual std::unique_ptr<ItemNetwork> open(const ItemNetworkSetup& setup) const = 0;
};

/// The format of a file name; null: none.
const NetworkFormat* network_format(const std::string& file);

}  // namespace distal
