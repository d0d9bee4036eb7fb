#pragma once
// A statement that is put together from parts, with its parameters. Only store/ includes this.

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "distal/store/sql.h"

namespace distal {

class Query {
 public:
  explicit Query(std::string text) : text_(std::move(text)) {}

  Query& add(std::string_view text) {
    text_ += text;
    return *this;
  }
  /// `text`, and a parameter behind it.
  Query& add(std::string_view text, int64_t value) { return add_value(text, value); }
  Query& add(std::string_view text, double value) { return add_value(text, value); }
  Query& add(std::string_view text, const std::string& value) { return add_value(text, value); }

  const std::string& text() const { return text_; }

  /// What a statement yields. A Row has `void exchange(soci::statement&)`, which names where the
  /// columns go, and `value()`, which is called for each row.
  template <class Row>
  auto all(soci::session& sql) const {
    Row row;
    std::vector<decltype(row.value())> rows;
    soci::statement prepared(sql);
    prepared.alloc();
    row.exchange(prepared);
    prepare(prepared);
    prepared.execute();
    while (prepared.fetch()) rows.push_back(row.value());
    return rows;
  }

  /// For a statement that yields no rows: how many it changed.
  int64_t execute(soci::session& sql) const {
    soci::statement prepared(sql);
    prepared.alloc();
    prepare(prepared);
    prepared.execute(/*with_data_exchange=*/true);
    return prepared.get_affected_rows();
  }

 private:
  template <class Value>
  Query& add_value(std::string_view text, const Value& value) {
    text_ += fmt::format("{}:q{}", text, values_.size());
    values_.emplace_back(value);
    return *this;
  }

  void prepare(soci::statement& prepared) const {
    for (const auto& value : values_) {
      std::visit([&](const auto& one) { prepared.exchange(soci::use(one)); }, value);
    }
    prepared.prepare(text_);
    prepared.define_and_bind();
  }

  std::string text_;
  std::list<std::variant<int64_t, double, std::string>> values_;  // SOCI keeps references
};

/// A row of one column.
template <class Value>
struct OneColumn {
  Value column{};
  void exchange(soci::statement& statement) { statement.exchange(soci::into(column)); }
  Value value() const { return column; }
};

}  // namespace distal
