#pragma once
// A network from elsewhere as a teacher (networks/network.h): a file of another program, with its
// own input, that gives logits or probabilities of classes, or embeddings of clips that texts
// classify (zero_shot.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distal/data/clip_reader.h"
#include "distal/networks/network.h"
#include "distal/oracles/teacher.h"
#include "distal/oracles/zero_shot.h"

namespace distal {

/// Which frames of a clip the network sees; as SamplingOptions, but that the file may say how many.
struct NetworkSampling {
  std::string rule = "even";
  int64_t frames = 0;  // 0: as many as the network takes; 8 where it takes single frames
  int64_t stride = 2;
  void visit(OptionVisitor& v) const;
  bool operator==(const NetworkSampling&) const = default;
};

struct NetworkTeacherOptions {
  NetworkOptions network;
  NetworkSampling sampling;
  int64_t short_side_px = 0;         // of cached frames; 0: 8/7 of the network's size
  double deadline_s = 10;            // to decode a clip
  std::string answers = "logits";    // or probabilities: what the file gives
  double temperature = 1;            // divides logits before softmax
  std::vector<std::string> classes;  // names of what the file gives, in its order, or their file
  bool drop_other_classes = false;   // leaves out those that the lists do not have
  std::optional<ZeroShotOptions> zero_shot;
  void visit(OptionVisitor& v) const;
  bool operator==(const NetworkTeacherOptions&) const = default;
  /// Which options contradict each other, by their names below `oracle`; empty: none.
  std::string contradiction() const;
  /// Those that change answers, beside the files.
  std::string decisive() const;
};

/// The network of such a teacher. It is opened once, for the first of what follows, and kept.
class NetworkTeacherFile {
 public:
  explicit NetworkTeacherFile(NetworkTeacherOptions options);
  ~NetworkTeacherFile();
  /// Size, frames and sampling. Throws Error as open_network does, or where the frames of a clip
  /// are not those that the network takes.
  InputOptions input();
  /// A teacher of these classes. Its answers are checked on a made-up clip. Throws Error, before it
  /// is asked anything: classes, their order or number, a head of texts that does not fit, logits
  /// where the options say probabilities and the other way round. `say` (may be empty) gets the
  /// warning of a program, what is taken on trust, and what the file prints later.
  std::unique_ptr<Teacher> teacher(const Classes& classes, const Task& task, Say say);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace distal
