// distal serve with a store that it fills itself, for tests of abuse: compiled with the rooms that
// it needs alone, so that sanitizers watch all of our code behind the sockets. Prints the address
// and ends at SIGTERM.
//
//   serve_fixture FOLDER
//
// FOLDER gets a video and the store. Users owner, adjudicator, ann, bob and victim have the
// password kPassword. Names of the study, of classes, arms, the video and notes hold HTML, which no
// answer may show to a browser as such. FOLDER/secret.txt is what nobody may read.

#include <sys/resource.h>

#include <exception>

#include <fmt/format.h>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/serve/secrets.h"
#include "distal/serve/server.h"
#include "distal/store/people_store.h"
#include "distal/video/synthetic.h"

namespace distal {
namespace {

constexpr const char* kPassword = "correct horse battery";
constexpr const char* kStudy = R"(study <img src=x onerror=alert("study")>)";
constexpr const char* kVideo = R"(/<img src=x onerror=alert('file')>.mp4)";
constexpr int64_t kItems = 400;
constexpr int64_t kAnswered = 40;

std::vector<std::string> classes() {
  return {R"(<script>alert("class")</script>)", R"("><img src=x onerror=alert('class')>)",
          "up/fast", "plain"};
}

PeopleStore::NewItem item_number(int64_t i, const std::string& video) {
  PeopleStore::NewItem item;
  item.request = fmt::format("request {}", i);
  item.clip = fmt::format("{}@{}", video, i);
  item.video = video;
  item.start_s = 0.004 * static_cast<double>(i % 100);
  item.end_s = item.start_s + 0.5;
  item.kind = i % 10 == 9 ? "ranges" : "clip";
  item.purpose = i % 7 == 0 ? "held_out" : "pool";
  item.study = kStudy;
  item.version = "fixture";
  item.round = i / 100;
  item.position = i;
  item.wanted = 1 + i % 2;
  item.reasons = {{R"(<b onmouseover=alert("arm")>margin)", 0.5, R"({"plain": 0.7})", ""}};
  return item;
}

void add_users(PeopleStore& store) {
  const std::string password = serve::hash_password(kPassword);
  for (const auto& [name, role] :
       std::vector<std::pair<std::string, std::string>>{{"owner", "owner"},
                                                        {"adjudicator", "adjudicator"},
                                                        {"ann", "annotator"},
                                                        {"bob", "annotator"},
                                                        {"victim", "annotator"}})
    store.add_user({name, role, password, ""}, serve::system_now_ms());
}

void fill(const std::string& url, const std::string& video) {
  PeopleStore store(url);
  add_users(store);
  std::vector<PeopleStore::NewItem> items;
  for (int64_t i = 0; i < kItems; ++i) items.push_back(item_number(i, video));
  const auto ids = store.add_items(items, serve::system_now_ms());
  for (int64_t i = 0; i < kAnswered; ++i) {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("00000000-0000-4000-8000-{:012x}", i);
    answer.item = ids.at(i);
    answer.person = i % 2 == 0 ? "ann" : "bob";
    if (items.at(i).kind == "clip")
      answer.class_name = classes().at(i % 4);
    else
      answer.ranges = {{0, 0.25, classes().at(0)}};
    answer.note = R"(</script><script>alert("note")</script>)";
    answer.answered_ms = serve::system_now_ms();
    answer.seconds = 2;
    store.put(answer, serve::system_now_ms());
  }
}

int serve_in(const std::string& folder) {
  serve::ServeOptions options;
  options.store = "sqlite:" + folder + "/people.db";
  options.study = serve::ServedStudy{kStudy, classes(), {R"(<svg onload=alert("arm")>)"}, 1, 1};
  options.probes_folder = folder + "/probes";
  options.proxies_folder = folder + "/proxies";
  options.port = 0;
  make_folder(options.probes_folder);
  SyntheticOptions video;
  video.frames = 25;
  write_numbered(folder + kVideo, video);
  fill(options.store, folder + kVideo);
  serve::Server server(options);
  fmt::print("{}\n", server.address());
  std::fflush(stdout);
  server.listen();
  return 0;
}

}  // namespace
}  // namespace distal

int main(int count, char** words) {
  if (count != 2) {
    fmt::print(stderr, "serve_fixture FOLDER\n");
    return 2;
  }
  distal::catch_signals();
  try {
    return distal::serve_in(words[1]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
