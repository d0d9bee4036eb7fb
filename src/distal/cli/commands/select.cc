#include <sstream>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/active/kernels.h"
#include "distal/active/strategy.h"
#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/npy.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/cli/command.h"
#include "distal/cli/output.h"

namespace distal {
namespace {

struct SelectArguments {
  std::string strategy = "random", out;
  std::vector<std::string> sets;
  std::string logits, probabilities, embeddings, labelled, labelled_logits, labelled_targets,
      passes, teacher, head, durations, starts, videos;
  int64_t count = -1;
  int64_t pool = -1;
  int64_t seed = 1;
  int64_t threads = 0;
  double seconds = -1;
  bool json = false;
};

// What a recipe says of a selection, under the same names.
struct SelectRecipe {
  Choice<Strategy> strategy{"random"};
  SelectionOptions selection;
  void visit(OptionVisitor& v) const {
    v("strategy", strategy, "which clips to ask about");
    v("selection", selection, "limits around the strategy");
  }
  bool operator==(const SelectRecipe&) const = default;
};

torch::Tensor read_array(const char* flag, const std::string& path, int64_t dimensions) {
  if (path.empty()) return {};
  const torch::Tensor array = map_npy(path);
  if (array.dim() != dimensions)
    fail("{} {}: has shape ({}), {} dimensions are wanted; distal select --help says which", flag,
         path, fmt::join(array.sizes(), ", "), dimensions);
  return array.is_floating_point() && array.scalar_type() != torch::kFloat16
             ? array
             : array.to(torch::kFloat32);
}

std::vector<Interned> read_names(const std::string& path) {
  std::vector<Interned> names;
  if (path.empty()) return names;
  std::istringstream file(read_file(path));
  for (std::string line; std::getline(file, line);) names.push_back(line);
  return names;
}

// Every array speaks of the same clips, in the same order.
class Rows {
 public:
  void of(const char* flag, int64_t rows) {
    if (flag_.empty()) {
      flag_ = flag;
      rows_ = rows;
    }
    if (rows != rows_)
      throw UsageError(fmt::format(
          "{} has {} rows and {} has {}; both must speak of the same clips, in one order", flag_,
          rows_, flag, rows));
  }
  void of(const char* flag, const torch::Tensor& array, int64_t dimension = 0) {
    if (array.defined()) of(flag, array.size(dimension));
  }
  int64_t count() const { return flag_.empty() ? -1 : rows_; }

 private:
  std::string flag_;  // the first that told the number
  int64_t rows_ = -1;
};

// What is wrong with a row of probabilities, and the cure; empty: nothing. The tolerance allows for
// two digits and for bfloat16.
std::string not_probabilities(const torch::Tensor& row, const std::string& flag) {
  constexpr double kTolerance = 0.01;
  const auto values = row.to(torch::kFloat64);
  const char* of_logits = flag == "--probabilities"
                              ? "if these are logits, give them as --logits"
                              : "if these are logits, apply a softmax to them";
  const double least = values.min().item<double>();
  const double sum = values.sum().item<double>();
  if (!torch::isfinite(values).all().item<bool>())
    return "holds NaN or infinity; leave the clip out, or look for what broke its scores";
  if (least < 0) return fmt::format("holds {:.4g}, below 0; {}", least, of_logits);
  if (std::abs(sum - 1) <= kTolerance) return "";
  const std::string cure = sum == 0 ? "leave the clip out, or look for what broke its scores"
                           : std::abs(sum - 100) <= 1
                               ? "these are per cent: divide them by 100"
                               : fmt::format("divide the row by its sum; {}", of_logits);
  return fmt::format("sums to {:.4g}, and probabilities sum to 1 (within {}); {}", sum, kTolerance,
                     cure);
}

// [M, K], each row a distribution over the classes, or with `unknown` all NaN.
torch::Tensor read_probabilities(const char* flag, const std::string& path, bool unknown = false) {
  const torch::Tensor array = read_array(flag, path, 2);
  if (!array.defined() || array.numel() == 0) return array;
  by_blocks(array.size(0), kBlockRows, [&](int64_t begin, int64_t end) {
    const auto block = array.slice(0, begin, end).to(torch::kFloat64);
    auto suspect = ((block.sum(1) - 1).abs() < 1e-4).logical_and((block >= 0).all(1)).logical_not();
    if (unknown) suspect = suspect.logical_and(block.isnan().all(1).logical_not());
    const auto rows = suspect.nonzero();
    for (int64_t i = 0; i < rows.size(0); ++i) {
      if (const auto what = not_probabilities(block[rows[i].item<int64_t>()], flag); !what.empty())
        throw UsageError(fmt::format("{} {}: row {} (the first is 0) {}", flag, path,
                                     begin + rows[i].item<int64_t>(), what));
    }
  });
  return array;
}

PoolScores read_scores(const SelectArguments& arguments) {
  PoolScores scores;
  scores.logits = read_array("--logits", arguments.logits, 2);
  if (const auto p = read_probabilities("--probabilities", arguments.probabilities); p.defined())
    scores.logits = p.to(torch::kFloat64).clamp_min(1e-30).log();
  scores.embeddings = read_array("--embeddings", arguments.embeddings, 2);
  scores.labelled_embeddings = read_array("--labelled", arguments.labelled, 2);
  scores.labelled_logits = read_array("--labelled_logits", arguments.labelled_logits, 2);
  scores.labelled_targets =
      read_probabilities("--labelled_targets", arguments.labelled_targets, /*unknown=*/true);
  scores.passes = read_array("--passes", arguments.passes, 3);
  scores.teacher = read_probabilities("--teacher", arguments.teacher);
  scores.head_weight = read_array("--head", arguments.head, 2);
  scores.duration_s = read_array("--durations", arguments.durations, 1);
  scores.start_s = read_array("--starts", arguments.starts, 1);
  scores.video = read_names(arguments.videos);
  Rows rows;
  rows.of(arguments.probabilities.empty() ? "--logits" : "--probabilities", scores.logits);
  rows.of("--embeddings", scores.embeddings);
  rows.of("--passes", scores.passes, 1);
  rows.of("--teacher", scores.teacher);
  rows.of("--durations", scores.duration_s);
  rows.of("--starts", scores.start_s);
  if (!scores.video.empty()) rows.of("--videos", std::ssize(scores.video));
  if (arguments.pool >= 0) rows.of("--pool", arguments.pool);
  if (rows.count() < 0)
    throw UsageError("select needs to know the clips: give --logits, --embeddings, --durations, or "
                     "their number with --pool");
  if (scores.size() == 0 && rows.count() > 0)
    scores.logits = torch::zeros({rows.count(), 2});  // a strategy that looks at nothing
  return scores;
}

// What the strategy looks at and was not given, as flags.
void require_what_it_needs(const std::string& name, const Needs& needs, const SelectArguments& a) {
  std::vector<std::string> missing;
  const auto want = [&](bool needed, bool there, const char* flag) {
    if (needed && !there) missing.push_back(flag);
  };
  want(needs.logits, !a.logits.empty() || !a.probabilities.empty(),
       "--logits (or --probabilities)");
  want(needs.embeddings, !a.embeddings.empty(), "--embeddings");
  want(needs.head, !a.head.empty(), "--head");
  want(needs.labelled_logits, !a.labelled_logits.empty(), "--labelled_logits");
  want(needs.labelled_logits, !a.labelled_targets.empty(), "--labelled_targets");
  want(needs.teacher, !a.teacher.empty(), "--teacher");
  want(!needs.passes.empty(), !a.passes.empty(), "--passes");
  want(needs.teacher_error, false, "--set strategy.error=SHARE, how often its teacher is wrong");
  if (!missing.empty())
    throw UsageError(fmt::format("{} also needs {}", name, fmt::join(missing, ", ")));
}

// Where less was chosen than asked for: how much, and why.
void say_what_is_missing(const SelectArguments& arguments, const PoolScores& scores,
                         const torch::Tensor& rows) {
  const int64_t all = scores.size();
  const int64_t chosen = rows.size(0);
  const auto& seconds = scores.duration_s;
  if (chosen < all) {
    if (chosen < arguments.count)
      print_error(fmt::format("asked for {} rows: the limits of selection leave {} of {}\n",
                              arguments.count, chosen, all));
  } else if (arguments.count > all) {
    print_error(
        fmt::format("asked for {} rows, there are {}: all are chosen\n", arguments.count, all));
  } else if (seconds.defined() && arguments.seconds > seconds.sum().item<double>()) {
    print_error(fmt::format("asked for {:g} s, all {} rows last {:g} s: all are chosen\n",
                            arguments.seconds, all, seconds.sum().item<double>()));
  }
}

void select_rows(const SelectArguments& arguments) {
  if ((arguments.count >= 0) == (arguments.seconds >= 0))
    throw UsageError("select wants --count N, or --seconds S, and not both");
  std::vector<Override> overrides = {{"strategy.name", arguments.strategy, /*literal=*/true}};
  for (const auto& set : arguments.sets) overrides.push_back(Override::parse(set));
  if (arguments.seconds >= 0) overrides.push_back({"selection.unit", "seconds"});
  SelectRecipe recipe;
  Document::text("{strategy: {name: random}}", "--set").with(overrides).read(recipe);
  if (const auto wrong = contradiction(recipe.selection, *recipe.strategy); !wrong.empty())
    throw UsageError("selection: " + wrong);
  require_what_it_needs(recipe.strategy.name, recipe.strategy->needs(), arguments);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  const torch::NoGradGuard no_grad;
  const double budget =
      arguments.seconds >= 0 ? arguments.seconds : static_cast<double>(arguments.count);
  const PoolScores scores = read_scores(arguments);
  const auto began = std::chrono::steady_clock::now();
  auto makes_nothing = std::make_optional<EndAtOnce>();
  const torch::Tensor rows = select(*recipe.strategy, scores, budget, recipe.selection,
                                    Random(static_cast<uint64_t>(arguments.seed)));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  makes_nothing.reset();
  if (const auto how = recipe.strategy->distances(); !how.empty())
    print_error(fmt::format("{}: {}\n", recipe.strategy.name, how));
  say_what_is_missing(arguments, scores, rows);
  if (!arguments.out.empty()) {
    write_npy(arguments.out, rows);
    fmt::print("{}\n", arguments.out);
    return;
  }
  const std::vector<int64_t> list(rows.const_data_ptr<int64_t>(),
                                  rows.const_data_ptr<int64_t>() + rows.numel());
  fmt::print("{}\n", arguments.json
                         ? nlohmann::ordered_json{{"rows", list}, {"seconds", seconds}}.dump()
                         : fmt::format("{}", fmt::join(list, "\n")));
}

void add_select(CLI::App* command) {
  command->description("chooses rows of your own features to label next, with any strategy, from "
                       ".npy files (M clips, K classes, D features)");
  const auto arguments = std::make_shared<SelectArguments>();
  command->add_option("--strategy", arguments->strategy, "a name of distal list strategies")
      ->capture_default_str();
  command
      ->add_option("--set", arguments->sets,
                   "key=value as in a recipe, e.g. strategy.normalize=false or "
                   "selection.per_video=2; may be repeated")
      ->take_all()
      ->delimiter('\0');
  command->add_option("--count", arguments->count, "rows to choose")->transform(number_from(0));
  command
      ->add_option("--seconds", arguments->seconds,
                   "seconds of video to choose instead, with --durations")
      ->transform(number_from(0));
  auto* logits = command->add_option("--logits", arguments->logits, "[M, K], before the softmax");
  command
      ->add_option("--probabilities", arguments->probabilities,
                   "[M, K] instead of logits; each row sums to 1")
      ->excludes(logits);
  command->add_option("--embeddings", arguments->embeddings,
                      "[M, D], mapped from disk: float32, float64, float16 or bfloat16");
  command->add_option("--labelled", arguments->labelled,
                      "[L, D], embeddings of the labelled clips");
  command->add_option("--labelled_logits", arguments->labelled_logits, "[L, K], for learning_loss");
  command->add_option("--labelled_targets", arguments->labelled_targets,
                      "[L, K], probabilities, NaN where unknown, for learning_loss");
  command->add_option("--passes", arguments->passes,
                      "[P, M, K], logits of several passes or networks, for bald, ensemble, "
                      "committee, consistency");
  command->add_option(
      "--teacher", arguments->teacher,
      "[M, K], probabilities of another network, each row sums to 1, for disagreement");
  command->add_option("--head", arguments->head, "[K, D], weights of the last layer, for boundary");
  command->add_option("--durations", arguments->durations, "[M], seconds of each clip");
  command->add_option("--starts", arguments->starts, "[M], where each clip begins in its video, s");
  command->add_option("--videos", arguments->videos,
                      "text file: the name of each row's video, one a line");
  command->add_option("--pool", arguments->pool, "number of clips, if no array gives it")
      ->transform(number_from(0, 1e8));
  command->add_option("--seed", arguments->seed, "of what is drawn")
      ->capture_default_str()
      ->transform(number_from(0));
  command->add_option("--threads", arguments->threads, "[all]")->transform(number_from(1, 1024));
  command->add_option("--out", arguments->out,
                      "rows as int64 .npy, best first [one a line, to stdout]");
  command->add_flag("--json", arguments->json,
                    "{\"rows\": [...], \"seconds\": of the selection} to stdout");
  command->callback([arguments] { select_rows(*arguments); });
}

}  // namespace

extern const Command select_command;
const Command select_command{120, add_select};

}  // namespace distal
