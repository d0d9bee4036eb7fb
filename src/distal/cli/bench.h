#pragma once
// What the subcommands of `distal bench` share: the clips of a list, the network they meet, timing.

#include <optional>
#include <string>
#include <vector>

#include "distal/cli/command.h"
#include "distal/data/batches.h"
#include "distal/infer/quantise.h"
#include "distal/models/model_options.h"
#include "distal/train/fit.h"

namespace distal {

class OptionVisitor;

struct BenchRecipe {
  ListOptions list;
  InputOptions input;
  ModelOptions model;
  TrainingOptions training;
  QuantiseOptions int8;
  void visit(OptionVisitor& v) const;
  bool operator==(const BenchRecipe&) const = default;
};

struct BenchArguments {
  std::string data;
  std::vector<std::string> sets;
  int64_t clips = 64;
  int64_t batch = 8;
  int64_t threads = 0;
  int64_t repeats = 3;
  bool json = false;
  void add_to(CLI::App& command);
};

/// ResNet3D on clips of 16 x 112 x 112, batches of 8, unless --set says otherwise; the first
/// `clips` rows of DATA/list.csv. Sets the number of threads. Throws Error: no row.
struct BenchClips {
  BenchRecipe recipe;
  std::optional<ClipReader> reader;
  std::vector<Clip> clips;
  Classes classes;  // of the whole list
  explicit BenchClips(const BenchArguments& arguments);
};

double median(std::vector<double> values);

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void add_bench_decode(CLI::App& bench);
void add_bench_score(CLI::App& bench);
void add_bench_train(CLI::App& bench);

}  // namespace distal
