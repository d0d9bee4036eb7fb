#pragma once
// A method of a family, chosen by name. The functions of a choice need the methods of the family.
// They are compiled once, with the table of the family (base/catalogue.h). A header with a choice
// includes neither this table nor the visitors of options.

#include <memory>
#include <string>

namespace distal {

class OptionVisitor;

/// A method that a recipe chooses by name: `strategy: {name: badge, temperature: 2}` or `strategy:
/// badge`.
template <class Family>
struct Choice {
  std::string name;
  mutable std::shared_ptr<const Family> method;  // made by `visit` from name and options

  Choice() = default;
  explicit Choice(const char* name) : name(name) {}

  const Family& operator*() const { return *method; }
  const Family* operator->() const { return method.get(); }
  explicit operator bool() const { return method != nullptr; }
  void visit(OptionVisitor& visitor) const;
  /// The two parts of `visit`. They serve a section that has further options, or that names the
  /// method under another key: `oracle: {kind: http, price: 2, url: ...}`. Call visit_options last:
  /// it closes the section.
  void visit_name(OptionVisitor& visitor, const char* key, const char* help) const;
  void visit_options(OptionVisitor& visitor) const;

  /// The same method with the same options.
  bool operator==(const Choice& other) const;

 private:
  mutable std::shared_ptr<const void> options_;  // the method's own; made by `visit`
};

/// Makes the method of that name with the options in `yaml`: flow or block style, may be empty.
/// Throws UsageError.
template <class Family>
std::shared_ptr<const Family> make(const std::string& name, const std::string& yaml = "");

}  // namespace distal
