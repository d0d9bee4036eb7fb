// Active Mixup's Fashion-MNIST row: a LeNet-5 that answers with probabilities alone teaches a
// LeNet-5-Half from N = 2,000 real images and their mixes. Arms, all with the same first weights
// and real images for a seed:
//
//   teacher   LeNet-5 on all training labels; one for all seeds
//   labels    the true labels of the N real images
//   kd        the teacher's answers about them, nothing else: the student before the first round
//   random    and about mixes drawn by chance, at 10,000, 20,000 and 40,000 answers (those about
//   real images included) c1, c2    and about mixes chosen round by round by the student of the
//   round before (active/mixup.h) best      40,000 answers spent as well as we know: see Best
//
// Every student is trained from new weights, cross entropy with the answers at temperature 1
// (losses/black_box.cc), SGD with momentum 0.9 and weight decay 5e-4, batches of 128, images
// flipped and shifted at every step. Deviations from the published code: a cosine schedule by steps
// for 200 epochs in four phases; of the pairs `pairs` drawn ones are scored in a round; the last
// step counts, nothing is chosen on test images (the settings were, with --validate, on 5,000
// training images held out).

#include <atomic>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <thread>

#include <malloc.h>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "distal/active/mixup.h"
#include "distal/base/choice.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/hash.h"
#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/base/revision.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "distal/models/weights.h"
#include "distal/train/taught.h"
#include "images.h"
#include "lenet_confidence.h"
#include "lenet_training.h"
#include "mixup_evidence.h"
#include "mixup_memory.h"

namespace distal::reproduce {
namespace {

TrainingOptions lenet_training(int64_t steps, double learning_rate) {
  TrainingOptions training;
  training.steps = steps;
  training.batch_size = 128;
  training.learning_rate = learning_rate;
  training.warmup = 0.02;
  training.precision = "f32";
  return training;
}

// Random mixes of two images that were flipped and shifted before, over nearly all shares, learned
// for longer.
struct Best {
  TrainingOptions training = lenet_training(16'000, 0.1);
  double lambda_low = 0.1;
  double lambda_high = 0.9;
  bool flipped_mixes = true;
  int64_t padding = 1;
  void visit(OptionVisitor& v) const {
    v("training", training, "");
    v("lambda_low", lambda_low, "least share of a mix", between(0, 1));
    v("lambda_high", lambda_high, "largest share of a mix", between(0, 1));
    v("flipped_mixes", flipped_mixes, "flips and shifts both images before they are mixed");
    v("padding", padding, "pixels an image is shifted at most", between(0, 16));
  }
  bool operator==(const Best&) const = default;
};

struct Settings {
  int64_t real = 2000;
  int64_t pairs = 400'000;
  int64_t padding = 1;
  std::vector<int64_t> answers = {10'000, 20'000, 40'000};
  TrainingOptions teacher = lenet_training(8000, 0.05);
  TrainingOptions student = lenet_training(6000, 0.1);
  Best best;
  void visit(OptionVisitor& v) const {
    v("real", real, "real images, N", at_least(10));
    v("answers", answers, "answers of the teacher after each round, rising");
    v("pairs", pairs, "pairs scored in a round, drawn; 0: all", at_least(0));
    v("padding", padding, "pixels an image is shifted at most", between(0, 16));
    v("teacher", teacher, "");
    v("student", student, "");
    v("best", best, "");
  }
  bool operator==(const Settings&) const = default;
};

class Reproduction {
 public:
  Reproduction(Settings settings, const std::string& data, std::string out, bool validate,
               Progress& progress);
  void run(const std::vector<std::string>& arms, int64_t seeds, int64_t threads);
  std::vector<Row> rows() const;  // of these settings

 private:
  struct Task {
    std::string arm;
    uint64_t seed;
  };
  std::string settings_of(const std::string& arm) const;
  bool done(const Task& task) const;
  std::vector<Row> carry_out(const Task& task);
  void keep(const std::vector<Row>& rows);

  Net& teacher();
  Images real(uint64_t seed) const {
    return train_.rows(
        balanced_rows(train_.labels, settings_.real / kClasses, Random(seed).stream("real")));
  }
  Model trained(const std::string& width, const TrainingOptions& training, const Examples& examples,
                int64_t padding, Random random) const;
  Model kept_or_trained(const std::string& name, const std::function<Model()>& train) const;
  Model student(uint64_t seed, const Examples& examples) const {
    return trained("width: 0.5", settings_.student, examples, settings_.padding, Random(seed));
  }
  Model first_student(uint64_t seed);
  Examples ask(const torch::Tensor& pixels) { return answered(pixels, predict(teacher(), pixels)); }
  std::vector<Row> rounds(const std::string& criterion, uint64_t seed);
  std::vector<Row> best(uint64_t seed);

  Settings settings_;
  std::string out_;
  bool validate_;
  Progress& progress_;
  Images train_, test_;
  std::once_flag once_;
  Model teacher_;
  mutable std::mutex mutex_;  // of rows_ and their file
  std::vector<Row> rows_;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Examples joined(const Examples& a, const Examples& b) {
  return {torch::cat({a.pixels, b.pixels}), torch::cat({a.targets, b.targets}),
          torch::cat({a.teacher, b.teacher})};
}

// The mixes as they are stored and asked about: uint8 [M, 32, 32], rounded.
torch::Tensor mixed(const torch::Tensor& pixels, const std::vector<Mix>& mixes) {
  std::vector<torch::Tensor> parts;
  for (size_t at = 0; at < mixes.size(); at += 4096)
    parts.push_back(
        blend(pixels, {mixes.begin() + static_cast<int64_t>(at),
                       mixes.begin() + static_cast<int64_t>(std::min(at + 4096, mixes.size()))})
            .round_()
            .to(torch::kUInt8));
  return torch::cat(parts);
}

torch::Tensor flipped_mixes(const torch::Tensor& pixels, const std::vector<Mix>& mixes,
                            int64_t padding, const Random& random) {
  std::vector<int64_t> i, j;
  std::vector<float> lambdas;
  for (const Mix& mix : mixes) {
    i.push_back(mix.i);
    j.push_back(mix.j);
    lambdas.push_back(static_cast<float>(mix.lambda));
  }
  const auto a =
      augmented(pixels, torch::tensor(i, torch::kInt64), padding, random.stream("first"), 0);
  const auto b =
      augmented(pixels, torch::tensor(j, torch::kInt64), padding, random.stream("second"), 0);
  return stored(torch::lerp(b, a, torch::tensor(lambdas).view({-1, 1, 1})));
}

Confidence interruptible(Confidence confidence) {
  return [confidence = std::move(confidence)](const auto&... arguments) {
    check_interrupted();
    return confidence(arguments...);
  };
}

Reproduction::Reproduction(Settings settings, const std::string& data, std::string out,
                           bool validate, Progress& progress)
    : settings_(std::move(settings)),
      out_(std::move(out)),
      validate_(validate),
      progress_(progress),
      train_(read_images(data, "train")) {
  if (validate_) {
    const auto held_out = balanced_rows(train_.labels, 500, Random(0).stream("held out"));
    auto kept = torch::ones({train_.size()}, torch::kBool);
    kept.index_fill_(0, held_out, false);
    test_ = train_.rows(held_out);
    train_ = train_.rows(kept.nonzero().flatten());
  } else {
    test_ = read_images(data, "t10k");
  }
  const std::string known = read_if_there(out_ + "/rows.json");
  if (known.empty()) return;
  for (const auto& row : nlohmann::json::parse(known)) rows_.push_back(row_from(row));
}

// What decides an arm's numbers, hashed: results of other settings or of another program may stand
// in the same folder.
std::string Reproduction::settings_of(const std::string& arm) const {
  Settings copy = settings_;
  const bool taught = arm != "labels";
  const bool mixes = taught && arm != "kd";
  const bool chosen = arm == "c1" || arm == "c2";
  std::string all = fmt::format("{} {}", revision(), validate_);
  if (taught) all += resolved(copy.teacher);
  if (arm == "teacher")
    all += fmt::format("padding {}", copy.padding);
  else if (arm == "best")
    all += resolved(copy.best) + fmt::format("real {} answers {} padding {}", copy.real,
                                             copy.answers.back(), copy.padding);
  else
    all += resolved(copy.student) + fmt::format("real {} padding {}", copy.real, copy.padding);
  if (mixes && arm != "best" && arm != "teacher")
    all += fmt::format("answers {}", fmt::join(copy.answers, ","));
  if (chosen) all += fmt::format("pairs {}", copy.pairs);
  return fmt::format("{:016x}", fnv1a(all));
}

std::vector<Row> Reproduction::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  for (const Row& row : rows_) {
    if (row.settings == settings_of(row.arm)) rows.push_back(row);
  }
  return rows;
}

bool Reproduction::done(const Task& task) const {
  const auto known = rows();
  return std::any_of(known.begin(), known.end(),
                     [&](const Row& row) { return row.arm == task.arm && row.seed == task.seed; });
}

void Reproduction::keep(const std::vector<Row>& rows) {
  const std::lock_guard lock(mutex_);
  rows_.insert(rows_.end(), rows.begin(), rows.end());
  auto json = nlohmann::ordered_json::array();
  for (const Row& row : rows_) json.push_back(to_json(row));
  write_atomically(out_ + "/rows.json", json.dump(1) + "\n");
}

// A task a thread, each with one thread inside, so that the numbers do not depend on how many run.
void Reproduction::run(const std::vector<std::string>& arms, int64_t seeds, int64_t threads) {
  std::vector<Task> tasks;
  for (const std::string& arm : kArms) {
    if (std::find(arms.begin(), arms.end(), arm) == arms.end()) continue;
    for (uint64_t seed = 1; seed <= static_cast<uint64_t>(arm == "teacher" ? 1 : seeds); ++seed) {
      if (!done({arm, seed})) tasks.push_back({arm, seed});
    }
  }
  at::set_num_threads(1);
  std::atomic<size_t> next = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (size_t task = next++; task < tasks.size(); task = next++) keep(carry_out(tasks[task]));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure) failure = std::current_exception();
      next = tasks.size();
    }
  };
  std::vector<std::thread> workers;
  for (int64_t worker = 0; worker < threads; ++worker) workers.emplace_back(work);
  for (auto& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
}

std::vector<Row> Reproduction::carry_out(const Task& task) {
  const auto& [arm, seed] = task;
  const auto began = std::chrono::steady_clock::now();
  std::vector<Row> rows;
  if (arm == "teacher") rows = {{.accuracy = accuracy(teacher(), test_)}};
  if (arm == "labels") rows = {{.accuracy = accuracy(*student(seed, labelled(real(seed))), test_)}};
  if (arm == "kd")
    rows = {{.answers = settings_.real, .accuracy = accuracy(*first_student(seed), test_)}};
  if (arm == "random" || arm == "c1" || arm == "c2") rows = rounds(arm, seed);
  if (arm == "best") rows = best(seed);
  for (Row& row : rows) {
    row.arm = arm;
    row.seed = seed;
    row.settings = settings_of(arm);
    if (row.seconds == 0) row.seconds = seconds_since(began);
    progress_.say(fmt::format("{} seed {} with {} answers: {:.2f} %, {:.0f} s", arm, seed,
                              row.answers, row.accuracy, row.seconds));
  }
  return rows;
}

Model Reproduction::trained(const std::string& width, const TrainingOptions& training,
                            const Examples& examples, int64_t padding, Random random) const {
  const Model net = make<Backbone>("lenet5", width)->build(kClasses, random.stream("weights"));
  TrainingOptions fitted = training;
  fitted.steps = training.steps_for(examples.pixels.size(0));
  const bool taught = !examples.teacher.isnan().all().item<bool>();
  std::unique_ptr<Objective> objective;
  if (taught)
    objective = std::make_unique<Taught>(make<DistillLoss>("black_box"));
  else
    objective = std::make_unique<Supervised>(training.label_smoothing);
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  LenetTraining quick(net);
  fit(quick, fitted, *objective,
      stream_of(examples, fitted.batch_size, padding, random.stream("batches")),
      random.stream("fit"), "", quiet);
  return net;
}

Model Reproduction::kept_or_trained(const std::string& name,
                                    const std::function<Model()>& train) const {
  const std::string path = fmt::format("{}/{}.safetensors", out_, name);
  if (!std::filesystem::exists(path)) {
    const Model net = train();
    save_safetensors(path, state(*net));
    return net;
  }
  const Model net = make<Backbone>("lenet5", name.starts_with("teacher") ? "" : "width: 0.5")
                        ->build(kClasses, Random(0));
  load_into(*net, load_safetensors(path));
  net->eval();
  return net;
}

Net& Reproduction::teacher() {
  std::call_once(once_, [&] {
    teacher_ = kept_or_trained("teacher-" + settings_of("teacher"), [&] {
      return trained("", settings_.teacher, labelled(train_), settings_.padding, Random(0));
    });
  });
  return *teacher_;
}

Model Reproduction::first_student(uint64_t seed) {
  return kept_or_trained(fmt::format("kd-{}-{}", seed, settings_of("kd")),
                         [&] { return student(seed, ask(real(seed).pixels)); });
}

std::vector<Row> Reproduction::rounds(const std::string& criterion, uint64_t seed) {
  const torch::Tensor pixels = real(seed).pixels;
  MixupOptions options;
  options.criterion = criterion;
  options.pairs = settings_.pairs;
  MixPool pool(pixels.size(0), options);
  Examples known = ask(pixels);
  Model net = criterion == "random" ? nullptr : first_student(seed);
  std::vector<Row> rows;
  int64_t forwards = 0;
  for (const int64_t answers : settings_.answers) {
    const auto began = std::chrono::steady_clock::now();
    const Confidence confidence =
        net && criterion != "random" ? interruptible(LenetConfidence(*net, pixels)) : nullptr;
    const auto selection =
        pool.select(confidence, answers - known.pixels.size(0),
                    Random(seed).stream("select", static_cast<uint64_t>(answers)));
    pool.exclude(selection.mixes);
    known = joined(known, ask(mixed(pixels, selection.mixes)));
    net = student(seed, known);
    rows.push_back({.answers = answers,
                    .accuracy = accuracy(*net, test_),
                    .forwards = forwards += selection.forwards,
                    .seconds = seconds_since(began)});
  }
  return rows;
}

std::vector<Row> Reproduction::best(uint64_t seed) {
  const Best& best = settings_.best;
  const torch::Tensor pixels = real(seed).pixels;
  MixupOptions options;
  options.criterion = "random";
  options.lambda_low = best.lambda_low;

  options.lambda_high = best.lambda_high;
  const int64_t answers = settings_.answers.back();
  const auto mixes = MixPool(pixels.size(0), options)
                         .select(nullptr, answers - pixels.size(0), Random(seed).stream("select"))
                         .mixes;
  const auto images = best.flipped_mixes
                          ? flipped_mixes(pixels, mixes, best.padding, Random(seed).stream("mixes"))
                          : mixed(pixels, mixes);
  const Model net = trained("width: 0.5", best.training, joined(ask(pixels), ask(images)),
                            best.padding, Random(seed));
  return {{.answers = answers, .accuracy = accuracy(*net, test_)}};
}

void require(const Settings& settings, int64_t images) {
  if (settings.real % kClasses != 0 || settings.real > images / 2)
    throw UsageError(fmt::format("settings: real = {}; give a multiple of {} up to {}",
                                 settings.real, kClasses, images / 2));
  int64_t before = settings.real;
  for (const int64_t answers : settings.answers) {
    if (answers <= before)
      throw UsageError(
          fmt::format("settings: answers = [{}]; they rise, and begin above the {} real images",
                      fmt::join(settings.answers, ", "), settings.real));
    before = answers;
  }
  const int64_t mixes = MixPool(settings.real, MixupOptions()).pairs();
  if (before - settings.real > mixes)
    throw UsageError(
        fmt::format("settings: answers = [{}]; {} real images give at most {} mixes, one a pair",
                    fmt::join(settings.answers, ", "), settings.real, mixes));
  if (settings.answers.empty())
    throw UsageError("settings: answers is empty; give at least one number");
}

struct Arguments {
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string out = "active_mixup";
  std::string json;
  std::vector<std::string> arms = kArms, sets;
  int64_t seeds = 5;
  int64_t threads = 2;
  bool validate = false;
  bool memory = false;
  double fraction = 1;
};

void run_program(const Arguments& arguments) {
  Settings settings;
  std::vector<Override> overrides;
  for (const auto& text : arguments.sets) overrides.push_back(Override::parse(text));
  Document::text("{}", "settings").with(overrides).read(settings);
  require(settings, 50'000);
  if (arguments.memory) {
    at::set_num_threads(static_cast<int>(arguments.threads));
    return measure_memory(read_images(arguments.data, "train"),
                          {settings.real, arguments.fraction});
  }
  make_folder(arguments.out);
  const FileLock lock(arguments.out + "/.lock", arguments.out,
                      "wait for it, or give another --out");
  ConsoleProgress progress;
  Reproduction reproduction(settings, arguments.data, arguments.out, arguments.validate, progress);
  reproduction.run(arguments.arms, arguments.seeds, arguments.threads);
  const Evidence shown =
      evidence(reproduction.rows(), settings.real == 2000 && !arguments.validate);
  if (arguments.validate) fmt::print("on 5,000 training images held out, not on test images\n");
  fmt::print("{}", text(shown));
  if (arguments.json.empty()) return;
  auto json = to_json(shown);
  json["revision"] = revision();
  json["test"] = arguments.validate ? "held-out training images" : "test images";
  json["settings"] = resolved(settings);
  write_atomically(arguments.json, json.dump(2) + "\n");
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("--data", arguments.data, "folder of the four idx files")->capture_default_str();
  app.add_option("--out", arguments.out, "folder of results and weights; a second call continues")
      ->capture_default_str();
  app.add_option("--arms", arguments.arms, "which arms")
      ->delimiter(',')
      ->check(CLI::IsMember(kArms))
      ->capture_default_str();
  app.add_option("--seeds", arguments.seeds, "paired seeds, 1 to this")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "trainings side by side")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--set", arguments.sets, "key=value over the settings below; may be repeated")
      ->take_all()
      ->delimiter('\0');
  app.add_option("--json", arguments.json, "the evidence as a JSON file");
  app.add_flag(
      "--validate", arguments.validate,
      "measure on 5,000 training images held out from teacher and student: for choosing settings");
  app.add_flag("--memory", arguments.memory, "measure memory and rate of the scoring instead");
  app.add_option("--fraction", arguments.fraction, "with --memory: share of the pairs")
      ->check(CLI::Range(1e-6, 1.0))
      ->capture_default_str();
  Settings defaults;
  app.footer("Settings:\n" + help_text([&](OptionVisitor& v) { defaults.visit(v); }));
}

}  // namespace
}  // namespace distal::reproduce

int main(int argc, char** argv) {
  using namespace distal;
  mallopt(
      M_MMAP_MAX,
      0);  // as in cli/program.cc: a training step takes and frees the same blocks again and again
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  catch_signals();
  CLI::App app("Active Mixup on Fashion-MNIST: LeNet-5 teaches LeNet-5-Half from 2,000 real images",
               "reproduce_active_mixup");
  reproduce::Arguments arguments;
  reproduce::add_options(app, arguments);
  try {
    app.parse(argc, argv);
    reproduce::run_program(arguments);
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "reproduce_active_mixup: {}\n", error.what());
    return 2;
  } catch (const Interrupted& stop) {
    fmt::print(stderr, "reproduce_active_mixup: {}; the same command continues\n", stop.what());
    return 128 + stop.signal;
  } catch (const UsageError& error) {
    fmt::print(stderr, "reproduce_active_mixup: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "reproduce_active_mixup: {}\n", error.what());
    return 1;
  }
}
