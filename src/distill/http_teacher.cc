#include <cstdlib>
#include <ctime>
#include <thread>

#include <fmt/ranges.h>
#include <httplib.h>

#include "base/error.h"
#include "base/progress.h"
#include "base/random.h"
#include "distill/protocol.h"
#include "distill/teacher.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
constexpr double kLongestBackoff_s = 60, kLongestRetryAfter_s = 600;
constexpr size_t kLongestHeader = 1000;  // servers refuse headers beyond some kilobytes

void sleep_until(Clock::time_point when) {
  while (Clock::now() < when) {
    Progress::check_interrupted();
    std::this_thread::sleep_for(std::min<Clock::duration>(when - Clock::now(), std::chrono::milliseconds(100)));
  }
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

struct Description {
  std::string version;
  bool binary = false;
};

class HttpTeacher final : public Teacher {
 public:
  HttpTeacher(const TeacherOptions& options, int64_t classes)
      : options_(options), classes_(classes), url_(protocol::parse_url(options.url)), client_(url_.server) {
    if (!client_.is_valid()) fail("{}: not an address; use http://host:port/v2/models/NAME", place());
    client_.set_tcp_nodelay(true);
    client_.set_keep_alive(true);
    const auto limit = std::chrono::microseconds(static_cast<int64_t>(options.timeout_s * 1e6));
    client_.set_connection_timeout(limit);
    client_.set_read_timeout(limit);
    client_.set_write_timeout(limit);
    if (!options.token_env.empty()) client_.set_default_headers({{"Authorization", "Bearer " + token()}});
  }

  torch::Tensor answer(const torch::Tensor& clips, const std::vector<std::string>& keys) override {
    expect(clips.dim() == 5 && clips.size(0) == std::ssize(keys), "clips [N, 3, T, H, W] with a key each");
    describe();
    std::vector<torch::Tensor> answers;
    for (int64_t first = 0; first < clips.size(0); first += options_.batch_size) {
      const int64_t end = std::min(first + options_.batch_size, clips.size(0));
      answers.push_back(ask(clips.slice(0, first, end), {keys.begin() + first, keys.begin() + end}));
    }
    return answers.empty() ? torch::empty({0, classes_}) : torch::cat(answers);
  }
  std::string version() const override { return describe().version; }

 private:
  std::string place() const { return "teacher " + options_.url; }

  std::string token() const {
    const char* value = std::getenv(options_.token_env.c_str());
    if (value == nullptr) fail("{}: the environment variable {} (teacher.token_env) is not set; export it", place(), options_.token_env);
    return value;
  }

  const Description& describe() const {
    if (description_) return *description_;
    const auto model = json_of(get(url_.model_path()));
    Description description{"", false};
    const auto server = client_get_optional(url_.prefix + "/v2");
    for (const auto& extension : server.value("extensions", nlohmann::json::array())) description.binary |= extension == protocol::kBinaryExtension;
    check_names(model, "inputs", options_.input);
    check_names(model, "outputs", options_.output);
    std::string version = url_.version;
    if (version.empty() && model.contains("versions") && model["versions"].is_array()) {
      for (const auto& v : model["versions"]) version += (version.empty() ? "" : ",") + (v.is_string() ? v.get<std::string>() : v.dump());
    }
    const auto name = model.contains("name") && model["name"].is_string() ? model["name"].get<std::string>() : url_.model;
    description.version = fmt::format("{}:{}", name, version.empty() ? "unversioned" : version);
    description_ = description;
    return *description_;
  }

  void check_names(const nlohmann::json& model, const char* list, const std::string& name) const {
    if (!model.contains(list) || !model[list].is_array() || model[list].empty()) return;
    std::vector<std::string> names;
    for (const auto& entry : model[list]) if (entry.is_object() && entry.contains("name") && entry["name"].is_string()) names.push_back(entry["name"]);
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    fail("{}: no tensor '{}' among its {}: {}; set teacher.{}", place(), name, list, fmt::join(names, ", "), std::string(list) == "inputs" ? "input" : "output");
  }

  torch::Tensor ask(const torch::Tensor& clips, const std::vector<std::string>& keys) const {
    const bool binary = describe().binary;
    protocol::Message message;
    const std::string id = fmt::format("{}", fmt::join(keys, ","));
    message.json["id"] = id;
    protocol::append(message, "inputs", options_.input, clips, binary);
    message.json["outputs"] = {{{"name", options_.output}}};
    if (binary) message.json["outputs"][0]["parameters"]["binary_data"] = true;
    const auto response = post(message, id);
    try {
      std::optional<size_t> json_bytes;
      if (response.has_header(protocol::kLengthHeader)) json_bytes = std::strtoull(response.get_header_value(protocol::kLengthHeader).c_str(), nullptr, 10);
      const auto answer = protocol::tensor(protocol::parse(response.body, json_bytes), "outputs", options_.output);
      return checked_answer(answer, options_.logits, clips.size(0), classes_, place());
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with(place())) throw;
      fail("{}: {}", place(), what);
    }
  }

  httplib::Response get(const std::string& path) const {
    return accepted([&] { return client_.Get(path); });
  }

  httplib::Response post(const protocol::Message& message, const std::string& id) const {
    httplib::Headers headers = {{"Idempotency-Key", id.size() <= kLongestHeader ? id : fmt::format("{:016x}{:016x}", fnv1a(id), mix64(fnv1a("distal" + id)))}};
    const bool binary = !message.raw.empty();
    const std::string body = message.body();
    if (binary) headers.emplace(protocol::kLengthHeader, fmt::format("{}", body.size() - message.raw.size()));
    return accepted([&] { return client_.Post(url_.model_path() + "/infer", headers, body, binary ? "application/octet-stream" : "application/json"); });
  }

  /// The server's metadata, an empty object where it has none: only the extensions are read from it.
  nlohmann::json client_get_optional(const std::string& path) const {
    wait_for_rate();
    const auto result = client_.Get(path);
    const auto json = result && result->status == 200 ? nlohmann::json::parse(result->body, nullptr, false) : nlohmann::json();
    return json.is_object() ? json : nlohmann::json::object();
  }

  nlohmann::json json_of(const httplib::Response& response) const {
    auto json = nlohmann::json::parse(response.body, nullptr, false);
    if (!json.is_object()) fail("{}: what answers there does not speak the Open Inference Protocol v2; check teacher.url", place());
    return json;
  }

  void wait_for_rate() const {
    if (options_.requests_per_s <= 0) return;
    sleep_until(next_request_);
    next_request_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(1 / options_.requests_per_s));
  }

  /// Sends until the answer is 200; throws Error when that cannot be, or the tries are used up.
  template <class Send>
  httplib::Response accepted(Send send) const {
    double backoff_s = options_.backoff_s;
    for (int64_t attempt = 0;; ++attempt) {
      wait_for_rate();
      const auto began = Clock::now();
      const httplib::Result result = send();
      if (result && result->status == 200) return *result;
      const std::string problem = result ? explained(*result) : broken(result.error(), Seconds(Clock::now() - began).count());
      const bool again = !result || result->status == 429 || result->status >= 500;
      if (!again) fail("{}: {}; {}", place(), problem, cure(result->status));
      if (attempt == options_.retries) fail("{}: {}, {} tries; start the server, or correct teacher.url", place(), problem, attempt + 1);
      const double wait_s = std::max(result ? retry_after_s(*result) : 0.0, std::min(backoff_s, kLongestBackoff_s));
      sleep_until(Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(wait_s)));
      backoff_s *= 2;
    }
  }

  std::string broken(httplib::Error error, double took_s) const {
    if ((error == httplib::Error::Read || error == httplib::Error::Connection) && took_s >= 0.95 * options_.timeout_s)
      return fmt::format("no answer within {} s (teacher.timeout_s)", options_.timeout_s);
    return fmt::format("connection failed ({})", httplib::to_string(error));
  }

  static const char* cure(int status) {
    if (status == 404) return "no such model there: check the name and version in teacher.url";
    if (status == 401 || status == 403) return "give a token: teacher.token_env names the environment variable that holds it";
    return "check teacher.input, teacher.output and the clip size against what the model takes";
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
