#pragma once
// Statements over many rows at once, so that 100,000 clips cost a handful of queries. Only store/
// includes this.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "distal/store/dialect.h"

namespace distal {

/// Rows that the caller gives, which a statement reads as a table named `given`: the columns added
/// here, and `place`, the number of the row from 0.
class Given {
 public:
  explicit Given(const Dialect& dialect) : dialect_(dialect) {}

  /// Columns are kept by reference and have equally many rows.
  Given& column(const char* name, const std::vector<int64_t>& values);
  Given& column(const char* name, const std::vector<double>& values);
  Given& column(const char* name, const std::vector<std::string>& values);

  /// Executes `statement` over as many rows at once as the database takes parameters, from the
  /// first row to the last. `exchanged` are what SOCI calls into() and use(); `on_row` is called
  /// for each row that the statement yields. Where there are no rows, nothing is executed.
  template <class OnRow, class... Exchanged>
  void each(soci::session& sql, const std::string& statement, OnRow&& on_row,
            const Exchanged&... exchanged) const {
    in_chunks(
        sql, statement,
        [&](soci::statement& prepared) {
          prepared.execute();
          while (prepared.fetch()) on_row();
        },
        exchanged...);
  }

  /// The same for a statement that yields no rows.
  template <class... Exchanged>
  void execute(soci::session& sql, const std::string& statement,
               const Exchanged&... exchanged) const {
    in_chunks(
        sql, statement,
        [](soci::statement& prepared) { prepared.execute(/*with_data_exchange=*/true); },
        exchanged...);
  }

 private:
  struct Column {
    std::string name;
    std::variant<const std::vector<int64_t>*, const std::vector<double>*,
                 const std::vector<std::string>*>
        values;
  };

  // Executes each chunk of rows by `run`, which takes the prepared statement.
  template <class Run, class... Exchanged>
  void in_chunks(soci::session& sql, const std::string& statement, const Run& run,
                 const Exchanged&... exchanged) const {
    for (size_t first = 0; first < rows_; first += chunk()) {
      soci::statement prepared(sql);
      prepared.alloc();
      bind(prepared, first);
      (prepared.exchange(exchanged), ...);
      prepared.prepare(table(first) + statement);
      prepared.define_and_bind();
      run(prepared);
    }
  }

  template <class Values>
  Given& add(const char* name, const Values& values);
  size_t chunk() const;
  size_t end(size_t first) const;
  std::string table(size_t first) const;  // WITH given (...) AS (VALUES ...)
  void bind(soci::statement& statement, size_t first) const;

  const Dialect& dialect_;
  std::vector<Column> columns_;
  size_t rows_ = 0;
};

}  // namespace distal
