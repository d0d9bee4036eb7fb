#include "distal/cli/reference.h"

#include <cctype>
#include <map>

#include <fmt/ranges.h>

#include "distal/active/strategy.h"
#include "distal/base/catalogue.h"
#include "distal/base/files.h"
#include "distal/cli/command_page.h"
#include "distal/cli/markdown.h"
#include "distal/data/augmentation.h"
#include "distal/distill/loss.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "distal/oracles/oracle.h"
#include "distal/pretext/contrast.h"
#include "distal/pretext/task.h"
#include "distal/study/recipe.h"
#include "distal/study/sweep.h"

namespace distal {
namespace {

template <class F>
FamilyRow family_row(const char* name, const char* title, const char* used) {
  FamilyRow family{name, title, used, {}};
  for (const auto& row : catalogue<F>()) {
    std::shared_ptr<const void> kept;
    const auto own = option_rows([&](OptionVisitor& v) { row.entry->make(v, kept); });
    family.methods.push_back({row.name, row.entry->summary, row.entry->source, row.plugin, own});
  }
  return family;
}

// Options.

std::string default_words(const OptionRow& row) {
  if (row.type == "text" && row.value.empty()) return "empty";
  const bool absent = row.type.ends_with(" or none") && row.value == "none";
  return absent ? "none" : markdown_code(row.value);
}

std::string range_words(const Range& range) {
  const bool low = range.low > -kMostNumber;
  const bool high = range.high != kMostNumber;
  if (low && high) return fmt::format("{} to {}", range.low, range.high);
  if (low) return fmt::format("{} or more", range.low);
  return high ? fmt::format("{} or less", range.high) : "";
}

std::vector<std::string> method_names(const FamilyRow& family) {
  std::vector<std::string> names;
  for (const MethodRow& method : family.methods) names.push_back(method.name);
  return names;
}

// The family that the words of an option are the methods of; null where they are none's.
const FamilyRow* family_of(const OptionRow& row, const std::vector<FamilyRow>& all) {
  if (row.words.empty()) return nullptr;
  for (const FamilyRow& family : all) {
    if (method_names(family) == row.words) return &family;
  }
  return nullptr;
}

std::string allowed_words(const OptionRow& row, const std::vector<FamilyRow>& all) {
  if (const FamilyRow* family = family_of(row, all))
    return link_to(family->title, "methods.md", family->title);
  return row.words.empty() ? range_words(row.range) : codes_joined(row.words);
}

std::string option_table(const std::vector<OptionRow>& rows, const std::vector<FamilyRow>& all) {
  std::string text = "| option | type | default | allowed | meaning |\n"
                     "|---|---|---|---|---|\n";
  for (const OptionRow& row : rows) {
    // A method may have a section, such as one for each term of a sum of losses.
    const std::string type = row.section ? "section" : row.type;
    const std::string value = row.section ? "" : default_words(row);
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", row.key, type, value,
                        allowed_words(row, all), markdown_text(row.help));
  }
  return text + "\n";
}

// Recipes.

bool is_under(const std::string& key, const std::string& section) {
  return key.size() > section.size() && key.starts_with(section) && key[section.size()] == '.';
}

bool is_directly_under(const std::string& key, const std::string& section) {
  if (section.empty()) return key.find('.') == std::string::npos;
  return is_under(key, section) && key.find('.', section.size() + 1) == std::string::npos;
}

std::string as_sentence(const std::string& help) {
  std::string text = markdown_text(help);
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + ".";
}

// The chapter of recipe.md about each section, and what of them is told once.
class RecipePage {
 public:
  RecipePage(std::vector<OptionRow> rows, const std::vector<FamilyRow>& all) : families_(all) {
    drop_methods(std::move(rows));
    for (const OptionRow& row : rows_) {
      if (row.section) note_twin(row.key);
    }
  }

  std::vector<std::string> chapters() const {
    std::vector<std::string> names;
    for (const OptionRow& row : rows_) {
      if (row.section && is_directly_under(row.key, "")) names.push_back(row.key);
    }
    return names;
  }
  // The options of a section, without its subsections; "": of the recipe.
  std::string table(const std::string& section) const {
    std::vector<OptionRow> own;
    for (const OptionRow& row : rows_) {
      if (!row.section && is_directly_under(row.key, section)) own.push_back(row);
    }
    return own.empty() ? "" : option_table(own, families_);
  }
  // A section and those in it, each under a heading.
  std::string chapter(const std::string& section) const {
    const bool top = section.find('.') == std::string::npos;
    std::string text = fmt::format("{} {}\n\n{}", top ? "##" : "###", section, sentence(section));
    const std::string& told = told_at(section);
    if (told != section)
      return text +
             fmt::format("It has the options and the defaults of {}.\n\n", link_to(told, "", told));
    text += table(section) + method_sentence(section);
    for (const OptionRow& row : rows_) {
      if (row.section && is_directly_under(row.key, section)) text += chapter(row.key);
    }
    return text;
  }

 private:
  // A section that names a method has the options of the default method. They are told in
  // methods.md beside those of all others.
  void drop_methods(std::vector<OptionRow> rows) {
    std::string chosen;  // the section whose method's options come next
    for (OptionRow& row : rows) {
      if (!chosen.empty() && is_under(row.key, chosen)) continue;
      chosen.clear();
      const bool names_method = row.key.ends_with(".name") || row.key == "name";
      if (!row.section && names_method && family_of(row, families_) != nullptr)
        chosen = row.key.substr(0, row.key.size() - std::string(".name").size());
      rows_.push_back(std::move(row));
    }
  }

  // Everything in a section, as text that does not say which section it is.
  std::string content(const std::string& section) const {
    std::vector<OptionRow> inside;
    for (OptionRow row : rows_) {
      if (!is_under(row.key, section)) continue;
      row.key = row.key.substr(section.size() + 1);
      inside.push_back(std::move(row));
    }
    constexpr size_t kFew = 4;  // options that are sooner read again than looked up
    return inside.size() < kFew ? "" : help_text(inside);
  }
  // Of sections that are alike the one with the shortest name tells its options, and of those with
  // names of one length the last: student.model, not teacher.model.
  void note_twin(const std::string& section) {
    const std::string text = content(section);
    if (text.empty()) return;
    std::string& told = told_[text];
    if (told.empty() || section.size() <= told.size()) told = section;
  }
  const std::string& told_at(const std::string& section) const {
    const auto found = told_.find(content(section));
    return found == told_.end() ? section : found->second;
  }

  std::string sentence(const std::string& section) const {
    for (const OptionRow& row : rows_) {
      if (row.section && row.key == section)
        return fmt::format("{}{}\n\n", as_sentence(row.help),
                           row.present ? "" : " This section is absent by default.");
    }
    return "";
  }
  std::string method_sentence(const std::string& section) const {
    for (const OptionRow& row : rows_) {
      const FamilyRow* family = row.key == section + ".name" ? family_of(row, families_) : nullptr;
      if (family != nullptr)
        return fmt::format("The options of the method stand beside its name: {}.\n\n",
                           link_to(family->title, "methods.md", family->title));
    }
    return "";
  }

  const std::vector<FamilyRow>& families_;
  std::vector<OptionRow> rows_;
  std::map<std::string, std::string> told_;  // the content of sections -> the one that tells it
};

constexpr const char* kRecipeStart =
    "A recipe is a YAML file. Every option has a default. A recipe holds only what differs.\n"
    "`--set KEY=VALUE` changes one option on the command line, such as "
    "`--set student.training.steps=50`.\n"
    "A section with a `name` may be written as that name: `strategy: badge` means "
    "`strategy: {name: badge}`.\n"
    "The options of the method stand beside its name: `strategy: {name: bald, passes: 20}`.\n"
    "An option with the default none has no value. `null` takes a value away.\n\n";

constexpr const char* kArms =
    "## arms\n\n"
    "What is compared. Each entry is the name of an arm and the options that it changes:\n\n"
    "```yaml\n"
    "arms:\n"
    "  random: {strategy: random}\n"
    "  margin, twice the steps: {strategy: margin, student: {training: {steps: 480}}}\n"
    "```\n\n"
    "Arms share `seed`, `seeds`, `weights`, `data`, `clips`, `input`, `cache`, `teacher`, `oracle` "
    "and `selection.unit`.\n"
    "A recipe without `arms` has one arm. Where arms choose and none chooses at random, a random "
    "arm is added, unless `no_random_arm` gives a reason.\n\n";

constexpr const char* kSweep =
    "## sweep\n\n"
    "A grid. Every arm runs at every point of it. This section is absent by default.\n"
    "An empty list is no axis of the grid.\n\n";

std::string recipe_page(const std::vector<FamilyRow>& all) {
  Recipe defaults;
  const RecipePage page(option_rows([&](OptionVisitor& v) { defaults.visit(v); }), all);
  std::string text = page_head("Recipe reference") + kRecipeStart;
  std::vector<std::string> links = {link_to("top level", "", "Top level")};
  for (const std::string& name : page.chapters()) links.push_back(link_to(name, "", name));
  links.push_back(link_to("arms", "", "arms"));
  links.push_back(link_to("sweep", "", "sweep"));
  text += fmt::format("Contents: {}\n\n", fmt::join(links, " · "));
  text += "## Top level\n\n" + page.table("");
  for (const std::string& name : page.chapters()) text += page.chapter(name);
  SweepOptions sweep;
  auto rows = option_rows([&](OptionVisitor& v) { sweep.visit(v); });
  for (OptionRow& row : rows) row.key = "sweep." + row.key;
  return text + kArms + kSweep + option_table(rows, all);
}

// Methods.

// The method's name; with that of its family where a family before has a method of that name.
std::string method_heading(const MethodRow& method, const FamilyRow& family,
                           const std::vector<FamilyRow>& all) {
  for (const FamilyRow& other : all) {
    if (other.title == family.title) break;
    for (const MethodRow& row : other.methods) {
      if (row.name == method.name) return fmt::format("{} of {}", method.name, family.title);
    }
  }
  return method.name;
}

std::string method_text(const MethodRow& method, const std::string& heading,
                        const std::vector<FamilyRow>& all) {
  std::string text = fmt::format("### {}\n\n{}\n\n", heading, markdown_text(method.summary));
  if (method.source != "-") text += fmt::format("Source: {}\n\n", markdown_text(method.source));
  return method.options.empty() ? text : text + option_table(method.options, all);
}

std::string methods_page(const std::vector<FamilyRow>& all) {
  std::string text = page_head("Method reference") +
                     "A recipe chooses methods by name. The options of a method stand beside its "
                     "name: `loss: {name: kd, tau: 2}`.\n\n";
  std::vector<std::string> links;
  for (const FamilyRow& family : all) links.push_back(link_to(family.title, "", family.title));
  text += fmt::format("Contents: {}\n\n", fmt::join(links, " · "));
  for (const FamilyRow& family : all) {
    text += fmt::format("## {}\n\n{}\n\n", family.title, family.used);
    text += "| method | what it does |\n|---|---|\n";
    for (const MethodRow& method : family.methods)
      text += fmt::format("| {} | {} |\n",
                          link_to(method.name, "", method_heading(method, family, all)),
                          markdown_text(method.summary));
    text += "\n";
    for (const MethodRow& method : family.methods)
      text += method_text(method, method_heading(method, family, all), all);
  }
  return text;
}

// A file of text ends with one line break.
void write_page(const std::string& path, std::string text) {
  while (text.ends_with("\n\n")) text.pop_back();
  write_atomically(path, text);
}

}  // namespace

std::vector<FamilyRow> families() {
  return {
      family_row<Backbone>("backbones", "Backbones",
                           "The network: `student.model` and `teacher.model`."),
      family_row<Strategy>("strategies", "Strategies",
                           "The rule that chooses which clips to ask about: `strategy`."),
      family_row<DistillLoss>("losses", "Losses", "How a teacher's answers are learned: `loss`."),
      family_row<PretextTask>("tasks", "Pretext tasks",
                              "What a network learns without labels: `student.pretext.tasks`. "
                              "The section of the task's name beside that list holds its "
                              "options, and its `weight` in the loss."),
      family_row<Contrast>("contrasts", "Contrasts",
                           "The contrastive learner of pre-training without labels: "
                           "`student.pretext.contrast`."),
      family_row<Augmentation>("augmentations", "Augmentations",
                               "What happens to the clips of a training batch: "
                               "`student.augment.family`."),
      family_row<Oracle>("oracles", "Oracles",
                         "Who answers about the pool: `oracle.kind`. The options of the kind stand "
                         "beside `price`, `batch_size` and `ask_again`."),
  };
}

void write_reference(const CLI::App& app, const std::string& folder) {
  const std::vector<FamilyRow> all = families();
  Recipe defaults;
  const std::string recipe_help = help_text([&](OptionVisitor& v) { defaults.visit(v); });
  make_folder(folder);
  write_page(folder + "/recipe.md", recipe_page(all));
  write_page(folder + "/methods.md", methods_page(all));
  write_page(folder + "/commands.md", commands_page(app, recipe_help));
}

}  // namespace distal
