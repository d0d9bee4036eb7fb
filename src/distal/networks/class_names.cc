#include "distal/networks/class_names.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/json.h"
#include "distal/base/yaml.h"

namespace distal {
namespace {

constexpr std::array<const char*, 5> kNameKeys = {"classes", "class_names", "id2label", "names",
                                                  "labels"};
constexpr int64_t kMostDescriptionBytes = 16 << 20;

std::optional<size_t> class_number(const std::string& text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Rows of number and name, put in order; empty where the numbers are not 0 to K - 1.
std::vector<std::string> in_order(
    const std::vector<std::pair<std::string, std::string>>& numbered) {
  std::vector<std::string> names(numbered.size());
  std::vector<bool> seen(numbered.size());
  bool said = false;
  for (const auto& [number, name] : numbered) {
    const auto at = class_number(number);
    if (!at || *at >= names.size() || seen[*at]) return {};
    seen[*at] = true;
    names[*at] = name;
    said |= name != "LABEL_" + number;  // what Hugging Face writes where nobody named the classes
  }
  return said ? names : std::vector<std::string>();
}

std::vector<std::string> names_in(const nlohmann::json& value) {
  if (value.is_string()) return class_names_of(value.get<std::string>());
  std::vector<std::pair<std::string, std::string>> numbered;
  if (!value.is_array() && !value.is_object()) return {};
  for (const auto& [key, name] : value.items()) {
    if (!name.is_string()) return {};
    numbered.emplace_back(key, name.get<std::string>());
  }
  return in_order(numbered);
}

std::vector<std::string> names_in(const Yaml& value) {
  std::vector<std::pair<std::string, std::string>> numbered;
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (!value.items[i].is_text()) return {};
    numbered.emplace_back(std::to_string(i), value.items[i].text);
  }
  for (const auto& entry : value.entries) {
    if (!entry.value.is_text()) return {};
    numbered.emplace_back(entry.key, entry.value.text);
  }
  return in_order(numbered);
}

std::string trimmed_name(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string> words_between(const std::string& text, char mark) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(mark, at), text.size());
    if (auto word = trimmed_name(text.substr(at, end - at)); !word.empty())
      words.push_back(std::move(word));
    at = end + 1;
  }
  return words;
}

}  // namespace

std::vector<std::string> class_names_of(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  if (text[first] != '[' && text[first] != '{')
    return words_between(text, text.find('\n') != std::string::npos ? '\n' : ',');
  try {
    return names_in(parse_json(text, "names"));
  } catch (const Error&) {  // JSON is YAML, but keys that are numbers are no JSON
  }
  try {
    return names_in(parse_yaml(text, "names"));
  } catch (const Error&) {
    return {};
  }
}

std::vector<std::string> class_names_of_json(const std::string& text) {
  try {
    const auto value = parse_json(text, "description");
    if (!value.is_object()) return {};
    for (const char* key : kNameKeys) {
      if (!value.contains(key)) continue;
      if (auto names = names_in(value.at(key)); !names.empty()) return names;
    }
  } catch (const Error&) {  // another program's file, of no interest here
  }
  return {};
}

std::vector<std::string> class_names_of(const std::map<std::string, std::string>& metadata) {
  if (const auto at = metadata.find("distal"); at != metadata.end()) {
    if (auto names = class_names_of_json(at->second); !names.empty()) return names;
  }
  for (const char* key : kNameKeys) {
    const auto at = metadata.find(key);
    if (at == metadata.end()) continue;
    // One name is no choice: a number of classes, or a file of names.
    if (auto names = class_names_of(at->second); names.size() > 1) return names;
  }
  return {};
}

std::vector<std::string> class_names_beside(const std::string& file) {
  const std::filesystem::path path(file);
  auto renamed = path;
  renamed.replace_extension(".json");
  for (const auto& beside :
       {std::filesystem::path(file + ".json"), renamed, path.parent_path() / "config.json"}) {
    std::error_code unknown;
    if (!std::filesystem::is_regular_file(beside, unknown)) continue;
    if (auto names = class_names_of_json(read_file(beside.string(), kMostDescriptionBytes));
        !names.empty())
      return names;
  }
  return {};
}

}  // namespace distal
