#include <nlohmann/json.hpp>

#include "distal/active/strategy.h"
#include "distal/cli/command.h"
#include "distal/data/augmentation.h"
#include "distal/distill/loss.h"
#include "distal/models/model.h"
#include "distal/pretext/contrast.h"
#include "distal/pretext/task.h"

namespace distal {
namespace {

using Json = nlohmann::ordered_json;

// Methods of a family: all where `wanted` is empty or names the family, else the one of that name, with its options.
template <class Family>
void add_rows(Json& rows, const std::string& family, const std::string& wanted, std::vector<std::string>& words) {
  words.push_back(family);
  for (const auto& row : catalogue<Family>()) {
    words.push_back(row.name);
    const bool one = wanted == row.name;
    if (!one && !wanted.empty() && wanted != family) continue;
    rows.push_back({{"family", family}, {"name", row.name}, {"summary", row.entry->summary}, {"source", row.entry->source}});
    std::shared_ptr<const void> options;
    if (one) rows.back()["options"] = help_text([&](OptionVisitor& v) { row.entry->make(v, options); });
  }
}

void print(const Json& rows) {
  std::string family;
  for (const Json& row : rows) {
    const auto word = [&](const char* key) { return row.at(key).get<std::string>(); };
    if (!row.contains("options") && word("family") != family) fmt::print("{}\n", family = word("family"));
    fmt::print("  {:<18} {}\n  {:<18} {}\n{}", word("name"), word("summary"), "", word("source"), row.value("options", ""));
  }
}

void list(const std::string& wanted, bool json) {
  Json rows = Json::array();
  std::vector<std::string> words;
  add_rows<Backbone>(rows, "backbones", wanted, words);
  add_rows<Strategy>(rows, "strategies", wanted, words);
  add_rows<DistillLoss>(rows, "losses", wanted, words);
  add_rows<PretextTask>(rows, "tasks", wanted, words);
  add_rows<Contrast>(rows, "contrasts", wanted, words);
  add_rows<Augmentation>(rows, "augmentations", wanted, words);
  if (rows.empty()) {
    const auto near = nearest(wanted, words);
    throw UsageError(fmt::format("{} is no family and no method; {}", wanted, near ? "did you mean " + *near + "?" : "distal list shows them"));
  }
  if (json) fmt::print("{}\n", rows.dump(2));
  else print(rows);
}

}  // namespace

void add_list(CLI::App& app) {
  auto* command = app.add_subcommand("list", "the methods, each with its paper; with a method's name also its options");
  const auto wanted = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  command->add_option("what", *wanted, "backbones, strategies, losses, augmentations, tasks, contrasts, or the name of a method");
  command->add_flag("--json", *json, "an array of methods as JSON");
  command->callback([=] { list(*wanted, *json); });
}

}  // namespace distal
