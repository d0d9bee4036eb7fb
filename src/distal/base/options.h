#pragma once
// Options, each declared once. An options struct belongs to its user, initialises each field with
// the default, and declares the fields in
//
//   void visit(OptionVisitor& v) const {
//     v("epochs", epochs, "passes over the labelled clips", at_least(1));
//   }
//
// One visitor reads a recipe (base/document.h). It refuses an unknown key, a wrong type or a value
// out of range as `file:line:column: problem, fix`. Other visitors write the resolved values as
// YAML, and describe the options for the help and the reference. Sections nest. A section may be
// absent (std::optional).

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace distal {

/// The default limit of every number. Larger values could overflow in products or never end.
inline constexpr double kMostNumber = 1e9;

struct Range {  // inclusive
  double low = -kMostNumber;
  double high = kMostNumber;
};
inline Range at_least(double low) { return {low, kMostNumber}; }
inline Range between(double low, double high) { return {low, high}; }

struct OneOf {
  std::vector<std::string> words;  // empty: any text
};
inline OneOf one_of(std::vector<std::string> words) { return {std::move(words)}; }

class OptionVisitor {
 public:
  using Field = std::variant<const bool*, const int64_t*, const double*, const std::string*,
                             const std::optional<int64_t>*, const std::optional<double>*,
                             const std::optional<std::string>*, const std::vector<int64_t>*,
                             const std::vector<double>*, const std::vector<std::string>*>;
  virtual ~OptionVisitor() = default;

  template <class T>
  requires std::constructible_from<Field, const T*>
  void operator()(const char* name, const T& field, const char* help) {
    value(name, &field, help, {}, {});
  }
  template <class T>
  requires std::constructible_from<Field, const T*>
  void operator()(const char* name, const T& field, const char* help, Range range) {
    value(name, &field, help, range, {});
  }
  template <class T>
  requires std::constructible_from<Field, const T*>
  void operator()(const char* name, const T& field, const char* help, const OneOf& words) {
    value(name, &field, help, {}, words);
  }
  template <class T>
  requires requires(const T& section, OptionVisitor& v) { section.visit(v); }
  void operator()(const char* name, const T& options, const char* help) {
    section(name, help, Present<T>(options));
  }
  template <class T>
  requires requires(const T& section, OptionVisitor& v) { section.visit(v); }
  void operator()(const char* name, const std::optional<T>& options, const char* help) {
    section(name, help, Optional<T>(options));
  }

  /// Called after the last field of a section. A reader then refuses unknown keys.
  virtual void done() = 0;
  /// `file:line:column` of the visited section, for errors about several fields.
  virtual std::string place() const { return ""; }

 protected:
  /// A section of options.
  class Section {
   public:
    virtual ~Section() = default;
    virtual bool present() const = 0;
    /// Visits its options. An absent section visits its defaults.
    virtual void visit(OptionVisitor& v) const = 0;
    /// For readers: an absent section becomes its defaults.
    virtual void make() const = 0;
  };

  virtual void value(const char* name, Field field, const char* help, Range range,
                     const OneOf& words) = 0;
  virtual void section(const char* name, const char* help, const Section& section) = 0;

  /// For readers. `visit` is const, because most visitors only read. The options that a reader
  /// visits are not const objects (Document::read), so the cast is valid.
  template <class T>
  static T& writable(const T& field) {
    return const_cast<T&>(field);
  }

 private:
  template <class T>
  class Present final : public Section {
   public:
    explicit Present(const T& options) : options_(options) {}
    bool present() const override { return true; }
    void visit(OptionVisitor& v) const override { options_.visit(v); }
    void make() const override {}

   private:
    const T& options_;
  };
  template <class T>
  class Optional final : public Section {
   public:
    explicit Optional(const std::optional<T>& options) : options_(options) {}
    bool present() const override { return options_.has_value(); }
    void visit(OptionVisitor& v) const override { options_ ? options_->visit(v) : T().visit(v); }
    void make() const override {
      if (!options_) writable(options_).emplace();
    }

   private:
    const std::optional<T>& options_;
  };
};

/// Parses a number of a recipe or of the command line: decimal, with an optional exponent. nullopt
/// if the text is not a number or not finite.
std::optional<double> number_of(std::string_view text);

/// All options as YAML, in declaration order.
std::string resolved_yaml(const std::function<void(OptionVisitor&)>& visit);

/// The description of a section or of an option.
struct OptionRow {
  std::string key;   // dotted, from the section that is visited: `training.steps`
  std::string help;  // one sentence
  bool section = false;
  bool present = true;             // a section: false where it is absent by default
  std::string type;                // an option: `whole number`, `list of numbers`, `text or none`
  std::string value;               // an option: the default, `none` where it has none
  Range range;                     // an option: what a number may be
  std::vector<std::string> words;  // an option: what a text may be; empty: any text
};
/// Every section and option, in declaration order. The options of absent sections are included.
std::vector<OptionRow> option_rows(const std::function<void(OptionVisitor&)>& visit);
/// One line per row: dotted name, default, description, range.
std::string help_text(const std::vector<OptionRow>& rows);
std::string help_text(const std::function<void(OptionVisitor&)>& visit);

template <class T>
std::string resolved(const T& options) {
  return resolved_yaml([&](OptionVisitor& v) { options.visit(v); });
}

/// The word of `words` with the least edit distance to `word`. nullopt if no word is close.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& words);

}  // namespace distal
