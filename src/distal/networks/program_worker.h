#pragma once
// A TorchScript file (.pt) is a program, and so is what AOTInductor compiled (.pt2): it may loop,
// print, exhaust memory, crash, read and write files. It runs in a process of its own, which is
// this very program started again (/proc/self/exe) under a name of its own; it begins to serve
// before main() is reached, so every program that links this can be its own worker, tests included.
// Fork alone would not do: OpenMP's threads do not survive it.
//
// The process ends with its parent, however that ends; it gets none of its files, nor its
// environment but what tunes the libraries; it may enlarge no file (RLIMIT_FSIZE), take 4 GiB and
// four times the file's size of memory (RLIMIT_DATA), and what it prints goes to its parent. That
// contains accidents. It is no sandbox: the program reads whatever its user may read.

#include <cstdint>
#include <memory>
#include <string>

#include <torch/types.h>

namespace distal {

/// Takes what there is to be read of `output`, which never blocks: 64 KiB a call at most, since a
/// program may print faster than anybody reads. The first 1000 bytes of all calls are kept in
/// `heard`. False where nothing more will come: at its end, or where it cannot be read.
bool hear_prints(int output, std::string& heard);

struct ProgramOptions {
  std::string place;  // begins messages
  double timeout_s = 30;
  // of a .pt2: where its content lies unpacked, and the name of the model in it; empty: TorchScript
  std::string folder = {};
  std::string model = {};
  int64_t least_batch = 1;  // rows of a call; a clip is repeated
  bool as_bytes = false;    // it takes uint8
  std::string output = {};  // position in the tuple it returns, or key; empty: the first
  std::string time_cure = "raise oracle.timeout_s, or lower oracle.batch_size";
  std::string shape_cure = "look at the clip size in the recipe";
};

class ProgramWorker {
 public:
  /// Starts the process, which loads the file that is open as `file` and `bytes` long. Throws
  /// Error: no TorchScript or no package, damaged, compiled for another processor, a crash while
  /// loading, more than 60 s (timeout_s where that is longer).
  ProgramWorker(int file, int64_t bytes, ProgramOptions options);
  ~ProgramWorker();
  ProgramWorker(const ProgramWorker&) = delete;

  /// What the file answers for float32 clips [N, ...], clip by clip, put together: float64
  /// of any shape, on the CPU; as many threads as this process has. Throws Error: timeout_s is
  /// over, a crash, too little memory, what the program itself complains of, more than
  /// `most_values` numbers; Interrupted. The process is gone then.
  torch::Tensor run(const torch::Tensor& clips, int64_t most_values);

  bool alive();
  /// The beginning of what the program printed since the last call.
  std::string take_prints();

 private:
  struct Process;
  std::unique_ptr<Process> process_;
};

}  // namespace distal
