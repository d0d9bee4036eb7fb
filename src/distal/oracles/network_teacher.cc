#include "distal/oracles/network_teacher.h"

#include <utility>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/options.h"
#include "distal/oracles/class_order.h"

namespace distal {
namespace {

constexpr int64_t kUsualFrames = 8;        // of a clip, to a network of single frames
constexpr double kNearlyOne = 1e-3;        // as Task::invalid
constexpr double kNearlyOneInBf16 = 2e-2;  // a sum of numbers of 8 bits

// Smooth in time and space, with values of all of [-1, 1].
torch::Tensor made_up_clip(int64_t frames, int64_t size_px) {
  const auto across = torch::linspace(0, 6, size_px);
  const auto time = torch::linspace(0, 2, frames).view({1, frames, 1, 1});
  const auto colour = torch::tensor({0.0f, 1.0f, 2.0f}).view({3, 1, 1, 1});
  const auto place = across.view({1, 1, 1, size_px}) + across.view({1, 1, size_px, 1}) * 0.7;
  return torch::sin(place + time + colour).unsqueeze(0);
}

// A row of probabilities, as softmax gives them.
bool looks_like_probabilities(const torch::Tensor& rows, double nearly) {
  if (rows.size(1) < 2 || !torch::isfinite(rows).all().item<bool>()) return false;
  const auto sums = rows.to(torch::kFloat64).sum(1);
  return (rows >= 0).all().item<bool>() && (rows <= 1).all().item<bool>() &&
         ((sums - 1).abs() <= nearly).all().item<bool>();
}

// Rows whose sums are nearly 1, with sums of 1; the others as they are.
torch::Tensor without_rounding(const torch::Tensor& rows, double nearly) {
  const auto wide = rows.to(torch::kFloat64);
  const auto sums = wide.sum(1, /*keepdim=*/true);
  return torch::where((sums - 1).abs() <= nearly, wide / sums, wide);
}

std::string resolved_without_places(NetworkOptions network) {
  network.file.clear();
  network.timeout_s = NetworkOptions().timeout_s;
  return resolved(network);
}

}  // namespace

void NetworkSampling::visit(OptionVisitor& v) const {
  v("rule", rule, "even: one frame of each of equal parts; dense: every stride-th frame",
    one_of({"even", "dense"}));
  v("frames", frames,
    "frames of a clip that the network sees; 0: as many as it takes, 8 where it takes single "
    "frames",
    between(0, 4096));
  v("stride", stride, "dense: distance of the sampled frames, in video frames", between(1, 1e6));
}

void NetworkTeacherOptions::visit(OptionVisitor& v) const {
  v("network", network, "the file, its input and its output");
  v("sampling", sampling, "which frames of a clip the network sees");
  v("short_side_px", short_side_px,
    "short side of the frames that are cropped to the network's input, px; 0: 8/7 of its size",
    between(0, 8192));
  v("deadline_s", deadline_s,
    "longest time to decode a clip, s; a video that takes longer is left out", Range{0.001});
  v("answers", answers,
    "what the file gives: logits, to which softmax is applied, or probabilities",
    one_of({"logits", "probabilities"}));
  v("temperature", temperature, "divides the logits before softmax", between(1e-6, 1e6));
  v("classes", classes,
    "names of what the file gives, in its order, or a file with one a line; its answers are put in "
    "the order of the lists");
  v("drop_other_classes", drop_other_classes,
    "leaves classes that the lists do not have out of its answers; else they are refused");
  v("zero_shot", zero_shot,
    "classes by embeddings of texts; the network gives embeddings of clips");
}

std::string NetworkTeacherOptions::contradiction() const {
  try {
    if (!network.file.empty()) check_network(network, "network");  // else Oracle::missing says it
  } catch (const UsageError& error) {
    return error.what();
  }
  if (network.frames > 1 && sampling.frames > 0 && sampling.frames != network.frames)
    return fmt::format(
        "sampling.frames = {} and network.frames = {} are both the frames of a clip; leave one out",
        sampling.frames, network.frames);
  if (short_side_px > 0 && short_side_px < network.size_px)
    return fmt::format("short_side_px = {} is less than network.size_px = {}; raise it",
                       short_side_px, network.size_px);
  if (zero_shot && (answers != "logits" || temperature != 1 || !classes.empty()))
    return "answers, temperature and classes are of networks that give classes, and zero_shot has "
           "its own; leave them out";
  if (answers == "probabilities" && temperature != 1)
    return "temperature divides logits, and answers = probabilities; leave it out";
  if (answers == "probabilities" && network.pooling == "max")
    return "network.pooling = max of probabilities gives none; take mean";
  return "";
}

std::string NetworkTeacherOptions::decisive() const {
  std::string text =
      fmt::format("{}{}{}|{}|{}|{}|{}", resolved_without_places(network), resolved(sampling),
                  short_side_px, answers, temperature,
                  fmt::join(class_names(classes, "oracle.classes"), ","), drop_other_classes);
  if (zero_shot)
    text +=
        fmt::format("|{}|{}", zero_shot->temperature,
                    fmt::join(class_names(zero_shot->classes, "oracle.zero_shot.classes"), ","));
  return text;
}

struct NetworkTeacherFile::State {
  NetworkTeacherOptions options;
  std::unique_ptr<ForeignNetwork> network;
  std::vector<std::string> said = {};  // while nobody listened
  Say say = {};

  ForeignNetwork& opened(const std::weak_ptr<State>& self) {
    if (network) return *network;
    network = open_network(options.network, "oracle.network", [self](const std::string& line) {
      const auto state = self.lock();
      if (!state) return;
      if (state->say)
        state->say(line);
      else
        state->said.push_back(line);
    });
    return *network;
  }

  void listen(const Say& listener) {
    say = listener;
    if (!say) return;
    for (const std::string& line : std::exchange(said, {})) say(line);
  }

  std::string place() const { return "teacher " + options.network.file; }
};

namespace {

class NetworkTeacher final : public Teacher {
 public:
  NetworkTeacher(std::shared_ptr<void> kept, ForeignNetwork& network,
                 const NetworkTeacherOptions& options, std::string place, const Classes& classes,
                 const Task& task)
      : kept_(std::move(kept)),
        network_(network),
        logits_(options.zero_shot || options.answers == "logits"),
        nearly_one_(options.network.precision == "bf16" ? kNearlyOneInBf16 : kNearlyOne),
        temperature_(options.temperature),
        place_(std::move(place)),
        labels_(classes.size(), task) {
    if (options.zero_shot) {
      texts_.emplace(*options.zero_shot, place_, network_.width(), classes.names,
                     options.drop_other_classes);
      remarks_ = texts_->remarks();
      return;
    }
    order_ = order_of_classes({.place = place_,
                               .count = network_.width(),
                               .said = network_.classes(),
                               .stated = class_names(options.classes, "oracle.classes"),
                               .option = "oracle.classes",
                               .drop_others = options.drop_other_classes},
                              classes.names);
    remarks_ = order_.remarks;
  }

  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    remark_.clear();
    return probabilities_of(network_.run(clips));
  }

  std::string version() const override {
    std::string version = fmt::format("network:{}", network_.id());
    if (texts_) return fmt::format("{}+{}", version, texts_->id());
    if (order_.as_it_is) return version;
    // Names beside the file may decide which numbers are ours.
    return fmt::format("{}@{:016x}", version,
                       fnv1a(fmt::format("{}", fmt::join(order_.columns, ","))));
  }
  std::string remark() const override { return remark_; }
  const std::vector<std::string>& remarks() const { return remarks_; }

  // What the options say of the file's numbers, against those that it gives about a made-up clip.
  void check(const torch::Tensor& clip) {
    const torch::Tensor given = network_.run(clip);
    if (texts_ || !torch::isfinite(given).all().item<bool>()) return;
    if (logits_ && looks_like_probabilities(given, nearly_one_))
      fail("{}: gives probabilities (about a made-up clip they sum to {:.4f}), and oracle.answers "
           "says logits; set oracle.answers: probabilities",
           place_, given.sum().item<double>());
    if (!logits_ && !looks_like_probabilities(given, nearly_one_))
      fail("{}: gives no probabilities (about a made-up clip its numbers lie in [{:.4g}, {:.4g}] "
           "and sum to {:.4g}); if these are logits, set oracle.answers: logits",
           place_, given.min().item<double>(), given.max().item<double>(),
           given.sum().item<double>());
  }

 private:
  torch::Tensor probabilities_of(const torch::Tensor& given) {
    const int64_t clips = given.size(0);
    if (texts_)
      return checked_answer(texts_->logits(given), true, clips, labels_, place_, &remark_);
    if (logits_)
      return checked_answer(in_order(given / temperature_, order_), true, clips, labels_, place_,
                            &remark_);
    const auto all = checked_answer(without_rounding(given, nearly_one_), false, clips,
                                    {network_.width(), *labels_.task}, place_, &remark_,
                                    "set oracle.answers: logits");
    if (order_.as_it_is) return all;
    const auto ours = in_order(all, order_).to(torch::kFloat64);
    const auto sums = ours.sum(1, /*keepdim=*/true);
    // Where all is on other classes it says nothing of those of the lists.
    const auto nothing = torch::full_like(ours, 1.0 / static_cast<double>(ours.size(1)));
    return torch::where(sums > 0, ours / sums, nothing).to(torch::kFloat32);
  }

  std::shared_ptr<void> kept_;  // owns network_
  ForeignNetwork& network_;
  bool logits_;
  double nearly_one_;
  double temperature_;
  std::string place_;
  LabelSpace labels_;
  ClassOrder order_;
  std::optional<ZeroShotHead> texts_;
  std::vector<std::string> remarks_;
  std::string remark_;
};

}  // namespace

NetworkTeacherFile::NetworkTeacherFile(NetworkTeacherOptions options)
    : state_(std::make_shared<State>(State{std::move(options), nullptr})) {}

NetworkTeacherFile::~NetworkTeacherFile() = default;

InputOptions NetworkTeacherFile::input() {
  const NetworkTeacherOptions& options = state_->options;
  const ForeignNetwork& network = state_->opened(state_);
  const int64_t takes = network.frames();
  int64_t frames = options.sampling.frames;
  if (frames == 0) frames = takes > 1 ? takes : kUsualFrames;
  if (takes > 1 && frames != takes)
    fail("{}: takes {} frames a clip, and oracle.sampling.frames = {}; leave it out",
         state_->place(), takes, frames);
  if (options.short_side_px > 0 && options.short_side_px < network.size_px())
    fail("{}: takes frames of {} px, and oracle.short_side_px = {}; raise it, or leave it out",
         state_->place(), network.size_px(), options.short_side_px);
  InputOptions input;
  input.sampling.rule = options.sampling.rule;
  input.sampling.frames = frames;
  input.sampling.stride = options.sampling.stride;
  input.size_px = network.size_px();
  input.short_side_px = options.short_side_px;
  input.deadline_s = options.deadline_s;
  return input;
}

std::unique_ptr<Teacher> NetworkTeacherFile::teacher(const Classes& classes, const Task& task,
                                                     Say say) {
  state_->listen(say);
  ForeignNetwork& network = state_->opened(state_);
  auto teacher = std::make_unique<NetworkTeacher>(state_, network, state_->options, state_->place(),
                                                  classes, task);
  const InputOptions seen = input();
  teacher->check(made_up_clip(seen.sampling.frames, seen.size_px));
  if (say) {
    for (const std::string& remark : teacher->remarks()) say(remark);
  }
  return teacher;
}

}  // namespace distal
