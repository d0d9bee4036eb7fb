#include "distal/serve/events.h"

#include <chrono>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/revision.h"
#include "distal/serve/refusal.h"
#include "distal/video/probe.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kEvery = std::chrono::milliseconds(500);
constexpr auto kHeartbeat = std::chrono::seconds(10);
constexpr size_t kMostWaiting = 100;
constexpr const char* kSqlite = "sqlite:";

std::string event_text(const std::string& name, const Json& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json_text(data));
}

}  // namespace

Events::Events(Pool<PeopleStore>& people, Studies& studies, Served& served, std::string store_url,
               Clock now)
    : people_(people), studies_(studies), served_(served), now_(std::move(now)) {
  if (store_url.starts_with(kSqlite)) path_ = store_url.substr(std::string(kSqlite).size());
  worker_ = std::thread([this] { work(); });
}

Events::~Events() {
  close();
  worker_.join();
}

void Events::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void Events::look_now() {
  const std::lock_guard lock(mutex_);
  hurry_ = true;
  changed_.notify_all();
}

Events::Listener::Listener(Events& events, std::string person, bool all)
    : events_(events), person_(std::move(person)), all_(all) {
  const std::string left = events_.left_of(person_);
  const std::lock_guard lock(events_.mutex_);
  if (events_.listeners_.size() >= kMostListeners) {
    throw Refusal(429, "too_many_requests", "events: too many pages listen; close some of them",
                  30);
  }
  waiting_.push_back(event_text("hello", {{"version", revision()}, {"now_ms", events_.now_()}}));
  waiting_.push_back(left);
  events_.listeners_.push_back(this);
}

Events::Listener::~Listener() {
  const std::lock_guard lock(events_.mutex_);
  events_.listeners_.remove(this);
}

bool Events::Listener::next(std::string& text) {
  std::unique_lock lock(events_.mutex_);
  const auto until = std::chrono::steady_clock::now() + kHeartbeat;
  events_.changed_.wait_until(lock, until, [&] { return events_.closed_ || !waiting_.empty(); });
  if (events_.closed_) return false;
  text = waiting_.empty() ? ": still here\n\n" : "";
  for (; !waiting_.empty(); waiting_.pop_front()) text += waiting_.front();
  return true;
}

std::string Events::left_of(const std::string& person) {
  return event_text("item", {{"left", people_.borrow()->left(person)}});
}

void Events::work() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    const bool hear = !listeners_.empty();
    lock.unlock();
    try {
      if (hear) look();
    } catch (const std::exception&) {  // the store is locked for long: the next look tells
    }
    lock.lock();
    changed_.wait_for(lock, kEvery, [&] { return closed_ || hurry_; });
    hurry_ = false;
  }
}

// What changes when somebody writes into the file. Another database is asked each time.
std::string Events::stamp() const {
  if (path_.empty()) return "";
  std::string text;
  for (const char* ending : {"", "-wal"}) {
    const auto file = FileStamp::of(path_ + ending);
    text += file ? fmt::format("{} {} ", file->bytes, file->modified_ns) : "- ";
  }
  return text;
}

std::vector<Events::News> Events::news_of_studies(bool stored) {
  std::vector<News> news;
  for (const std::string& name : studies_.names()) {
    const Json study = studies_.summary(name);
    std::string text = json_text(study);
    if (studies_told_[name] != text) news.push_back({event_text("study", {{"study", study}})});
    studies_told_[name] = std::move(text);
    const Runner* const runner = served_.runner(name);
    const std::string stage = runner == nullptr ? "" : runner->stage();
    if (stages_told_[name] == stage) continue;
    news.push_back({event_text("study", {{"study", study}, {"stage", stage}}), /*all=*/true});
    stages_told_[name] = stage;
  }
  if (!stored) return news;
  for (Json& point : studies_.new_points()) {
    point["study"] = studies_.summary(point["study"].get<std::string>());
    news.push_back({event_text("study", point), /*all=*/true});
  }
  return news;
}

// By person.
std::map<std::string, std::string> Events::news_of_items(bool stored) {
  std::map<std::string, std::string> left;
  if (!stored) return left;
  {
    const std::lock_guard lock(mutex_);
    for (const Listener* one : listeners_) left[one->person_];
  }
  for (auto& [person, text] : left) text = left_of(person);
  return left;
}

void Events::look() {
  const std::string now = stamp();
  const bool stored = now.empty() || now != stamp_;
  const std::string states = served_.states();
  if (!stored && states == states_) return;
  stamp_ = now;
  states_ = states;
  const std::vector<News> news = news_of_studies(stored);
  const auto left = news_of_items(stored);
  const std::lock_guard lock(mutex_);
  for (Listener* one : listeners_) {
    for (const News& some : news) {
      if (one->all_ || !some.all) one->waiting_.push_back(some.text);
    }
    const auto own = left.find(one->person_);
    if (own != left.end()) one->waiting_.push_back(own->second);
    while (one->waiting_.size() > kMostWaiting) one->waiting_.pop_front();
  }
  if (stored || !news.empty()) changed_.notify_all();
}

}  // namespace distal::serve
