#include "distal/base/plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include <fmt/ranges.h>

#include "distal/base/checksum.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr const char* kSymbol = "distal_plugin";

std::vector<LoadedPlugin>& plugins() {
  static std::vector<LoadedPlugin> all;
  return all;
}

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw UsageError(fmt::format("--plugin {}: {}", excerpt(file), what));
}

std::string id_of(const std::string& file) {
  try {
    return fmt::format("{:016x}", checksum(read_file(file)));
  } catch (const Error& error) {
    throw UsageError(fmt::format("--plugin {}", error.what()));
  }
}

// What the loader says begins with the file, whose name is said already.
std::string loader_words(const std::string& path) {
  const char* said = ::dlerror();
  const std::string words = said != nullptr ? said : "no reason given";
  return excerpt(words.starts_with(path + ": ") ? words.substr(path.size() + 2) : words);
}

const Plugin& open_plugin(const std::string& file) {
  // The loader looks for a name without '/' elsewhere.
  const std::string path = std::filesystem::absolute(file).string();
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    refuse(file, fmt::format("cannot be loaded ({}); give a shared library that was built against "
                             "this distal, {}",
                             loader_words(path), DISTAL_ABI));
  }
  void* symbol = ::dlsym(library, kSymbol);
  if (symbol == nullptr) {
    refuse(file, fmt::format("has no symbol {}, so it is no plugin of distal; write DISTAL_PLUGIN "
                             "of <distal/base/plugin.h> in one of its sources",
                             kSymbol));
  }
  const Plugin* plugin = reinterpret_cast<const Plugin* (*)()>(symbol)();
  if (plugin == nullptr || plugin->abi == nullptr) {
    refuse(file, fmt::format("its {} returns nothing; use DISTAL_PLUGIN", kSymbol));
  }
  if (std::string_view(plugin->abi) != DISTAL_ABI) {
    refuse(file, fmt::format("was built for {}, and this is {}; build it again with the headers, "
                             "the LibTorch and the compiler of this distal",
                             excerpt(plugin->abi), DISTAL_ABI));
  }
  return *plugin;
}

}  // namespace

void PluginMethods::add_row(const std::string& name, std::type_index family, bool taken,
                            Insert insert) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  if (name.empty() || !letter(name[0]) || !std::all_of(name.begin(), name.end(), fits)) {
    fail("its method '{}' has no name for recipes; use a-z, 0-9 and _, a letter first",
         excerpt(name, 60));
  }
  for (size_t i = 0; i < names_.size(); ++i) taken |= names_[i] == name && families_[i] == family;
  if (taken) {
    fail("its method {} has the name of another of that family (distal list shows them); "
         "give it another name",
         name);
  }
  names_.push_back(name);
  families_.push_back(family);
  inserts_.push_back(std::move(insert));
}

void PluginMethods::insert_all(const std::string& file) const {
  for (const auto& insert : inserts_) insert(file);
}

void load_plugin(const std::string& file) {
  const std::string id = id_of(file);
  const auto same = [&](const LoadedPlugin& other) { return other.id == id; };
  if (std::any_of(plugins().begin(), plugins().end(), same)) return;
  const Plugin& plugin = open_plugin(file);
  PluginMethods methods;
  try {
    plugin.add(methods);
  } catch (const std::exception& error) {
    refuse(file, excerpt(error.what()));
  }
  if (methods.names().empty()) {
    refuse(file, "adds no method; its DISTAL_PLUGIN(methods) must call methods.add");
  }
  methods.insert_all(file);
  plugins().push_back({file, id, methods.names()});
}

const std::vector<LoadedPlugin>& loaded_plugins() { return plugins(); }

std::string plugins_id() {
  std::vector<std::string> ids;
  for (const LoadedPlugin& plugin : plugins()) ids.push_back(plugin.id);
  std::sort(ids.begin(), ids.end());
  return fmt::format("{}", fmt::join(ids, "+"));
}

}  // namespace distal
