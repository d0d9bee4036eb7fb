#include "distal/networks/program_worker.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"

extern char** environ;

namespace distal {

namespace {

/// Goes before each message between the two processes; `bytes` follow it: a text, float32 clips or
/// float64 answers.
struct Header {
  enum Kind : uint32_t { ready = 1, failure, clips, answer };
  uint32_t kind = 0;
  uint32_t threads = 0;
  uint64_t dimensions = 0;
  std::array<int64_t, 8> sizes = {};
  int64_t bytes = 0;

  Header() = default;
  Header(Kind kind, const torch::Tensor& tensor)
      : kind(kind),
        dimensions(static_cast<uint64_t>(tensor.dim())),
        bytes(static_cast<int64_t>(tensor.nbytes())) {
    expect(tensor.dim() <= std::ssize(sizes), "a message holds tensors of up to 8 dimensions");
    std::copy(tensor.sizes().begin(), tensor.sizes().end(), sizes.begin());
  }
  std::vector<int64_t> shape() const {
    return {sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(dimensions)};
  }
};

// PARENT BYTES MODEL-OF-A-PT2 FOLDER LEAST-BATCH BYTES? OUTPUT
constexpr std::array<const char*, 2> kWorkerNames = {"distal-torchscript-worker",
                                                     "distal-pt2-worker"};
constexpr int kWorkerWords = 8;
constexpr const char* kCannotTake = "cannot take clips of shape ";
constexpr int kSocket = 3;
constexpr int kFile = 4;
constexpr int kFirstFree = 5;
constexpr int64_t kMostText = 1000;
constexpr size_t kMostPrinted = 1000;
constexpr int64_t kMemoryBesidesFile = int64_t{4} << 30;
constexpr int64_t kMemoryOfFile = 4;
constexpr double kLongestLoad_s = 60;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// ---- the child

bool write_whole(const void* data, size_t bytes) {
  for (auto at = static_cast<const char*>(data); bytes > 0;) {
    const ssize_t wrote = ::send(kSocket, at, bytes, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    at += wrote;
    bytes -= static_cast<size_t>(wrote);
  }
  return true;
}

bool read_whole(void* data, size_t bytes) {
  for (auto at = static_cast<char*>(data); bytes > 0;) {
    const ssize_t got = ::recv(kSocket, at, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

void limit(decltype(RLIMIT_CORE) what, rlim_t most) {
  const rlimit both{most, most};
  ::setrlimit(what, &both);
}

void contain(int64_t file_bytes) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  std::signal(SIGXFSZ, SIG_IGN);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // whose shadow memory counts
  limit(RLIMIT_DATA, static_cast<rlim_t>(kMemoryBesidesFile + kMemoryOfFile * file_bytes));
#endif
  const int score =
      ::open("/proc/self/oom_score_adj",
             O_WRONLY | O_CLOEXEC);  // where memory runs out, this goes, not its parent
  if (score < 0) return;
  if (::write(score, "1000", 4) < 0) limit(RLIMIT_CORE, 0);  // not allowed: then not
  ::close(score);
}

// Whoever closes the other end, by dying too, ends this process, whatever it is at.
void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) std::_Exit(1);
  std::thread([] {
    pollfd line{kSocket, POLLRDHUP, 0};
    while (::poll(&line, 1, -1) < 0 || line.revents == 0) {
    }
    std::_Exit(1);
  }).detach();
}

std::string last_line(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  const size_t at = text.rfind('\n');
  return text.substr(at == std::string::npos ? 0 : at + 1, kMostText);
}

std::string in_a_line(const std::string& text) {
  if (text.find("allocate memory") != std::string::npos)
    return "it wants more memory than it may have";
  const std::string line = last_line(text);
  return line.empty() ? "it fails without a word" : line;
}

/// What `work` throws, as the line a person needs of it; empty where it throws nothing.
template <class Work>
std::string complaint_of(Work work) {
  try {
    work();
    return "";
  } catch (const std::bad_alloc&) {
    return "it wants more memory than it may have";
  } catch (const c10::Error& error) {
    return in_a_line(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return in_a_line(error.what());
  }
}

// LibTorch's own words about a damaged file help nobody, but which operator is missing does.
std::string load_module(torch::jit::Module& module) {
  std::string missing;
  const std::string complaint = complaint_of([&] {
    try {
      module = torch::jit::load(fmt::format("/proc/self/fd/{}", kFile), torch::kCPU);
      module.eval();
    } catch (const std::exception& error) {
      const std::string text = error.what();
      const std::string mark = "Unknown builtin op: ";
      if (const size_t at = text.find(mark); at != std::string::npos)
        missing = text.substr(at + mark.size(),
                              std::min(text.find('\n', at), text.size()) - at - mark.size());
      throw;
    }
  });
  if (complaint.empty()) return "";
  if (!missing.empty())
    return fmt::format(
        "cannot be loaded: it calls {}, which this LibTorch does not have; export it without that",
        missing);
  if (complaint.starts_with("it wants more memory"))
    return "cannot be loaded: " + complaint + "; the file is damaged or harmful";
  return "cannot be loaded: it is damaged, cut off or written for another LibTorch; write it again "
         "with torch.jit.trace(model, clips).save(path)";
}

/// What computes in the child.
struct ChildProgram {
  std::string model, folder;  // of a .pt2
  int64_t least = 1;          // rows of a call
  bool as_bytes = false;      // uint8 in
  std::string output;         // position in what it returns, or key
  torch::jit::Module module = {};
  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package = {};

  std::string load();
  torch::Tensor forward(const torch::Tensor& clip);
};

std::string ChildProgram::load() {
  if (folder.empty()) return load_module(module);
  ::setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", 1);  // else a wrong shape reads beyond the input
  const std::string complaint = complaint_of(
      [&] { package = std::make_unique<torch::inductor::AOTIModelPackageLoader>(folder, model); });
  if (complaint.empty()) return "";
  return "cannot be loaded: it is damaged, or compiled for another processor, system or LibTorch; "
         "compile it again here with torch._inductor.aoti_compile_and_package";
}

torch::Tensor chosen(const std::vector<torch::jit::IValue>& values, const std::string& output) {
  size_t at = 0;
  if (!output.empty() && output.find_first_not_of("0123456789") == std::string::npos)
    at = static_cast<size_t>(std::atoll(output.c_str()));
  else if (!output.empty())
    fail("it returns {} values without names, none called {}; name one by its position, from 0",
         values.size(), output);
  if (at >= values.size()) fail("it returns {} values, none at position {}", values.size(), at);
  if (!values[at].isTensor())
    fail("it returns {} instead of a tensor; return [N, K] from forward", values[at].tagKind());
  return values[at].toTensor();
}

torch::Tensor chosen(const c10::Dict<torch::jit::IValue, torch::jit::IValue>& named,
                     const std::string& output) {
  std::vector<std::string> names;
  for (const auto& entry : named) {
    if (!entry.key().isString()) continue;
    names.push_back(entry.key().toStringRef());
    if (names.back() == output && entry.value().isTensor()) return entry.value().toTensor();
  }
  fail("it returns the values {}; name the one to take", fmt::join(names, ", "));
}

torch::Tensor ChildProgram::forward(const torch::Tensor& clip) {
  torch::Tensor in = as_bytes ? clip.to(torch::kUInt8) : clip;
  if (least > 1) {
    auto sizes = in.sizes().vec();
    sizes[0] = least;
    in = in.expand(sizes).contiguous();
  }
  torch::Tensor out;
  if (package) {
    const auto tensors = package->run({in});
    out = chosen({tensors.begin(), tensors.end()}, output);
  } else {
    torch::jit::IValue value = module.forward({in});
    if (value.isTuple())
      out = chosen(value.toTupleRef().elements().vec(), output);
    else if (value.isGenericDict())
      out = chosen(value.toGenericDict(), output);
    else
      out = chosen({value}, output);
  }
  return least > 1 && out.dim() > 0 ? out.narrow(0, 0, 1) : out;
}

bool send_back(const Header& header, const void* data) {
  return write_whole(&header, sizeof header) &&
         write_whole(data, static_cast<size_t>(header.bytes));
}

bool send_back(const std::string& complaint) {
  Header header;
  header.kind = complaint.empty() ? Header::ready : Header::failure;
  header.bytes = std::ssize(complaint);
  return send_back(header, complaint.data());
}

torch::Tensor answers_of(ChildProgram& program, const torch::Tensor& clips) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> answers;  // clip by clip, so that none depends on its company
  for (const auto& clip : clips.split(1)) {
    answers.push_back(program.forward(clip));
    if (answers.back().dim() < 1 || answers.back().dim() > 8 ||
        answers.back().sizes().slice(1) != answers[0].sizes().slice(1))
      fail("it returns shape {} for a clip; return [N, K] from forward",
           fmt::join(answers.back().sizes(), "x"));
  }
  return torch::cat(answers).to(torch::kCPU, torch::kFloat64).contiguous();
}

int serve_parent(pid_t parent, int64_t file_bytes, ChildProgram program) {
  ::close_range(kFirstFree, ~0U, 0);
  end_with_parent(parent);
  contain(file_bytes);
  const std::string complaint = program.load();
  if (!send_back(complaint) || !complaint.empty()) return 1;
  Header request;
  while (read_whole(&request, sizeof request)) {
    if (static_cast<int>(request.threads) != at::get_num_threads())
      at::set_num_threads(static_cast<int>(request.threads));
    torch::Tensor clips = torch::empty(request.shape()), answers;
    if (!read_whole(clips.data_ptr(), static_cast<size_t>(request.bytes))) return 1;
    std::string trouble = complaint_of([&] { answers = answers_of(program, clips); });
    if (!trouble.empty())
      trouble = fmt::format("{}{}: {}", kCannotTake, fmt::join(clips.narrow(0, 0, 1).sizes(), "x"),
                            trouble)
                    .substr(0, kMostText);
    std::cout.flush();
    std::fflush(nullptr);
    if (!(trouble.empty() ? send_back(Header(Header::answer, answers), answers.const_data_ptr())
                          : send_back(trouble)))
      return 1;
  }
  return 0;
}

__attribute__((constructor)) void serve_instead_of_main(int count, char** words, char**) {
  if (count != kWorkerWords || std::find(kWorkerNames.begin(), kWorkerNames.end(),
                                         std::string_view(words[0])) == kWorkerNames.end())
    return;
  std::_Exit(
      serve_parent(std::atoi(words[1]), std::atoll(words[2]),
                   {words[3], words[4], std::atoll(words[5]), words[6][0] == '1', words[7]}));
}

// ---- the parent

/// What tunes the libraries and says where they are; no secrets. OMP_DYNAMIC makes oneDNN wait for
/// ever.
std::vector<std::string> environment_of_worker() {
  std::vector<std::string> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto begins = [&](const char* prefix) { return text.starts_with(prefix); };
    const std::array prefixes = {"LD_",   "OMP_",    "GOMP_", "KMP_",     "MKL_",
                                 "DNNL_", "ONEDNN_", "ATEN_", "PYTORCH_", "ASAN_",
                                 "TSAN_", "UBSAN_",  "LANG",  "LC_"};
    if (std::any_of(prefixes.begin(), prefixes.end(), begins) && !begins("OMP_DYNAMIC="))
      kept.emplace_back(text);
  }
  return kept;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Above the descriptors that the worker's get, so that none is overwritten before it is handed
/// over.
int moved_up(int file) {
  const int moved = ::fcntl(file, F_DUPFD_CLOEXEC, 64);
  ::close(file);
  return moved;
}

}  // namespace

bool hear_prints(int output, std::string& heard) {
  constexpr int kMostReads = 16;  // all that a pipe holds
  char text[4096];
  ssize_t got = 1;
  for (int reads = 0; reads < kMostReads && (got = ::read(output, text, sizeof text)) > 0;
       ++reads) {
    heard.append(text, static_cast<size_t>(got));
    heard.resize(std::min(heard.size(), kMostPrinted));
  }
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/// Closes its descriptor.
class WorkerFile {
 public:
  explicit WorkerFile(int file = -1) : file_(file) {}
  ~WorkerFile() { close(); }
  WorkerFile(const WorkerFile&) = delete;
  void set(int file) {
    close();
    file_ = file;
  }
  void close() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
  }
  operator int() const { return file_; }

 private:
  int file_;
};

struct ProgramWorker::Process {
  ProgramOptions options;
  std::string prints = {};
  std::string doing = {};
  double until_s = 0;    // when, on the clock, this exchange must be over
  double allowed_s = 0;  // how long it may take
  pid_t id = -1;
  WorkerFile socket, output;

  explicit Process(ProgramOptions options) : options(std::move(options)) {}
  ~Process() { end(); }

  void start(int file, int64_t bytes) {
    int line[2], print[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0)
      fail("{}: no process can be started ({}); end some programs", options.place,
           std::strerror(errno));
    socket.set(line[0]);
    const WorkerFile theirs(moved_up(line[1]));
    if (::pipe2(print, O_CLOEXEC | O_NONBLOCK) != 0)
      fail("{}: no process can be started ({}); end some programs", options.place,
           std::strerror(errno));
    output.set(print[0]);
    const WorkerFile their_output(moved_up(print[1]));
    const WorkerFile their_file(::fcntl(file, F_DUPFD_CLOEXEC, 64));
    ::fcntl(socket, F_SETFL, O_NONBLOCK);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    const std::array<std::pair<int, int>, 4> handed = {{{their_output, STDOUT_FILENO},
                                                        {their_output, STDERR_FILENO},
                                                        {theirs, kSocket},
                                                        {their_file, kFile}}};
    for (const auto& [from, to] : handed) posix_spawn_file_actions_adddup2(&files, from, to);
    posix_spawnattr_t
        attributes;  // a group of its own: Ctrl-C is for this process, which ends the other
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    std::vector<std::string> words = {kWorkerNames[options.folder.empty() ? 0 : 1],
                                      std::to_string(::getpid()),
                                      std::to_string(bytes),
                                      options.model,
                                      options.folder,
                                      std::to_string(options.least_batch),
                                      options.as_bytes ? "1" : "0",
                                      options.output};
    std::vector<std::string> tuning = environment_of_worker();
    const int failed = ::posix_spawn(&id, "/proc/self/exe", &files, &attributes,
                                     pointers_to(words).data(), pointers_to(tuning).data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (failed) {
      id = -1;
      fail("{}: no process can be started ({}); end some programs", options.place,
           std::strerror(failed));
    }
  }

  void begin(const std::string& what, double seconds) {
    doing = what;
    allowed_s = seconds;
    until_s = now_s() + seconds;
  }

  /// Moves all bytes one way or the other, and what is printed meanwhile.
  void move(void* data, size_t bytes, bool out) {
    for (auto at = static_cast<char*>(data); bytes > 0;) {
      wait_for(out ? POLLOUT : POLLIN);
      const ssize_t moved =
          out ? ::send(socket, at, bytes, MSG_NOSIGNAL) : ::recv(socket, at, bytes, 0);
      if (moved < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (moved <= 0) lost();
      at += moved;
      bytes -= static_cast<size_t>(moved);
    }
  }

  [[noreturn]] void lost() {
    const std::string how = how_it_ended();
    fail("{}: {} {}; the file is damaged, harmful, or too large for this machine{}", options.place,
         how, doing, words());
  }

  void wait_for(short what) {
    for (;;) {
      pollfd files[2] = {{socket, what, 0}, {output, POLLIN, 0}};
      ::poll(files, output >= 0 ? 2 : 1, 50);
      if (output >= 0 && files[1].revents != 0) listen();
      end_if_interrupted();
      if (files[0].revents != 0) return;
      if (now_s() < until_s) continue;
      end();
      fail("{}: its process was stopped {} because that took more than {:g} s; {}{}", options.place,
           doing, allowed_s, options.time_cure, words());
    }
  }

  void end_if_interrupted() {
    try {
      check_interrupted();
    } catch (const Interrupted&) {
      end();
      throw;
    }
  }

  void listen() {
    if (!hear_prints(output, prints)) output.close();
  }

  std::string words() const {
    return prints.empty() ? "" : fmt::format("; it printed '{}'", excerpt(prints));
  }

  /// The answer's header, what follows it still to come.
  Header receive_header(int64_t most_bytes) {
    Header header;
    move(&header, sizeof header, /*out=*/false);
    const bool text = header.kind == Header::failure;
    if (header.kind < Header::ready || header.kind > Header::answer ||
        header.dimensions > header.sizes.size())
      refuse_nonsense();
    if (header.bytes < 0 || header.bytes > (text ? kMostText : most_bytes)) refuse_nonsense();
    if (!text) return header;
    std::string complaint(static_cast<size_t>(header.bytes), ' ');
    move(complaint.data(), complaint.size(), /*out=*/false);
    end();
    if (complaint.starts_with(kCannotTake)) complaint += "; " + options.shape_cure;
    fail("{}: {}{}", options.place, excerpt(complaint, 500), words());
  }

  [[noreturn]] void refuse_nonsense() {
    end();
    fail("{}: answers nonsense, or far more numbers than classes, {}; look at what the file "
         "computes",
         options.place, doing);
  }

  std::string how_it_ended() {
    int status = 0;
    bool known = false;
    for (const double until = now_s() + 2; !known && now_s() < until;
         std::this_thread::sleep_for(std::chrono::milliseconds(5)))
      known = ::waitpid(id, &status, WNOHANG) == id;
    if (known) id = -1;
    if (output >= 0) listen();
    end_if_interrupted();
    end();
    if (known && WIFSIGNALED(status)) {
      const char* name = ::sigabbrev_np(WTERMSIG(status));
      return fmt::format("its process was ended by signal {}{}", WTERMSIG(status),
                         name == nullptr ? "" : fmt::format(" (SIG{})", name));
    }
    return "its process ended";
  }

  void end() {
    if (id > 0) {
      ::kill(id, SIGKILL);
      ::waitpid(id, nullptr, 0);
    }
    id = -1;
    socket.close();
    output.close();
  }
};

ProgramWorker::ProgramWorker(int file, int64_t bytes, ProgramOptions options)
    : process_(std::make_unique<Process>(std::move(options))) {
  Process& process = *process_;
  process.start(file, bytes);
  process.begin("while loading the file", std::max(kLongestLoad_s, process.options.timeout_s));
  process.receive_header(0);
}

ProgramWorker::~ProgramWorker() = default;

torch::Tensor ProgramWorker::run(const torch::Tensor& clips, int64_t most_values) {
  Process& process = *process_;
  const torch::Tensor sent = clips.to(torch::kCPU, torch::kFloat32).contiguous();
  process.begin(
      fmt::format("with {} clips of shape {}", sent.size(0), fmt::join(sent.sizes().slice(1), "x")),
      process.options.timeout_s);
  Header request(Header::clips, sent);
  request.threads = static_cast<uint32_t>(at::get_num_threads());
  process.move(&request, sizeof request, /*out=*/true);
  process.move(const_cast<void*>(sent.const_data_ptr()), sent.nbytes(), /*out=*/true);
  const Header header = process.receive_header(most_values * static_cast<int64_t>(sizeof(double)));
  double values = 1;
  for (const int64_t size : header.shape())
    values *= size < 0 ? std::nan("") : static_cast<double>(size);
  if (header.kind != Header::answer || values * sizeof(double) != static_cast<double>(header.bytes))
    process.refuse_nonsense();
  torch::Tensor answers = torch::empty(header.shape(), torch::kFloat64);
  process.move(answers.data_ptr(), answers.nbytes(), /*out=*/false);
  return answers;
}

bool ProgramWorker::alive() {
  if (process_->id <= 0) return false;
  if (::waitpid(process_->id, nullptr, WNOHANG) == 0) return true;
  process_->id = -1;
  process_->end();
  return false;
}

std::string ProgramWorker::take_prints() {
  if (process_->output >= 0) process_->listen();
  return std::exchange(process_->prints, "");
}

}  // namespace distal
