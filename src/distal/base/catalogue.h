#pragma once
// Catalogues of methods. A family is a kind of method: backbones, strategies, losses. Each method
// is one file in the folder of its family. The build generates the table of the family from the
// folder (cmake/rooms.cmake). The file of a method ends, in the namespace of the folder, with
//
//   extern const Entry<Strategy> entropy;
//   const Entry<Strategy> entropy =
//       entry<Strategy, Entropy>("one sentence", "authors, title, venue, year, equation");
//
// A method with options has a nested `struct Options { ...; void visit(OptionVisitor&) const; }`
// and a constructor from it. A method without options needs neither.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "distal/base/choice.h"
#include "distal/base/document.h"
#include "distal/base/options.h"

namespace distal {

template <class Family>
struct Entry {
  const char* summary;  // what it does, one sentence
  const char* source;   // the paper
  // Makes the method. Visits its options, which start from `kept`, or from the defaults if `kept`
  // is null. Stores the visited options in `kept`.
  std::shared_ptr<const Family> (*make)(OptionVisitor&, std::shared_ptr<const void>& kept);
};

template <class Family>
struct Named {
  std::string name;
  const Entry<Family>* entry;
  std::string plugin;  // the file it came from; empty: a method of distal
  friend bool operator<(const Named& a, const Named& b) { return a.name < b.name; }
};

/// Sorted by name. Adding a row does not invalidate pointers to other rows.
template <class Family>
using Catalogue = std::set<Named<Family>>;

/// The modifiable catalogue of a family, for plugins (base/plugin.h). The generated table
/// specialises it. Add rows before other threads start.
template <class Family>
Catalogue<Family>& all_methods();

/// The methods of a family, from distal and from plugins.
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

// What base/choice.h declares. The generated table instantiates it for its family.

template <class Family>
void Choice<Family>::visit(OptionVisitor& visitor) const {
  visit_name(visitor, "name", "the name of the method");
  visit_options(visitor);
}

template <class Family>
void Choice<Family>::visit_name(OptionVisitor& visitor, const char* key, const char* help) const {
  std::vector<std::string> names;
  for (const auto& row : catalogue<Family>()) names.push_back(row.name);
  const std::string before = name;
  visitor(key, name, help, one_of(names));
  if (name != before) options_.reset();  // another method's options
}

template <class Family>
void Choice<Family>::visit_options(OptionVisitor& visitor) const {
  for (const auto& row : catalogue<Family>()) {
    if (row.name == name) method = row.entry->make(visitor, options_);
  }
}

template <class Family>
bool Choice<Family>::operator==(const Choice& other) const {
  return name == other.name && resolved(*this) == resolved(other);
}

template <class Family>
std::shared_ptr<const Family> make(const std::string& name, const std::string& yaml) {
  Choice<Family> choice;
  read_options(choice, yaml.empty() ? "{name: " + name + "}" : "{name: " + name + ", " + yaml + "}",
               "options");
  return choice.method;
}

}  // namespace distal
