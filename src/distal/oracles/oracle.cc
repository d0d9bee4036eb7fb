#include "distal/oracles/oracle.h"

#include <map>
#include <set>
#include <tuple>

#include <fmt/ranges.h>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/text.h"

namespace distal {
namespace {

using Kind = Named<Oracle>;

/// Lets a reader read the options of one kind that another kind was chosen over.
class OptionsOfOthers final : public OptionVisitor {
 public:
  OptionsOfOthers(OptionVisitor& reader, const std::set<std::string>& own)
      : reader_(reader), own_(own) {}
  void done() override {}

 protected:
  // What a word may be is not checked: kinds may have different options of one name.
  void value(const char* name, Field field, const char* help, Range range, const OneOf&) override {
    if (own_.contains(name)) return;
    std::visit([&](auto* target) { reader_(name, *target, help, range); }, field);
  }
  void section(const char*, const char*, const Section&) override {}

 private:
  OptionVisitor& reader_;
  const std::set<std::string>& own_;
};

std::vector<OptionRow> rows_of_kind(const Kind& kind, std::shared_ptr<const void> options) {
  return option_rows([&](OptionVisitor& v) { kind.entry->make(v, options); });
}

// The options of `kind` that the reader finds with a value that is not their default.
std::vector<std::string> given(const Kind& kind, OptionVisitor& reader,
                               const std::set<std::string>& own) {
  OptionsOfOthers visitor(reader, own);
  std::shared_ptr<const void> options;
  kind.entry->make(visitor, options);
  const auto before = rows_of_kind(kind, nullptr);
  const auto after = rows_of_kind(kind, options);
  std::vector<std::string> names;
  for (size_t i = 0; i < after.size(); ++i) {
    if (after[i].value != before[i].value) names.push_back(after[i].key);
  }
  return names;
}

// An option of another kind has no effect. What it is by default may stand there, since recipes
// that were resolved by earlier versions list the options of every kind.
void refuse_options_of_others(OptionVisitor& reader, const std::string& section,
                              const std::string& chosen) {
  std::set<std::string> own;
  for (const Kind& kind : catalogue<Oracle>()) {
    if (kind.name != chosen) continue;
    for (const OptionRow& row : rows_of_kind(kind, nullptr)) own.insert(row.key);
  }
  std::map<std::string, std::vector<std::string>> kinds_of;  // by option that was given
  for (const Kind& kind : catalogue<Oracle>()) {
    if (kind.name == chosen) continue;
    for (const std::string& name : given(kind, reader, own)) kinds_of[name].push_back(kind.name);
  }
  if (kinds_of.empty()) return;
  const auto& [name, kinds] = *kinds_of.begin();
  throw UsageError(fmt::format(
      "{0}: {4}.{1} has no effect with {4}.kind = {2}; it belongs to {3}: leave it out, or "
      "set the whole section (--set '{4}={{kind: {2}}}')",
      reader.place(), name, chosen, fmt::join(kinds, ", "), section));
}

}  // namespace

OracleOptions::OracleOptions(std::string section) : section(std::move(section)), kind("truth") {
  kind.method = make<Oracle>("truth");
}

void OracleOptions::visit(OptionVisitor& v) const {
  kind.visit_name(
      v, "kind", "the kind of oracle: labels of the lists, a trained teacher, a file, an endpoint");
  v("price", price, "price of one answer, in any currency", at_least(0));
  v("batch_size", batch_size, "clips per request", between(1, 65536));
  v("ask_again", ask_again,
    "asks again about clips whose answers were unusable and count as spent; a new answer may be "
    "billed again");
  if (!v.place().empty()) refuse_options_of_others(v, section, kind.name);  // a reader
  kind.visit_options(v);  // last: it closes the section
}

std::string OracleOptions::identity() const {
  return fmt::format("{}, {}, price {}, {}", kind.name, kind->line(), price,
                     kind->answer_options());
}

// A kind says what is missing as if it were the recipe's one oracle.
std::string OracleOptions::missing() const {
  const std::string_view usual = "oracle.";
  std::string text = kind->missing();
  for (size_t at = 0; (at = text.find(usual, at)) != std::string::npos;) {
    text.replace(at, usual.size() - 1, section);
    at += section.size() + 1;
  }
  return text;
}

std::string kinds_with(const std::function<bool(const OracleTraits&)>& wanted) {
  std::vector<std::tuple<bool, bool, std::string>> rows;
  for (const auto& row : catalogue<Oracle>()) {
    const OracleTraits traits = make<Oracle>(row.name)->traits();
    if (wanted(traits)) rows.emplace_back(!traits.trained_here, !traits.at_hand, row.name);
  }
  std::sort(rows.begin(), rows.end());
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    const char* before = i == 0 ? "" : i + 1 == rows.size() ? " or " : ", ";
    text += before + std::get<2>(rows[i]);
  }
  return text;
}

}  // namespace distal
