#pragma once
// A server on a free port of this machine, with a store and a video of its own.

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/testing.h"
#include "distal/serve/secrets.h"
#include "distal/serve/server.h"
#include "distal/video/synthetic.h"

namespace distal::serve {

/// Somebody at a browser: keeps the cookie and the token of his session.
class Visitor {
 public:
  explicit Visitor(int port) : http_("127.0.0.1", port) {
    http_.set_read_timeout(60);
    http_.set_keep_alive(true);
  }

  httplib::Headers headers() const {
    httplib::Headers all;
    if (!cookie.empty()) all.emplace("Cookie", "distal_session=" + cookie);
    if (!csrf.empty()) all.emplace("X-CSRF-Token", csrf);
    return all;
  }
  httplib::Result get(const std::string& path, httplib::Headers more = {}) {
    for (const auto& [name, value] : headers()) more.emplace(name, value);
    return http_.Get("/api/v1/" + path, more);
  }
  httplib::Result post(const std::string& path, const nlohmann::json& body = nullptr) {
    return http_.Post("/api/v1/" + path, headers(), text_of(body), "application/json");
  }
  httplib::Result put(const std::string& path, const nlohmann::json& body) {
    return http_.Put("/api/v1/" + path, headers(), text_of(body), "application/json");
  }
  httplib::Result patch(const std::string& path, const nlohmann::json& body) {
    return http_.Patch("/api/v1/" + path, headers(), text_of(body), "application/json");
  }
  httplib::Result remove(const std::string& path) {
    return http_.Delete("/api/v1/" + path, headers());
  }
  httplib::Client& http() { return http_; }

  /// Takes over the session of an answer.
  void enter(const httplib::Result& answer) {
    ASSERT_TRUE(answer) << "the server answers";
    ASSERT_EQ(answer->status, 200) << answer->body;
    const std::string set = answer->get_header_value("Set-Cookie");
    const size_t begin = set.find('=') + 1;
    cookie = set.substr(begin, set.find(';') - begin);
    csrf = nlohmann::json::parse(answer->body).at("csrf");
  }
  void log_in(const std::string& user, const std::string& password) {
    enter(post("session", {{"user", user}, {"password", password}}));
  }

  std::string cookie, csrf;

 private:
  static std::string text_of(const nlohmann::json& body) {
    return body.is_null() ? "" : body.dump();
  }
  httplib::Client http_;
};

inline nlohmann::json json_of(const httplib::Result& answer) {
  return answer ? nlohmann::json::parse(answer->body, nullptr, false) : nlohmann::json();
}

/// "STATUS code" of a refusal, which must be one JSON object with a message.
inline std::string refusal_in(const httplib::Result& answer) {
  if (!answer) return "no answer";
  const auto json = json_of(answer);
  if (!json.is_object() || !json.contains("error") || json.size() != 1) return answer->body;
  const std::string message = json["error"].at("message");
  return fmt::format("{} {}{}", answer->status, json["error"].at("code").get<std::string>(),
                     message.find(':') == std::string::npos ? " without a place" : "");
}

class ServeTest : public ::testing::Test {
 protected:
  static constexpr const char* kPassword = "correct horse battery";

  ServeTest() {
    SyntheticOptions video;
    video.frames = 50;
    write_numbered(folder_ / "a.mp4", video);
    options_.store = "sqlite:" + (folder_ / "people.db");
    options_.study = ServedStudy{"study", {"left", "right", "up/fast"}, {"margin"}, 2, 3};
    options_.probes_folder = folder_ / "probes";
    options_.proxies_folder = folder_ / "proxies";
    options_.port = 0;
    make_folder(options_.probes_folder);
    options_.now = [this] { return now_ms_.load(); };
  }
  ~ServeTest() override { end(); }

  void serve() {
    server_ = std::make_unique<Server>(options_);
    thread_ = std::thread([this] { server_->listen(); });
  }
  void end() {
    if (server_) server_->stop();
    if (thread_.joinable()) thread_.join();
    server_.reset();
  }
  Visitor visitor() const { return Visitor(server_->port()); }
  /// Logged in; the user is made first.
  std::unique_ptr<Visitor> person(const std::string& name, const std::string& role = "annotator") {
    PeopleStore store(options_.store);
    if (!store.user(name)) store.add_user({name, role, hash_password(kPassword), ""}, now_ms_);
    auto visitor = std::make_unique<Visitor>(server_->port());
    visitor->log_in(name, kPassword);
    return visitor;
  }
  /// Items about half seconds of the video.
  std::vector<int64_t> ask(int64_t count, int64_t wanted = 1) {
    std::vector<PeopleStore::NewItem> items;
    for (int64_t i = 0; i < count; ++i) {
      PeopleStore::NewItem item;
      item.request = fmt::format("request {} {}", wanted, i);
      item.clip = fmt::format("a.mp4@{}", i);
      item.video = folder_ / "a.mp4";
      item.start_s = 0.1 * static_cast<double>(i);
      item.end_s = item.start_s + 0.5;
      item.study = "study";
      item.version = "v";
      item.position = i;
      item.wanted = wanted;
      item.reasons = {{"margin", 0.5, R"({"left": 0.2, "right": 0.7})", ""}};
      items.push_back(item);
    }
    return PeopleStore(options_.store).add_items(items, now_ms_);
  }
  static std::string uuid(int64_t number) {
    return fmt::format("00000000-0000-4000-8000-{:012x}", number);
  }
  static nlohmann::json says(int64_t item, const std::string& name) {
    return {{"item", item},
            {"class", name},
            {"unsure", false},
            {"note", ""},
            {"began_ms", 1760000000000},
            {"seconds", 2.5}};
  }

  TemporaryFolder folder_;
  std::atomic<int64_t> now_ms_ = 1'760'000'000'000;
  ServeOptions options_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace distal::serve
