#include <filesystem>
#include <numeric>
#include <set>
#include <sstream>
#include <unordered_map>

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
#include "distal/cli/embed_rows.h"
#include "distal/cli/output.h"
#include "distal/lists/feature_table.h"
#include "distal/lists/foreign_lists.h"
#include "distal/models/opened_network.h"

namespace distal {
namespace {

struct SelectArguments {
  std::string strategy = "random", out;
  std::vector<std::string> sets;
  std::string list, from, known, network, data;
  std::string logits, probabilities, embeddings, labelled, labelled_logits, labelled_targets,
      passes, teacher, head, durations, starts, videos;
  int64_t count = -1;
  int64_t pool = -1;
  int64_t seed = 1;
  int64_t round = -1;
  int64_t threads = 0;
  double seconds = -1;
  bool json = false;
  bool quiet = false;
};

// What a recipe says of a selection, under the same names.
struct SelectRecipe {
  Choice<Strategy> strategy{"random"};
  SelectionOptions selection;
  std::optional<NetworkOptions> network;
  InputOptions input;
  CacheOptions cache;
  void visit(OptionVisitor& v) const {
    v("strategy", strategy, "which clips to ask about");
    v("selection", selection, "limits around the strategy");
    v("network", network, "the network of --network");
    v("input", input, "which frames of a clip it sees");
    v("cache", cache, "where frames and features are kept");
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

// ---- clips that lists name

// The clips of the arrays by name (--list), and which of them may be chosen or have labels.
class NamedClips {
 public:
  explicit NamedClips(const SelectArguments& arguments) {
    if (arguments.list.empty()) return;
    rows_ = read_rows(arguments.list, "", /*labelled=*/false);
    require_distinct_clips(rows_, "the arrays");
    for (int64_t i = 0; i < std::ssize(rows_); ++i) row_of_[written_clip(rows_[i])] = i;
    if (!arguments.known.empty()) known_ = rows_of(arguments.known, "--known", arguments.list);
    if (!arguments.from.empty()) from_ = rows_of(arguments.from, "--from", arguments.list);
  }

  /// By the network of --network, if there is one.
  void embed(const SelectArguments& arguments, const SelectRecipe& recipe) {
    if (!recipe.network) return;
    const std::string folder = arguments.data.empty()
                                   ? std::filesystem::path(arguments.list).parent_path().string()
                                   : arguments.data;
    ConsoleProgress progress(arguments.quiet ? ConsoleProgress::Mode::quiet
                                             : ConsoleProgress::Mode::automatic);
    embeddings_ = embed_rows(rows_, folder, *recipe.network, recipe.input, recipe.cache, progress);
  }
  const torch::Tensor& embeddings() const { return embeddings_; }

  bool given() const { return !rows_.empty(); }
  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<int64_t>& known() const { return known_; }
  /// Rows that may be chosen, in the order of --from.
  std::vector<int64_t> open() const {
    std::vector<int64_t> open = from_;
    if (open.empty()) {
      open.resize(rows_.size());
      std::iota(open.begin(), open.end(), 0);
    }
    const std::set<int64_t> labelled(known_.begin(), known_.end());
    std::erase_if(open, [&](int64_t row) { return labelled.contains(row); });
    return open;
  }

 private:
  std::vector<int64_t> rows_of(const std::string& path, const char* flag,
                               const std::string& list) const {
    std::vector<int64_t> rows;
    std::set<int64_t> seen;  // a clip may stand twice in a list, and is chosen once
    for (const Row& row : read_rows(path, "", /*labelled=*/false)) {
      const auto at = row_of_.find(written_clip(row));
      if (at == row_of_.end())
        fail("{} {}: {} is in no row of {}; add its row there and to the arrays, or write its path "
             "and span as they stand there",
             flag, row.place, written_clip(row), list);
      if (seen.insert(at->second).second) rows.push_back(at->second);
    }
    return rows;
  }

  std::vector<Row> rows_;
  std::unordered_map<std::string, int64_t> row_of_;  // by written_clip
  std::vector<int64_t> known_, from_;
  torch::Tensor embeddings_;  // [M, D]; undefined: an array holds them, or nobody wants them
};

// What a list says of videos and times, where no array does. Times of whole videos are unknown.
void add_places(PoolScores& scores, const std::vector<Row>& rows) {
  const auto timed = [](const Row& row) { return std::isfinite(row.end_s); };
  const bool times = std::all_of(rows.begin(), rows.end(), timed);
  std::vector<double> starts, durations;
  for (const Row& row : rows) {
    starts.push_back(row.start_s);
    durations.push_back(row.end_s - row.start_s);
  }
  if (times && !scores.start_s.defined()) scores.start_s = torch::tensor(starts, torch::kFloat64);
  if (times && !scores.duration_s.defined())
    scores.duration_s = torch::tensor(durations, torch::kFloat64);
  if (!scores.video.empty()) return;
  for (const Row& row : rows) scores.video.push_back(row.path);
}

// The scores of what may be chosen. What is known becomes labelled.
PoolScores open_scores(PoolScores scores, const NamedClips& clips, const std::vector<int64_t>& open,
                       const std::string& embeddings) {
  if (scores.embeddings.defined()) {  // while rows have the numbers of the file
    for (const auto* rows : {&open, &clips.known()})
      require_finite_rows(scores.embeddings, torch::tensor(*rows, torch::kInt64), clips.rows(),
                          embeddings);
  }
  if (!clips.known().empty() && scores.embeddings.defined())
    scores.labelled_embeddings =
        scores.embeddings.index_select(0, torch::tensor(clips.known(), torch::kInt64));
  if (std::ssize(open) == scores.size() && std::is_sorted(open.begin(), open.end())) return scores;
  return subset(scores, open);
}

PoolScores read_scores(const SelectArguments& arguments, const NamedClips& clips) {
  PoolScores scores;
  scores.logits = read_array("--logits", arguments.logits, 2);
  if (const auto p = read_probabilities("--probabilities", arguments.probabilities); p.defined())
    scores.logits = p.to(torch::kFloat64).clamp_min(1e-30).log();
  scores.embeddings = clips.embeddings().defined()
                          ? clips.embeddings()
                          : read_array("--embeddings", arguments.embeddings, 2);
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
  if (clips.given()) rows.of("--list", std::ssize(clips.rows()));
  if (arguments.pool >= 0) rows.of("--pool", arguments.pool);
  if (rows.count() < 0)
    throw UsageError("select needs to know the clips: give --list, --logits, --embeddings, "
                     "--durations, or their number with --pool");
  if (scores.size() == 0 && rows.count() > 0)
    scores.logits = torch::zeros({rows.count(), 2});  // a strategy that looks at nothing
  if (clips.given()) add_places(scores, clips.rows());
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
  want(needs.embeddings, !a.embeddings.empty() || !a.network.empty(),
       "--embeddings (or --network)");
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

void write_rows(const SelectArguments& arguments, const NamedClips& clips,
                const torch::Tensor& rows, double seconds) {
  const std::vector<int64_t> list(rows.const_data_ptr<int64_t>(),
                                  rows.const_data_ptr<int64_t>() + rows.numel());
  if (!arguments.out.empty()) {
    if (arguments.out.ends_with(".csv")) {
      std::vector<Row> chosen;
      for (const int64_t row : list) chosen.push_back(clips.rows()[static_cast<size_t>(row)]);
      write_atomically(arguments.out, csv_text(chosen));
    } else {
      write_npy(arguments.out, rows);
    }
    fmt::print("{}\n", arguments.out);
    return;
  }
  fmt::print("{}\n", arguments.json
                         ? nlohmann::ordered_json{{"rows", list}, {"seconds", seconds}}.dump()
                         : fmt::format("{}", fmt::join(list, "\n")));
}

// What lists are for.
void require_lists(const SelectArguments& a) {
  if (a.list.empty() && !(a.from.empty() && a.known.empty()))
    throw UsageError("--from and --known name clips of the arrays, and --list is missing, which "
                     "names the clip of each row");
  if (a.list.empty() && !a.network.empty())
    throw UsageError("--network computes embeddings of clips, and --list is missing, which names "
                     "them");
  if (!a.network.empty() && !a.embeddings.empty())
    throw UsageError("--network computes what --embeddings holds; leave one of them out");
  if (!a.known.empty() && !a.labelled.empty())
    throw UsageError("--known finds the embeddings of labelled clips in --embeddings; leave "
                     "--labelled out");
  if (a.out.ends_with(".csv") && a.list.empty())
    throw UsageError("--out: a .csv names clips, and --list is missing, which names the clip of "
                     "each row; give it, or an .npy file");
}

void select_rows(const SelectArguments& arguments) {
  require_lists(arguments);
  if ((arguments.count >= 0) == (arguments.seconds >= 0))
    throw UsageError("select wants --count N, or --seconds S, and not both");
  std::vector<Override> overrides = {{"strategy.name", arguments.strategy, /*literal=*/true}};
  for (const auto& set : arguments.sets) overrides.push_back(Override::parse(set));
  if (arguments.seconds >= 0) overrides.push_back({"selection.unit", "seconds"});
  if (!arguments.network.empty())
    overrides.push_back({"network.file", arguments.network, /*literal=*/true});
  SelectRecipe recipe;
  Document::text("{strategy: {name: random}}", "--set").with(overrides).read(recipe);
  if (const auto wrong = contradiction(recipe.selection, *recipe.strategy); !wrong.empty())
    throw UsageError("selection: " + wrong);
  require_what_it_needs(recipe.strategy.name, recipe.strategy->needs(), arguments);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  const torch::NoGradGuard no_grad;
  const double budget =
      arguments.seconds >= 0 ? arguments.seconds : static_cast<double>(arguments.count);
  NamedClips clips(arguments);
  clips.embed(arguments, recipe);
  PoolScores all = read_scores(arguments, clips);
  std::vector<int64_t> open;
  if (clips.given()) open = clips.open();
  const PoolScores scores =
      clips.given() ? open_scores(std::move(all), clips, open, arguments.embeddings) : all;
  const auto began = std::chrono::steady_clock::now();
  auto makes_nothing = std::make_optional<EndAtOnce>();
  Random random(static_cast<uint64_t>(arguments.seed));
  if (arguments.round >= 0)
    random = random.stream("select", static_cast<uint64_t>(arguments.round));
  torch::Tensor rows = select(*recipe.strategy, scores, budget, recipe.selection, random);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  makes_nothing.reset();
  if (const auto how = recipe.strategy->distances(); !how.empty())
    print_error(fmt::format("{}: {}\n", recipe.strategy.name, how));
  say_what_is_missing(arguments, scores, rows);
  if (clips.given()) rows = torch::tensor(open, torch::kInt64).index_select(0, rows);
  write_rows(arguments, clips, rows, seconds);
}

void add_arrays(CLI::App* command, const std::shared_ptr<SelectArguments>& arguments) {
  auto* logits = command->add_option("--logits", arguments->logits, "[M, K], before the softmax");
  command
      ->add_option("--probabilities", arguments->probabilities,
                   "[M, K] instead of logits; each row sums to 1")
      ->excludes(logits);
  command->add_option("--embeddings", arguments->embeddings,
                      "[M, D], mapped from disk: float32, float64, float16 or bfloat16");
  command->add_option("--list", arguments->list,
                      "CSV that names the clip of each row of all arrays, in order: "
                      "path[,start_s,end_s]; gives videos, starts and durations too");
  command->add_option("--network", arguments->network,
                      "file of a network from elsewhere (.onnx, .xml, .pt2, .pt) that computes the "
                      "embeddings of the clips of --list; --set network.mean=... says what else a "
                      "recipe says of it, and --set input.sampling.frames=8 what it sees");
  command->add_option("--data", arguments->data,
                      "folder that paths of --list are relative to, for --network [that of the "
                      "list]");
  command->add_option("--from", arguments->from,
                      "CSV of clips in --list: chooses among these alone, in this order");
  command->add_option("--known", arguments->known,
                      "CSV of clips in --list that have labels: not chosen, and their rows of "
                      "--embeddings are those of labelled clips");
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
  add_arrays(command, arguments);
  command->add_option("--pool", arguments->pool, "number of clips, if no array gives it")
      ->transform(number_from(0, 1e8));
  command->add_option("--seed", arguments->seed, "of what is drawn")
      ->capture_default_str()
      ->transform(number_from(0));
  command
      ->add_option("--round", arguments->round,
                   "draws what this round of a study of that seed draws [as no study does]")
      ->transform(number_from(1));
  command->add_option("--threads", arguments->threads, "[all]")->transform(number_from(1, 1024));
  command->add_option("--out", arguments->out,
                      "rows as int64 .npy, or their clips as .csv (with --list), best first [one a "
                      "line, to stdout]");
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag_function(
      "--untrusted", [](int64_t) { refuse_network_programs(); },
      "refuse what executes code: a network in .pt2 or .pt");
  command->add_flag("--json", arguments->json,
                    "{\"rows\": [...], \"seconds\": of the selection} to stdout");
  command->callback([arguments] { select_rows(*arguments); });
}

}  // namespace

extern const Command select_command;
const Command select_command{120, add_select};

}  // namespace distal
