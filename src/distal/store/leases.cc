#include "distal/store/leases.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <random>
#include <sstream>

#include <fmt/format.h>

namespace distal {
namespace {

/// A process as /proc/PID/stat has it.
struct Stat {
  int64_t pid = 0;
  char state = 0;       // Z and X: it has ended and is not collected yet
  int64_t started = 0;  // clock ticks since the boot
};

// The name of a program stands in parentheses and may hold anything.
std::optional<Stat> stat_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  Stat stat;
  std::istringstream(line) >> stat.pid;
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  fields >> stat.state;
  constexpr int kStarted = 22;  // proc(5); the state is field 3
  std::string skipped;
  for (int field = 4; field < kStarted; ++field) fields >> skipped;
  if (!(fields >> stat.started)) return std::nullopt;
  return stat;
}

// Containers of one machine count processes each for itself.
std::string boot_of_this_process() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  std::error_code unknown;
  const auto space = std::filesystem::read_symlink("/proc/self/ns/pid", unknown);
  if (boot.empty() || unknown) return "";
  return boot + " " + space.string();
}

// Signals are for the thread that works.
std::thread start_without_signals(const std::function<void()>& work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(work);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

std::string random_key() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

Owner this_process() {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const auto stat = stat_of("self");
  const bool seen = stat && stat->pid == ::getpid();  // not where /proc is another container's
  return {host, seen ? boot_of_this_process() : "", ::getpid(), seen ? stat->started : 0};
}

bool is_dead(const Owner& owner) {
  if (owner.boot.empty() || owner.boot != this_process().boot) return false;
  const auto stat = stat_of(std::to_string(owner.pid));
  if (stat) return stat->started != owner.started || stat->state == 'Z' || stat->state == 'X';
  return ::kill(static_cast<pid_t>(owner.pid), 0) != 0 && errno == ESRCH;  // /proc may hide others'
}

std::string process_name(const Owner& owner) {
  const Owner self = this_process();
  if (owner.boot != self.boot) return fmt::format("process {} on {}", owner.pid, owner.host);
  if (owner.pid == self.pid) return fmt::format("this process ({})", owner.pid);
  return fmt::format("process {}", owner.pid);
}

std::map<int64_t, Lease> all_leases(soci::session& sql, const Dialect& dialect) {
  std::map<int64_t, Lease> all;
  int64_t run = 0;
  Lease lease;
  soci::statement rows =
      (sql.prepare << fmt::format("SELECT run, holder, host, boot, pid, started, until_ms - {} "
                                  "FROM leases",
                                  dialect.now_ms()),
       soci::into(run), soci::into(lease.holder), soci::into(lease.owner.host),
       soci::into(lease.owner.boot), soci::into(lease.owner.pid), soci::into(lease.owner.started),
       soci::into(lease.left_ms));
  for (rows.execute(); rows.fetch();) all[run] = lease;
  return all;
}

Leases::Leases(std::string url, const LeaseTimes& times)
    : url_(std::move(url)), holder_(random_key()), times_(times) {}

Leases::~Leases() { end_thread(); }

void Leases::take(soci::session& sql, const Dialect& dialect, int64_t run) const {
  const Owner self = this_process();
  const auto lease_ms = static_cast<int64_t>(1000 * times_.lease_s);
  sql << "DELETE FROM leases WHERE run = :r", soci::use(run);
  sql << fmt::format("INSERT INTO leases (run, holder, host, boot, pid, started, until_ms) "
                     "VALUES (:r, :h, :n, :b, :p, :s, {} + :l)",
                     dialect.now_ms()),
      soci::use(run), soci::use(holder_), soci::use(self.host), soci::use(self.boot),
      soci::use(self.pid), soci::use(self.started), soci::use(lease_ms);
}

void Leases::took(int64_t run) {
  taken_.insert(run);
  has_any_ = true;
  if (!heart_.joinable()) heart_ = start_without_signals([this] { keep_renewing(); });
}

void Leases::give_back(soci::session& sql, int64_t run) const {
  sql << "DELETE FROM leases WHERE run = :r AND holder = :h", soci::use(run), soci::use(holder_);
}

void Leases::gave_back(int64_t run) {
  taken_.erase(run);
  has_any_ = !taken_.empty();
}

void Leases::close(Database& db) {
  end_thread();
  if (taken_.empty()) return;
  db.write([&](soci::session& sql) {
    sql << "DELETE FROM leases WHERE holder = :h", soci::use(holder_);
  });
}

// A beat that fails, as on a full disk, costs nothing: a lease lasts for several.
void Leases::renew() {
  if (!has_any_) return;
  try {
    if (!db_) db_ = std::make_unique<Database>(url_);
    const auto lease_ms = static_cast<int64_t>(1000 * times_.lease_s);
    db_->write([&](soci::session& sql) {
      sql << fmt::format("UPDATE leases SET until_ms = {} + :l WHERE holder = :h",
                         db_->dialect().now_ms()),
          soci::use(lease_ms), soci::use(holder_);
    });
  } catch (const std::exception&) {
    db_.reset();
  }
}

void Leases::keep_renewing() {
  const std::chrono::duration<double> beat(times_.heartbeat_s);
  std::unique_lock lock(mutex_);
  while (!ending_.wait_for(lock, beat, [&] { return ends_; })) {
    lock.unlock();
    renew();
    lock.lock();
  }
}

void Leases::end_thread() {
  if (!heart_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  ending_.notify_all();
  heart_.join();
}

}  // namespace distal
