#include "distal/store/bulk.h"

#include <algorithm>

#include <fmt/format.h>

#include "distal/base/error.h"

namespace distal {
namespace {

// PostgreSQL takes a parameter whose type nothing tells for a text.
constexpr const char* kTypes[] = {"BIGINT", "DOUBLE PRECISION", "TEXT"};  // by Column::values

}  // namespace

template <class Values>
Given& Given::add(const char* name, const Values& values) {
  expect(columns_.empty() || values.size() == rows_, "the columns of a table are equally long");
  rows_ = values.size();
  columns_.push_back({name, &values});
  return *this;
}

Given& Given::column(const char* name, const std::vector<int64_t>& values) {
  return add(name, values);
}

Given& Given::column(const char* name, const std::vector<double>& values) {
  return add(name, values);
}

Given& Given::column(const char* name, const std::vector<std::string>& values) {
  return add(name, values);
}

// A few parameters are left for the statement itself.
size_t Given::chunk() const {
  return static_cast<size_t>(dialect_.most_parameters() - 16) / columns_.size();
}

size_t Given::end(size_t first) const { return std::min(rows_, first + chunk()); }

std::string Given::table(size_t first) const {
  std::string text = "WITH given (place";
  for (const Column& column : columns_) text += ", " + column.name;
  text += ") AS (VALUES ";
  int64_t parameter = 0;
  for (size_t row = first; row < end(first); ++row) {
    text += fmt::format("{}({}", row == first ? "" : ", ", row);
    for (const Column& column : columns_) {
      text += fmt::format(", CAST({} AS {})", dialect_.parameter(parameter),
                          kTypes[column.values.index()]);
      ++parameter;
    }
    text += ")";
  }
  return text + ") ";
}

void Given::bind(soci::statement& statement, size_t first) const {
  for (size_t row = first; row < end(first); ++row) {
    for (const Column& column : columns_) {
      const auto use = [&](const auto* values) { statement.exchange(soci::use((*values)[row])); };
      std::visit(use, column.values);
    }
  }
}

}  // namespace distal
