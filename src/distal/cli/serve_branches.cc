#include "distal/cli/serve_branches.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/in_use.h"
#include "distal/base/text.h"
#include "distal/base/yaml.h"
#include "distal/networks/network.h"
#include "distal/study/recipe.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFirstLine = "# A branch of ";

// What every branch has in common with its study: the clips, the answers about them, the places.
constexpr std::array kShared = {"data", "clips", "cache", "teacher", "oracle", "weights"};

bool is_shared(const std::string& key) {
  const std::string section = key.substr(0, key.find('.'));
  return std::ranges::find(kShared, section) != kShared.end();
}

serve::ServedStudy served_study(const Study& study) {
  serve::ServedStudy served;
  served.name = study.name;
  served.classes = study.shared.data.classes;
  served.seeds = study.shared.seeds;
  const OracleRecipe& oracle = study.shared.oracle;
  const OracleTraits traits = oracle.mixed() ? OracleTraits() : oracle.only.kind->traits();
  served.share = traits.share;
  served.rank_again = traits.rank_again;
  for (const Arm& arm : study.arms) {
    served.arms.push_back(arm.name);
    served.rounds = std::max(served.rounds, arm.options.rounds);
  }
  return served;
}

// The same words as here, and the process ends when this one does.
std::vector<std::string> run_words(const RecipeArguments& recipe, const std::string& folder) {
  std::vector<std::string> words = {
      "run",   recipe.recipe, "--store",     recipe.store,
      "--out", folder,        "--ends-with", fmt::format("{}", ::getpid())};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {name, value});
  };
  const std::vector<std::string>& given =
      command_words();  // plugins first: distal CMD --plugin FILE
  for (size_t i = 2; i + 1 < given.size() && given[i] == "--plugin"; i += 2)
    add("--plugin", given[i + 1]);
  add("--data", recipe.data);
  add("--weights", recipe.weights);
  for (const std::string& set : recipe.sets) add("--set", set);
  if (recipe.seed >= 0) add("--seed", fmt::format("{}", recipe.seed));
  if (recipe.threads > 0) add("--threads", fmt::format("{}", recipe.threads));
  if (recipe.jobs > 0) add("--jobs", fmt::format("{}", recipe.jobs));
  return words;
}

// The options of a section, each with all its names.
void add_options(const Yaml& value, const std::string& key,
                 std::vector<serve::RecipeOption>& options) {
  if (!value.is_section()) {
    std::string text = yaml_text(value);
    while (text.ends_with('\n')) text.pop_back();
    if (text.find('\n') == std::string::npos) options.push_back({key, text});
    return;
  }
  for (const YamlEntry& entry : value.entries)
    add_options(entry.value, key.empty() ? entry.key : key + "." + entry.key, options);
}

// The study that a recipe of ours is a branch of; empty: it is none.
std::string origin_of(const fs::path& recipe) {
  const std::string text = read_file(recipe.string());
  if (!text.starts_with(kFirstLine)) return "";
  return text.substr(kFirstLine.size(), text.find('\n') - kFirstLine.size());
}

void require_own_options(const serve::BranchWish& wish) {
  for (const auto& [key, value] : wish.options) {
    if (!is_shared(key)) continue;
    throw UsageError(fmt::format(
        "{}: a branch has the clips and the answers of its study; leave it as it is", key));
  }
}

// Files of features and of networks that the arms read. Opens none.
std::set<std::string> files_of(const Document& recipe) {
  Recipe top;
  recipe.without("arms").without("sweep").read(top);
  std::vector<ArmOptions> arms = {top.arm};
  for (ArmDifference& arm : read_arms(recipe.without("sweep"), recipe.entries("arms")))
    arms.push_back(std::move(arm.options));
  std::set<std::string> files;
  const auto add_files = [&](const FeatureFiles& pair) {
    files.insert(pair.features);
    files.insert(pair.list);
  };
  for (const ArmOptions& arm : arms) {
    const ModelOptions& model = arm.student.model;
    if (model.feature_files()) add_files(*model.feature_files());
    if (model.network()) files.insert(model.network()->file);
    if (!arm.embeddings) continue;
    add_files(arm.embeddings->files);
    if (arm.embeddings->network) files.insert(arm.embeddings->network->file);
  }
  files.erase("");
  return files;
}

// Whoever is at the page may not name files of the server, nor run them.
void require_known_files(const Document& branch, const Document& study) {
  const std::set<std::string> known = files_of(study);
  for (const std::string& file : files_of(branch)) {
    if (known.contains(file)) continue;
    throw UsageError(fmt::format(
        "{}: a branch reads the files of its study, and this is none of them; leave it as it is",
        excerpt(file)));
  }
}

}  // namespace

Branches::Branches(const RecipeArguments& arguments, const Study& study)
    : arguments_(arguments),
      study_(study),
      folder_(arguments.out.empty() ? "runs/" + study.name : arguments.out) {}

serve::ServedStudy Branches::first() const {
  serve::ServedStudy served = served_study(study_);
  served.folder = folder_;
  served.run_command = run_words(arguments_, folder_);
  return served;
}

std::string Branches::recipe_of(const std::string& branch) const {
  return fmt::format("{}/branches/{}.yaml", folder_, branch);
}

Document Branches::document_of(const std::string& study) const {
  return study == study_.name ? Document::text(study_.resolved, study)
                              : Document::file(recipe_of(study));
}

serve::ServedStudy Branches::branch(const std::string& name, const std::string& of) const {
  RecipeArguments own = arguments_;  // what was given here stands in the recipe
  own.recipe = recipe_of(name);
  own.data = own.weights = "";
  own.sets.clear();
  own.seed = -1;
  own.out = fmt::format("{}/branches/{}", folder_, name);
  serve::ServedStudy served = served_study(own.read());
  served.folder = own.out;
  served.run_command = run_words(own, own.out);
  served.branch_of = of;
  return served;
}

std::vector<serve::ServedStudy> Branches::earlier() const {
  std::vector<fs::directory_entry> recipes;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder_ + "/branches", absent)) {
    if (entry.path().extension() == ".yaml") recipes.push_back(entry);
  }
  std::ranges::sort(recipes, {}, [](const auto& entry) {
    return std::pair(entry.last_write_time(), entry.path().string());
  });
  std::vector<serve::ServedStudy> all;
  for (const auto& entry : recipes) {
    try {
      const std::string of = origin_of(entry.path());
      if (of.empty()) continue;
      all.push_back(branch(entry.path().stem().string(), of));
      make_folder(all.back().folder);
    } catch (const Error&) {  // somebody changed it by hand
    }
  }
  return all;
}

serve::BranchMaker Branches::maker() const {
  return {[this](const std::string& study) { return options(study); },
          [this](const serve::BranchWish& wish) { return make(wish); }};
}

std::vector<serve::RecipeOption> Branches::options(const std::string& study) const {
  const Study read = read_study(document_of(study), study);
  std::vector<serve::RecipeOption> all;
  add_options(parse_yaml(read.arms.front().resolved, study), "", all);
  std::erase_if(all, [](const auto& option) { return is_shared(option.key); });
  return all;
}

serve::ServedStudy Branches::make(const serve::BranchWish& wish) const {
  require_own_options(wish);
  const std::string recipe = recipe_of(wish.name);
  const std::string results = fmt::format("{}/branches/{}", folder_, wish.name);
  if (fs::exists(recipe) || fs::exists(results) || wish.name == study_.name)
    throw InUse(fmt::format("name: {} is there already; choose another name", recipe));
  std::vector<Override> changes;
  for (const auto& [key, value] : wish.options) changes.push_back({key, value});
  const Document changed = document_of(wish.of).with(changes);
  require_known_files(changed, document_of(study_.name));
  arguments_.allowed(read_study(changed, wish.name));
  make_folder(results);
  write_atomically(recipe, fmt::format("{}{}\n{}\n", kFirstLine, wish.of, changed.dump()));
  return branch(wish.name, wish.of);
}

}  // namespace distal
