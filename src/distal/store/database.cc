#include "distal/store/database.h"

#include <chrono>

#include <fmt/format.h>

#include "distal/base/utc.h"
#include "distal/store/schema.h"

namespace distal {
namespace {

constexpr int kFarewell_ms = 1000;

}  // namespace

Transaction::Transaction(Dialect& dialect, soci::session& sql) : dialect_(dialect), sql_(sql) {
  dialect_.begin(sql_);
}

Transaction::~Transaction() {
  if (open_) dialect_.roll_back(sql_);
}

void Transaction::commit() {
  sql_ << "COMMIT";
  open_ = false;
}

Database::Database(const std::string& url) : dialect_(dialect_of(url)) {
  read([&](soci::session& sql) {
    dialect_->connect(sql);
    migrate(*dialect_, sql);
    dialect_->settle(sql);
  });
}

Database::PaidWrite::PaidWrite(Dialect& dialect) : dialect_(dialect) {
  dialect_.wait_after_signal(kFarewell_ms);
}

Database::PaidWrite::~PaidWrite() { dialect_.wait_after_signal(0); }

std::string utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return utc_text(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace distal
