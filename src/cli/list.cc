#include "active/strategy.h"
#include "cli/command.h"
#include "distill/loss.h"
#include "models/model.h"

namespace distal {
namespace {

template <class Family>
bool show(const std::string& wanted, const char* title, const char* word) {
  const bool all = wanted.empty() || wanted == word;
  bool shown = false;
  if (all) fmt::print("{}\n", title);
  for (const auto& row : catalogue<Family>()) {
    if (!all && wanted != row.name) continue;
    fmt::print("  {:<18} {}\n  {:<18} {}\n", row.name, row.entry->summary, "", row.entry->source);
    std::shared_ptr<const void> options;
    if (wanted == row.name) fmt::print("{}", help_text([&](OptionVisitor& v) { row.entry->make(v, options); }));
    shown = true;
  }
  return shown;
}

}  // namespace

void add_list(CLI::App& app) {
  auto* command = app.add_subcommand("list", "the methods, each with its paper; with a method's name also its options");
  const auto wanted = std::make_shared<std::string>();
  command->add_option("what", *wanted, "backbones, strategies, losses, or the name of a method");
  command->callback([wanted] {
    bool shown = show<Backbone>(*wanted, "backbones", "backbones");
    shown |= show<Strategy>(*wanted, "strategies", "strategies");
    shown |= show<DistillLoss>(*wanted, "losses", "losses");
    if (shown) return;
    std::vector<std::string> words = {"backbones", "strategies", "losses"};
    for (const auto& row : catalogue<Backbone>()) words.push_back(row.name);
    for (const auto& row : catalogue<Strategy>()) words.push_back(row.name);
    for (const auto& row : catalogue<DistillLoss>()) words.push_back(row.name);
    const auto near = nearest(*wanted, words);
    throw UsageError(fmt::format("{} is no family and no method; {}", *wanted, near ? "did you mean " + *near + "?" : "distal list shows them"));
  });
}

}  // namespace distal
