#pragma once
// Plugins: shared libraries with methods of a user. `distal --plugin FILE.so ...` or load_plugin()
// loads a plugin. A complete plugin:
//
//   #include <distal/active/strategy.h>
//   #include <distal/base/plugin.h>
//
//   class Mine final : public distal::Strategy { ... };
//
//   DISTAL_PLUGIN(methods) {
//     methods.add<distal::Strategy, Mine>("mine", "what it does, one sentence",
//                                         "authors, title, venue, year");
//   }
//
// A plugin is a program: it runs with the rights of the process that loads it. It stays loaded
// until the process ends. Not thread-safe: load plugins before other threads start.

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include <torch/version.h>

#include "distal/base/abi.h"
#include "distal/base/catalogue.h"

#define DISTAL_TEXT_OF(value) #value
#define DISTAL_TEXT(value) DISTAL_TEXT_OF(value)
/// The tag that must be equal in distal and in a plugin. It contains the version and the public
/// headers of distal, the version of LibTorch, and the C++ ABI: its version and the ABI of
/// std::string.
#define DISTAL_ABI                                                                    \
  "distal " DISTAL_VERSION " (headers " DISTAL_INTERFACE "), LibTorch " TORCH_VERSION \
  ", C++ ABI " DISTAL_TEXT(__GXX_ABI_VERSION) "." DISTAL_TEXT(_GLIBCXX_USE_CXX11_ABI)

/// Defines the symbol that distal looks for. The body that follows adds the methods.
// NOLINTBEGIN(bugprone-macro-parentheses): `methods` is a name
#define DISTAL_PLUGIN(methods)                                                              \
  static void distal_plugin_add(distal::PluginMethods& methods);                            \
  extern "C" __attribute__((visibility("default"))) const distal::Plugin* distal_plugin() { \
    static const distal::Plugin plugin = {DISTAL_ABI, &distal_plugin_add};                  \
    return &plugin;                                                                         \
  }                                                                                         \
  static void distal_plugin_add(distal::PluginMethods& methods)
// NOLINTEND(bugprone-macro-parentheses)

namespace distal {

/// The methods that a plugin adds. They enter the catalogues only after all of them were checked.
class PluginMethods {
 public:
  /// Adds a method to a family. Recipes use `name`, which consists of a-z, 0-9 and _. Throws Error:
  /// another name, or a name that the family has already.
  template <class Family, class Method>
  void add(const std::string& name, const char* summary, const char* source) {
    static_assert(std::is_base_of_v<Family, Method>, "a method derives from its family");
    const bool taken = all_methods<Family>().contains({name, nullptr, ""});
    add_row(name, typeid(Family), taken, [=](const std::string& file) {
      // Kept until the end, as the plugin is.
      const auto* kept = new Entry<Family>(entry<Family, Method>(summary, source));
      all_methods<Family>().insert({name, kept, file});
    });
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  friend void load_plugin(const std::string& file);
  friend class PluginMethodsPeer;  // tests
  using Insert = std::function<void(const std::string& file)>;
  void add_row(const std::string& name, std::type_index family, bool taken, Insert insert);
  void insert_all(const std::string& file) const;
  std::vector<std::string> names_;
  std::vector<std::type_index> families_;
  std::vector<Insert> inserts_;
};

/// `distal_plugin()` returns a pointer to this struct. distal checks `abi` before it uses `add`.
struct Plugin {
  const char* abi;
  void (*add)(PluginMethods& methods);
};

struct LoadedPlugin {
  std::string file;                  // as it was named
  std::string id;                    // 16 hex digits: a hash of the bytes of the file
  std::vector<std::string> methods;  // in the order in which they were added
};

/// Adds the methods of a plugin to the catalogues. Loading an identical file again has no effect.
/// Throws UsageError, and adds nothing: the file cannot be read, is not a shared library, lacks the
/// symbol, was built for another distal, or has a method whose name is taken.
void load_plugin(const std::string& file);

const std::vector<LoadedPlugin>& loaded_plugins();

/// The ids of the loaded plugins, sorted and joined by '+'. Empty without plugins. Results depend
/// on it and on computation_id() (base/revision.h).
std::string plugins_id();

}  // namespace distal
