#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/cli/reference.h"

namespace distal {
namespace {

using Json = nlohmann::ordered_json;

void print(const Json& rows) {
  std::string family;
  for (const Json& row : rows) {
    const auto word = [&](const char* key) { return row.at(key).get<std::string>(); };
    if (!row.contains("options") && word("family") != family) {
      family = word("family");
      fmt::print("{}\n", family);
    }
    fmt::print("  {:<18} {}\n  {:<18} {}\n", word("name"), word("summary"), "", word("source"));
    if (row.contains("plugin")) fmt::print("  {:<18} plugin {}\n", "", excerpt(word("plugin")));
    fmt::print("{}", row.value("options", ""));
  }
}

// The methods of all families where `wanted` is empty, of the family of that name, or the method of
// that name with its options.
void list(const std::string& wanted, bool json) {
  Json rows = Json::array();
  std::vector<std::string> words;
  for (const FamilyRow& family : families()) {
    words.push_back(family.name);
    for (const MethodRow& method : family.methods) {
      words.push_back(method.name);
      const bool one = wanted == method.name;
      if (!one && !wanted.empty() && wanted != family.name) continue;
      rows.push_back({{"family", family.name},
                      {"name", method.name},
                      {"summary", method.summary},
                      {"source", method.source}});
      if (!method.plugin.empty()) rows.back()["plugin"] = method.plugin;
      if (one) rows.back()["options"] = help_text(method.options);
    }
  }
  if (rows.empty()) {
    const auto near = nearest(wanted, words);
    throw UsageError(fmt::format("{} is no family and no method; {}", wanted,
                                 near ? "did you mean " + *near + "?" : "distal list shows them"));
  }
  if (json)
    fmt::print("{}\n", rows.dump(2));
  else
    print(rows);
}

struct ListArguments {
  std::string wanted;
  std::string reference;
  bool json = false;
};

void add_list(CLI::App* command) {
  command->description("lists all methods with their papers, or the options of one method");
  const auto arguments = std::make_shared<ListArguments>();
  auto* what = command->add_option("what", arguments->wanted,
                                   "backbones, strategies, losses, augmentations, tasks, "
                                   "contrasts, oracles, or the name of a method");
  auto* json = command->add_flag("--json", arguments->json, "an array of methods as JSON");
  command
      ->add_option("--reference", arguments->reference,
                   "folder to write the reference of recipes, methods and commands into instead, "
                   "as Markdown")
      ->excludes(what, json);
  command->callback([arguments, command] {
    if (arguments->reference.empty()) return list(arguments->wanted, arguments->json);
    write_reference(*command->get_parent(), arguments->reference);
  });
}

}  // namespace

extern const Command list_command;
const Command list_command{130, add_list};

}  // namespace distal
