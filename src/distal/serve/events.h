#pragma once
// Tells pages what happens: server-sent events.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "distal/serve/pool.h"
#include "distal/serve/studies.h"
#include "distal/store/people_store.h"

namespace distal::serve {

/// Thread-safe. A thread looks every half second whether the store or a study has changed, also by
/// other processes, and tells those who listen.
class Events {
 public:
  static constexpr size_t kMostListeners = 100;

  Events(Pool<PeopleStore>& people, Studies& studies, Served& served, std::string store_url,
         Clock now);
  ~Events();
  Events(const Events&) = delete;

  /// One page. Throws Refusal: 429, too many listen.
  class Listener {
   public:
    /// `all`: what annotators do not see too.
    Listener(Events& events, std::string person, bool all);
    ~Listener();
    Listener(const Listener&) = delete;
    /// The next events as text of the stream, or a comment after ten seconds. False: the server
    /// stops.
    bool next(std::string& text);

   private:
    friend class Events;
    Events& events_;
    std::string person_;
    bool all_;
    std::deque<std::string> waiting_;  // guarded by the events' mutex
  };

  /// From now on nobody is told anything: ends all listeners.
  void close();
  /// Something changed here: looks at once.
  void look_now();

 private:
  struct News {
    std::string text;
    bool all = false;  // for those who see all
  };
  void work();
  void look();
  std::string stamp() const;
  std::vector<News> news_of_studies(bool stored);
  std::map<std::string, std::string> news_of_items(bool stored);
  std::string left_of(const std::string& person);

  Pool<PeopleStore>& people_;
  Studies& studies_;
  Served& served_;
  std::string path_;  // of an SQLite file; empty: another database
  Clock now_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool closed_ = false;
  bool hurry_ = false;
  std::list<Listener*> listeners_;
  // of the worker alone
  std::string stamp_, states_;
  std::map<std::string, std::string> studies_told_, stages_told_;
  std::thread worker_;  // last: it uses all above
};

}  // namespace distal::serve
