#include <csignal>
#include <cstdlib>
#include <ctime>
#include <future>
#include <thread>

#include <fmt/ranges.h>
#include <httplib.h>

#include "base/error.h"
#include "base/progress.h"
#include "distill/protocol.h"
#include "distill/teacher.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
constexpr double kLongestBackoff_s = 60, kLongestRetryAfter_s = 600, kLongestConnect_s = 10, kLongestWait_s = 1e6;

Clock::time_point after(double seconds) { return Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(std::min(seconds, kLongestWait_s))); }

void sleep_until(Clock::time_point when) {
  while (Clock::now() < when) {
    Progress::check_interrupted();
    std::this_thread::sleep_for(std::min<Clock::duration>(when - Clock::now(), std::chrono::milliseconds(100)));
  }
}

/// A server that hangs up while it is written to must not end this process; the signal goes to the thread that writes.
void block_sigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

/// Seconds of a Retry-After header: a number, or a date; 0 where it is neither.
double retry_after_s(const httplib::Response& response) {
  const std::string text = response.get_header_value("Retry-After");
  char* end = nullptr;
  double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || !std::isfinite(seconds)) return 0;
  if (end == text.c_str()) {
    std::tm date{};
    if (strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr) return 0;
    seconds = static_cast<double>(timegm(&date) - std::time(nullptr));
  }
  return std::clamp(seconds, 0.0, kLongestRetryAfter_s);
}

std::string explained(const httplib::Response& response) {  // the server's own words, if it has any
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  if (json.is_object() && json.contains("error") && json["error"].is_string()) return fmt::format("HTTP {}: {}", response.status, json["error"].get<std::string>());
  return fmt::format("HTTP {}", response.status);
}

/// The request was not worked on, or a repetition will get the answer: timeout, still at work, too early, too many, server trouble.
bool worth_another_try(int status) { return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500; }

struct Description {
  std::string name;
  std::vector<std::string> versions;  // empty: the server does not say
  bool binary = false;
};

class HttpTeacher final : public Teacher {
 public:
  HttpTeacher(const TeacherOptions& options, int64_t classes)
      : options_(options), classes_(classes), url_(protocol::parse_url(options.url)), client_(url_.server) {
    if (!client_.is_valid()) fail("{}: not an address; use http://host:port/v2/models/NAME", place());
    client_.set_tcp_nodelay(true);
    client_.set_keep_alive(true);
    const auto microseconds = [](double seconds) { return std::chrono::microseconds(static_cast<int64_t>(std::min(seconds, kLongestWait_s) * 1e6)); };
    client_.set_connection_timeout(microseconds(std::min(options.timeout_s, kLongestConnect_s)));
    client_.set_read_timeout(microseconds(options.timeout_s));
    client_.set_write_timeout(microseconds(options.timeout_s));
    if (!options.token_env.empty()) client_.set_default_headers({{"Authorization", "Bearer " + token()}});
  }

  torch::Tensor answer(const torch::Tensor& clips, const std::string& request_key) override {
    expect(clips.dim() == 5 && !request_key.empty(), "clips [N, 3, T, H, W] and a key");
    const auto response = post(message_of(clips, request_key), request_key, clips.size(0));
    try {
      std::optional<size_t> json_bytes;
      if (response.has_header(protocol::kLengthHeader)) json_bytes = std::strtoull(response.get_header_value(protocol::kLengthHeader).c_str(), nullptr, 10);
      const auto message = protocol::parse(response.body, json_bytes);
      check_version(protocol::text_of(message.json, "model_version"));
      return checked_answer(protocol::tensor(message, "outputs", options_.output), options_.logits, clips.size(0), classes_, place());
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with(place())) throw;
      fail("{}: {}", place(), what);
    }
  }

  std::string version() const override {
    const auto& description = describe();
    return fmt::format("{}:{}", description.name, description.versions.empty() ? "unversioned" : fmt::format("{}", fmt::join(description.versions, ",")));
  }

 private:
  std::string place() const { return "teacher " + options_.url; }

  std::string token() const {
    const char* value = std::getenv(options_.token_env.c_str());
    if (value == nullptr) fail("{}: the environment variable {} (oracle.token_env) is not set; export it", place(), options_.token_env);
    return value;
  }

  const Description& describe() const {
    if (description_) return *description_;
    const auto model = json_of(get(url_.model_path()));
    Description description{protocol::text_of(model, "name"), {}, false};
    const auto server = json_or_nothing(url_.prefix + "/v2");
    for (const auto& extension : server.value("extensions", nlohmann::json::array())) description.binary |= extension == protocol::kBinaryExtension;
    check_names(model, "inputs", options_.input);
    check_names(model, "outputs", options_.output);
    if (description.name.empty()) description.name = url_.model;
    if (!url_.version.empty()) description.versions = {url_.version};
    else if (model.contains("versions") && model["versions"].is_array())
      for (const auto& v : model["versions"]) description.versions.push_back(v.is_string() ? v.get<std::string>() : v.dump());
    description_ = description;
    return *description_;
  }

  void check_version(const std::string& answered) const {
    const auto& versions = describe().versions;
    if (answered.empty() || versions.empty() || std::find(versions.begin(), versions.end(), answered) != versions.end()) return;
    fail("{}: model_version {} answered instead of {}; name the version you want in oracle.url (.../versions/{}), then repeat the command", place(), answered, fmt::join(versions, " or "), answered);
  }

  void check_names(const nlohmann::json& model, const char* list, const std::string& name) const {
    if (!model.contains(list) || !model[list].is_array() || model[list].empty()) return;
    std::vector<std::string> names;
    for (const auto& entry : model[list]) if (entry.is_object() && entry.contains("name") && entry["name"].is_string()) names.push_back(entry["name"]);
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    fail("{}: no tensor '{}' among its {}: {}; set oracle.{}", place(), name, list, fmt::join(names, ", "), std::string(list) == "inputs" ? "input" : "output");
  }

  protocol::Message message_of(const torch::Tensor& clips, const std::string& request_key) const {
    const bool binary = describe().binary;
    protocol::Message message;
    message.json["id"] = request_key;
    protocol::append(message, "inputs", options_.input, clips, binary);
    message.json["outputs"] = {{{"name", options_.output}}};
    if (binary) message.json["outputs"][0]["parameters"]["binary_data"] = true;
    return message;
  }

  httplib::Response get(const std::string& path) const {
    return accepted([&] { return client_.Get(path); }, 0);
  }

  httplib::Response post(const protocol::Message& message, const std::string& request_key, int64_t clips) const {
    httplib::Headers headers = {{"Idempotency-Key", request_key}};
    const bool binary = !message.raw.empty();
    const std::string body = message.body();
    if (binary) headers.emplace(protocol::kLengthHeader, fmt::format("{}", body.size() - message.raw.size()));
    return accepted([&] { return client_.Post(url_.model_path() + "/infer", headers, body, binary ? "application/octet-stream" : "application/json"); }, clips);
  }

  /// The server's metadata, an empty object where it has none: only the extensions are read from it.
  nlohmann::json json_or_nothing(const std::string& path) const {
    wait_for_rate();
    const auto result = within_limit([&] { return client_.Get(path); });
    const auto json = result && result->status == 200 ? nlohmann::json::parse(result->body, nullptr, false) : nlohmann::json();
    return json.is_object() ? json : nlohmann::json::object();
  }

  nlohmann::json json_of(const httplib::Response& response) const {
    auto json = nlohmann::json::parse(response.body, nullptr, false);
    if (!json.is_object()) fail("{}: what answers there does not speak the Open Inference Protocol v2; check oracle.url", place());
    return json;
  }

  void wait_for_rate() const {
    if (options_.requests_per_s <= 0) return;
    sleep_until(next_request_);
    next_request_ = after(1 / options_.requests_per_s);
  }

  /// One try, timeout_s long at most as a whole: httplib's own limits hold for each socket operation. A signal ends it too;
  /// only while a connection is being made may that take kLongestConnect_s.
  template <class Send>
  httplib::Result within_limit(Send send) const {
    auto exchange = std::async(std::launch::async, [&] {
      block_sigpipe();
      return send();
    });
    const auto done_within = [&](int milliseconds) { return exchange.wait_for(std::chrono::milliseconds(milliseconds)) == std::future_status::ready; };
    const auto break_off = [&] { while (!done_within(10)) client_.stop(); };
    try {
      const auto end = after(options_.timeout_s);
      while (!done_within(50) && Clock::now() < end) Progress::check_interrupted();
    } catch (const Interrupted&) {
      break_off();
      throw;
    }
    break_off();
    return exchange.get();
  }

  /// Sends until the answer is 200; throws Error when that cannot be, or the tries are used up.
  template <class Send>
  httplib::Response accepted(Send send, int64_t clips) const {
    double backoff_s = options_.backoff_s;
    bool never_sent = clips > 0;
    const auto patience = after(options_.timeout_s);
    for (int64_t tries = 1;; ++tries) {
      wait_for_rate();
      const auto began = Clock::now();
      const httplib::Result result = within_limit(send);
      if (result && result->status == 200) return *result;
      const std::string problem = result ? explained(*result) : broken(result.error(), Seconds(Clock::now() - began).count());
      if (result && result->status == 413) throw TooLarge(fmt::format("{}: {} for {} clips; lower oracle.batch_size", place(), problem, clips));
      if (result && !worth_another_try(result->status)) fail("{}: {}; {}", place(), problem, cure(result->status));
      never_sent &= !result && result.error() == httplib::Error::Write;
      const bool at_work = result && (result->status == 409 || result->status == 425) && Clock::now() < patience;
      if (at_work) --tries;  // an earlier sending is being worked on: that takes as long as an answer may
      if (tries > options_.retries) give_up(problem, tries, never_sent, result ? result->status : 0);
      sleep_until(after(std::max(result ? retry_after_s(*result) : 0.0, std::min(backoff_s, kLongestBackoff_s))));
      backoff_s *= 2;
    }
  }

  [[noreturn]] void give_up(const std::string& problem, int64_t tries, bool never_sent, int status) const {
    const auto all = fmt::format("{}: {}, {} tries", place(), problem, tries);
    if (never_sent) throw TooLarge(all + "; the connection broke while the clips were being sent: lower oracle.batch_size, or raise oracle.timeout_s");
    if (status == 429) fail("{}; lower oracle.requests_per_s, or raise oracle.retries", all);
    if (status != 0) fail("{}; look at the server, or raise oracle.retries", all);
    fail("{}; start the server, or correct oracle.url", all);
  }

  std::string broken(httplib::Error error, double took_s) const {
    if (took_s >= 0.95 * options_.timeout_s) return fmt::format("no answer within {} s (oracle.timeout_s)", options_.timeout_s);
    return fmt::format("connection failed ({})", httplib::to_string(error));
  }

  static const char* cure(int status) {
    if (status == 404) return "no such model there: check the name and version in oracle.url";
    if (status == 401 || status == 403) return "give a token: oracle.token_env names the environment variable that holds it";
    return "check oracle.input, oracle.output and the clip size against what the model takes";
  }

  TeacherOptions options_;
  int64_t classes_;
  protocol::Url url_;
  mutable httplib::Client client_;  // asking for the version talks to the server too
  mutable std::optional<Description> description_;
  mutable Clock::time_point next_request_{};
};

}  // namespace

std::unique_ptr<Teacher> http_teacher(const TeacherOptions& options, int64_t classes) { return std::make_unique<HttpTeacher>(options, classes); }

}  // namespace distal
