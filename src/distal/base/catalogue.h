#pragma once
// The families (backbones, strategies, losses): one method is one file, and the build writes the
// family's table from the folder (cmake/rooms.cmake). A method's file ends with
//
//   extern const Entry<Strategy> entropy;
//   const Entry<Strategy> entropy = entry<Strategy, Entropy>("one sentence", "authors, title,
//   venue, year, equation");
//
// in the namespace of the folder. A method without options needs no `visit`; one with options has a
// nested `struct Options { ...; void visit(OptionVisitor&) const; }` and a constructor from it.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "distal/base/options.h"

namespace distal {

template <class Family>
struct Entry {
  const char* summary;  // what it does, one sentence
  const char* source;   // the paper
  // Visits the method's own options (starting from `kept`, or from the defaults where it is null),
  // keeps them in `kept` and makes the method from them.
  std::shared_ptr<const Family> (*make)(OptionVisitor&, std::shared_ptr<const void>& kept);
};

template <class Family>
struct Named {
  std::string name;
  const Entry<Family>* entry;
  std::string plugin;  // the file it came from; empty: a method of distal
  friend bool operator<(const Named& a, const Named& b) { return a.name < b.name; }
};

/// Sorted by name. A row stays where it is in memory when others are added.
template <class Family>
using Catalogue = std::set<Named<Family>>;

/// The rows of a family, to add to (base/plugin.h). Specialised by the generated table. Add before
/// other threads start.
template <class Family>
Catalogue<Family>& all_methods();

/// The methods of a family: those of distal and those of plugins.
template <class Family>
const Catalogue<Family>& catalogue() {
  return all_methods<Family>();
}

template <class Family, class Method>
constexpr Entry<Family> entry(const char* summary, const char* source) {
  return {summary, source,
          [](OptionVisitor& visitor,
             std::shared_ptr<const void>& kept) -> std::shared_ptr<const Family> {
            if constexpr (requires { typename Method::Options; }) {
              using Options = typename Method::Options;
              const auto options =
                  kept ? std::make_shared<Options>(*static_cast<const Options*>(kept.get()))
                       : std::make_shared<Options>();
              options->visit(visitor);
              visitor.done();
              kept = options;
              return std::make_shared<Method>(*options);
            } else {
              visitor.done();
              return std::make_shared<Method>();
            }
          }};
}

/// A method chosen by name in a recipe, `strategy: {name: badge, temperature: 2}` or just
/// `strategy: badge`.
template <class Family>
struct Choice {
  std::string name;
  mutable std::shared_ptr<const Family>
      method;  // follows from the name and the options; made by `visit`

  Choice() = default;
  explicit Choice(const char* name) : name(name) {}

  const Family& operator*() const { return *method; }
  const Family* operator->() const { return method.get(); }
  explicit operator bool() const { return method != nullptr; }
  void visit(OptionVisitor& visitor) const {
    visit_name(visitor, "name", "which method");
    visit_options(visitor);
  }
  /// The two halves of `visit`, for a section that has options of its own beside the method's, or
  /// that names the method under another key: `oracle: {kind: http, price: 2, url: ...}`.
  /// visit_options comes last: it closes the section.
  void visit_name(OptionVisitor& visitor, const char* key, const char* help) const {
    std::vector<std::string> names;
    for (const auto& row : catalogue<Family>()) names.push_back(row.name);
    const std::string before = name;
    visitor(key, name, help, one_of(names));
    if (name != before) options_.reset();  // another method's options
  }
  void visit_options(OptionVisitor& visitor) const {
    for (const auto& row : catalogue<Family>()) {
      if (row.name == name) method = row.entry->make(visitor, options_);
    }
  }

  /// The same method with the same options.
  bool operator==(const Choice& other) const {
    return name == other.name && resolved(*this) == resolved(other);
  }

 private:
  mutable std::shared_ptr<const void> options_;  // the method's own; made by `visit`
};

/// The method of that name with the options in `yaml` (flow or block text, may be empty). For code
/// and tests.
template <class Family>
std::shared_ptr<const Family> make(const std::string& name, const std::string& yaml = "") {
  Choice<Family> choice;
  read_options(choice, yaml.empty() ? "{name: " + name + "}" : "{name: " + name + ", " + yaml + "}",
               "options");
  return choice.method;
}

}  // namespace distal
