#include <sstream>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/cli/openmp.h"
#include "distal/store/store.h"
#include "distal/study/proposal.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

struct NewArguments {
  std::string recipe, data, store, init, classes;
  bool force = false;
  bool quiet = false;
};

// --data, else where the last import of the store wrote its lists, else here.
std::string folder_of(const NewArguments& arguments) {
  std::string folder = arguments.data;
  if (folder.empty() && !arguments.store.empty()) {
    folder = Store(arguments.store).lists_folder();
    if (folder.empty())
      fail("{}: no import has written lists into this store; distal import does, or --data names "
           "the folder of train.csv and test.csv",
           arguments.store);
  }
  return (fs::absolute(folder.empty() ? "." : folder) / "")
      .lexically_normal()
      .parent_path()
      .string();
}

std::vector<std::string> names_in(const std::string& text, char separator) {
  std::vector<std::string> names;
  std::istringstream rest(text);
  for (std::string name; std::getline(rest, name, separator);) {
    const size_t first = name.find_first_not_of(" \t\r");
    const size_t last = name.find_last_not_of(" \t\r");
    if (first != std::string::npos) names.push_back(name.substr(first, last - first + 1));
  }
  return names;
}

// --classes: a file with one name a line, or the names themselves.
std::vector<std::string> classes_of(const NewArguments& arguments, const std::string& folder) {
  const std::string& classes = arguments.classes;
  const bool is_file = !classes.empty() && fs::is_regular_file(classes);
  const auto names = is_file ? names_in(read_file(classes), '\n') : names_in(classes, ',');
  if (names.empty() && (is_file || !classes.empty()))
    throw UsageError(fmt::format("--classes {}: no name in it; give a,b,c, or a file with one name "
                                 "a line",
                                 classes));
  const bool unlabelled = fs::exists(folder + "/pool.csv") && !fs::exists(folder + "/train.csv");
  if (names.empty() && unlabelled)
    throw UsageError(fmt::format("{}/pool.csv holds no labels: --classes a,b,c, or a file with one "
                                 "name a line, says what people shall answer",
                                 folder));
  return names;
}

void make_recipe(const NewArguments& arguments) {
  wait_briefly();
  if (fs::exists(arguments.recipe) && !arguments.force)
    fail("{}: exists; --force writes over it", arguments.recipe);
  const auto place = fs::path(arguments.recipe).parent_path();
  if (!place.empty() && !fs::is_directory(place))
    fail("{}: there is no folder {}; make it first", arguments.recipe, place.string());
  if (!arguments.init.empty() && !fs::exists(arguments.init))
    throw UsageError(
        fmt::format("--init {}: missing; give a safetensors file of mobilenet_v2", arguments.init));
  const std::string folder = folder_of(arguments);
  const std::vector<std::string> classes = classes_of(arguments, folder);
  const std::string init =
      arguments.init.empty() ? "" : fs::absolute(arguments.init).lexically_normal().string();
  ConsoleProgress progress(arguments.quiet ? ConsoleProgress::Mode::quiet
                                           : ConsoleProgress::Mode::automatic);
  const Proposal proposal = [&] {
    const EndAtOnce nothing_yet;
    ProposalOptions options{folder, init, fs::path(arguments.recipe).stem().string()};
    options.classes = classes;
    return propose(options, progress);
  }();
  write_atomically(arguments.recipe, proposal.text);  // only now: what is written can be run
  const std::string next =
      fmt::format("distal run {}{}", arguments.recipe,
                  arguments.store.empty() ? "" : " --store " + arguments.store);
  fmt::print("{}", printable_lines(fmt::format("{}\n{}next: {}\n", arguments.recipe,
                                               proposal.plan.text, next)));
}

void add_new(CLI::App* command) {
  command->description(
      "writes a commented recipe for a folder with train.csv and test.csv, or with "
      "pool.csv and held_out.csv, and prints the expected time");
  const auto arguments = std::make_shared<NewArguments>();
  command->add_option("recipe", arguments->recipe, "file to write")->required();
  command->add_option(
      "--data", arguments->data,
      "folder with the lists that import wrote [of the store's last import, else this folder]");
  command->add_option("--store", arguments->store,
                      "the store that distal import recorded the videos in");
  command->add_option("--init", arguments->init,
                      "ImageNet weights of mobilenet_v2 (safetensors) to start from");
  command->add_option(
      "--classes", arguments->classes,
      "for pool.csv and held_out.csv, which hold no labels: the classes that people "
      "answer with, a,b,c or a file with one name a line");
  command->add_flag("--force", arguments->force, "write over an existing file");
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->callback([arguments] { make_recipe(*arguments); });
}

}  // namespace

extern const Command new_command;
const Command new_command{50, add_new};

}  // namespace distal
