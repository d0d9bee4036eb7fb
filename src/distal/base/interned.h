#pragma once
// An interned string. Equal strings share one copy, which is never freed. The object has the size
// of a pointer. Use it for few names with many uses: a pool of 100,000 clips may have 5,000 videos.
// Converts to std::string. Thread-safe.

#include <compare>
#include <concepts>
#include <ostream>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace distal {

class Interned {
 public:
  Interned() : Interned(std::string_view()) {}
  Interned(std::string_view text);
  Interned(const std::string& text) : Interned(std::string_view(text)) {}
  Interned(const char* text) : Interned(std::string_view(text)) {}

  operator const std::string&() const { return *text_; }
  const std::string& str() const { return *text_; }
  bool empty() const { return text_->empty(); }

  friend bool operator==(const Interned& a, const Interned& b) { return a.text_ == b.text_; }
  friend std::strong_ordering operator<=>(const Interned& a, const Interned& b) {
    return a.text_ == b.text_ ? std::strong_ordering::equal : *a.text_ <=> *b.text_;
  }
  template <class Text>
  requires(std::convertible_to<const Text&, std::string_view> && !std::same_as<Text, Interned>)
  friend bool operator==(const Interned& a, const Text& b) {
    return *a.text_ == std::string_view(b);
  }
  friend std::ostream& operator<<(std::ostream& out, const Interned& name) {
    return out << *name.text_;
  }

 private:
  const std::string* text_;
};

}  // namespace distal

template <>
struct fmt::formatter<distal::Interned> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const distal::Interned& name, Context& context) const {
    return fmt::formatter<std::string_view>::format(name.str(), context);
  }
};
