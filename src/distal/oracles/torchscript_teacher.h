#pragma once
// A TorchScript file as a teacher: clips in, [N, K] out (probabilities, or logits where the options
// say so). Such a file is a program. It is executed in a process of its own, within timeout_s a
// batch and within bounds of memory (networks/program_worker.h).

#include <memory>
#include <string>

#include "distal/oracles/teacher.h"

namespace distal {

class OptionVisitor;

struct TorchscriptOptions {
  std::string path;       // the file
  bool logits = false;    // the answer is logits: softmax is applied here
  double timeout_s = 30;  // of a batch
  void visit(OptionVisitor& v) const;
  bool operator==(const TorchscriptOptions&) const = default;
};

/// Throws Error: the file is missing or no TorchScript. What the program prints is said, as an
/// excerpt.
std::unique_ptr<Teacher> torchscript_teacher(const TorchscriptOptions& options, LabelSpace labels,
                                             Say say = {});
/// The warning that belongs to each use of such a file.
std::string executes_code(const std::string& path);

}  // namespace distal
