#include "distal/cli/command_page.h"

#include <map>
#include <set>

#include <fmt/ranges.h>

#include "distal/cli/markdown.h"

namespace distal {
namespace {

std::vector<const CLI::App*> shown_commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::vector<const CLI::Option*> shown_options(const CLI::App& app, bool positional) {
  return app.get_options([=](const CLI::Option* option) {
    const bool hidden = option->get_group().empty() || option->check_lname("help");
    return !hidden && option->get_positional() == positional;
  });
}

bool takes_several(const CLI::Option& option) {
  return option.get_expected_max() >= CLI::detail::expected_max_vector_size;
}

// What an option takes, in our words. CLI11 says `INT:from 1 to 1024` and `TEXT:{auto,f32}`.
std::string value_words(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";  // a flag
  static const std::map<std::string, std::string> kinds = {
      {"TEXT", "text"}, {"INT", "whole number"}, {"FLOAT", "number"}};
  const std::string type = option.get_type_name();
  const size_t colon = std::min(type.find(':'), type.size());
  const auto kind = kinds.find(type.substr(0, colon));
  std::string words = kind == kinds.end() ? type.substr(0, colon) : kind->second;
  std::string limits = colon < type.size() ? type.substr(colon + 1) : "";
  if (limits.starts_with('{') && limits.ends_with('}')) {
    limits = limits.substr(1, limits.size() - 2);
    for (size_t at = limits.find(','); at != std::string::npos; at = limits.find(',', at + 2))
      limits.replace(at, 1, ", ");
    words = "one of " + limits;
  } else if (!limits.empty()) {
    words += ", " + limits;
  }
  return markdown_text(words) + (takes_several(option) ? ", several" : "");
}

// CLI11 keeps these options in the order of their addresses.
std::string sorted_names(const std::set<CLI::Option*>& options) {
  std::set<std::string> names;
  for (const CLI::Option* option : options) names.insert(markdown_code(option->get_name()));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string meaning_of(const CLI::Option& option) {
  std::string text = markdown_text(option.get_description());
  if (!option.get_needs().empty()) text += "; needs " + sorted_names(option.get_needs());
  if (!option.get_excludes().empty()) text += "; not with " + sorted_names(option.get_excludes());
  return text;
}

std::string arguments_table(const CLI::App& app) {
  const auto arguments = shown_options(app, /*positional=*/true);
  if (arguments.empty()) return "";
  std::string text = "| argument | value | needed | meaning |\n|---|---|---|---|\n";
  for (const CLI::Option* option : arguments)
    text += fmt::format("| `{}` | {} | {} | {} |\n", option->get_name(), value_words(*option),
                        option->get_required() ? "yes" : "no", meaning_of(*option));
  return text + "\n";
}

std::string flags_table(const CLI::App& app) {
  const auto flags = shown_options(app, /*positional=*/false);
  if (flags.empty()) return "";
  std::string text = "| flag | value | default | meaning |\n|---|---|---|---|\n";
  for (const CLI::Option* option : flags) {
    std::string value = option->get_required() ? "needed" : "";
    if (!option->get_default_str().empty()) value = markdown_code(option->get_default_str());
    text += fmt::format("| `{}` | {} | {} | {} |\n", option->get_name(false, true),
                        value_words(*option), value, meaning_of(*option));
  }
  return text + "\n";
}

std::string usage_of(const CLI::App& app, const std::string& path) {
  std::string usage = path + " [OPTIONS]";
  for (const CLI::Option* option : shown_options(app, /*positional=*/true)) {
    const std::string name = option->get_name() + (takes_several(*option) ? "..." : "");
    usage += option->get_required() ? " " + name : fmt::format(" [{}]", name);
  }
  return usage + (shown_commands(app).empty() ? "" : " SUBCOMMAND");
}

// What a command's help says below its flags: options for its --set.
std::string footer_of(const CLI::App& app, const std::string& recipe_help) {
  const std::string footer = app.get_footer();
  if (footer.empty()) return "";
  if (footer.find(recipe_help) != std::string::npos)
    return "`--set` takes the options of [a recipe](recipe.md).\n\n";
  return fmt::format("```\n{}{}```\n\n", footer, footer.ends_with('\n') ? "" : "\n");
}

std::string command_text(const CLI::App& app, const std::string& above, const std::string& marks,
                         const std::string& recipe_help) {
  const std::string path = above + " " + app.get_name();
  std::string text = fmt::format("{} {}\n\n{}\n\n```\n{}\n```\n\n", marks, path,
                                 markdown_text(app.get_description()), usage_of(app, path));
  text += arguments_table(app) + flags_table(app) + footer_of(app, recipe_help);
  for (const CLI::App* command : shown_commands(app))
    text += command_text(*command, path, marks + "#", recipe_help);
  return text;
}

}  // namespace

std::string commands_page(const CLI::App& app, const std::string& recipe_help) {
  std::string text = page_head("Command reference");
  text += "Every command takes `-h` and `--help`, which print its part of this page.\n"
          "Square brackets in a meaning hold a default that is no fixed value.\n"
          "[Troubleshooting](../guide/7-troubleshooting.md#exit-status) lists the exit "
          "statuses.\n\n";
  text += "| command | what it does |\n|---|---|\n";
  for (const CLI::App* command : shown_commands(app)) {
    const std::string path = "distal " + command->get_name();
    text += fmt::format("| {} | {} |\n", link_to(path, "", path),
                        markdown_text(command->get_description()));
  }
  text += "\n## distal\n\n```\n" + usage_of(app, "distal") + "\n```\n\n" + flags_table(app);
  for (const CLI::App* command : shown_commands(app))
    text += command_text(*command, "distal", "##", recipe_help);
  return text;
}

}  // namespace distal
