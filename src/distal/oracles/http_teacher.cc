#include "distal/oracles/http_teacher.h"

#include <charconv>
#include <cstdlib>
#include <ctime>
#include <thread>

#include <strings.h>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/base/options.h"
#include "distal/base/text.h"
#include "distal/networks/class_names.h"
#include "distal/oracles/class_order.h"
#include "distal/oracles/http_exchange.h"
#include "distal/oracles/protocol.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using Json = nlohmann::json;
constexpr double kLongestBackoff_s = 60;
constexpr double kLongestWait_s = 1e6;
constexpr double kWorthSaying_s = 1;
constexpr int64_t kMostMetadataBytes = 1 << 20;
// A number of an answer as JSON takes 25 bytes at most, with a line of its own and deep indentation
// 64; the rest is for other tensors that a server adds, and for names.
constexpr int64_t kMostBytesOfANumber = 64;
constexpr int64_t kMostBytesBesides = 4 << 20;
constexpr size_t kLongestVersion = 500;

Clock::time_point after(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(Seconds(std::min(seconds, kLongestWait_s)));
}

void sleep_until(Clock::time_point when) {
  while (Clock::now() < when) {
    check_interrupted();
    std::this_thread::sleep_for(
        std::min<Clock::duration>(when - Clock::now(), std::chrono::milliseconds(100)));
  }
}

/// Seconds until a date in one of the three forms of RFC 9110; nothing where it is none.
std::optional<double> seconds_until(const std::string& text) {
  for (const char* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm date{};
    const char* end = strptime(text.c_str(), form, &date);
    if (end != nullptr && *end == '\0')
      return static_cast<double>(timegm(&date) - std::time(nullptr));
  }
  return std::nullopt;
}

/// Seconds of a Retry-After header: a number, or a date; 0 where it is absent, past or neither.
double retry_after_s(const HttpReply& reply) {
  const std::string text = reply.header("Retry-After");
  if (text.empty()) return 0;
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) return std::max(0.0, seconds_until(text).value_or(0));
  return std::isfinite(seconds) ? std::max(0.0, seconds) : 0;
}

/// The reason in what a server says of an error, in the words of common frameworks; empty where
/// there is none.
std::string reason_in(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array() && !json.empty())
    return reason_in(json.front()) +
           (json.size() > 1 ? fmt::format(", and {} more", json.size() - 1) : "");
  if (!json.is_object()) return "";
  for (const char* key : {"error", "detail", "message", "msg", "reason", "errors", "title"}) {
    const std::string reason = json.contains(key) ? reason_in(json[key]) : "";
    if (reason.empty()) continue;
    return json.contains("loc") ? json_text(json["loc"]) + " " + reason
                                : reason;  // FastAPI: where in the request
  }
  return "";
}

std::string explained(const HttpReply& reply) {  // the server's own words, if it has any
  std::string reason;
  try {
    reason = reason_in(parse_json(reply.body, ""));
  } catch (const Error&) {
    reason = reply.body;
  }
  const size_t first = reason.find_first_not_of(" \t\r\n");
  return first == std::string::npos
             ? fmt::format("HTTP {}", reply.status)
             : fmt::format("HTTP {}: {}", reply.status, excerpt(reason.substr(first)));
}

/// Begins with '<', or is called HTML and is no JSON object either.
bool is_web_page(const HttpReply& reply) {
  std::string_view body = reply.body;
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);  // a byte order mark
  const size_t first = body.find_first_not_of(" \t\r\n");
  const char begin = first == std::string_view::npos ? '\0' : body[first];
  constexpr std::string_view kHtml = "text/html";
  return begin == '<' || (begin != '{' && ::strncasecmp(reply.header("Content-Type").c_str(),
                                                        kHtml.data(), kHtml.size()) == 0);
}

/// The request was not worked on, or a repetition will get the answer: timeout, still at work, too
/// early, too many, server trouble.
bool worth_another_try(int status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

struct Description {
  std::string name;                   // as the server states it; empty: it does not
  std::vector<std::string> versions;  // empty: the server does not say
  bool binary = false;
  std::vector<int64_t> takes;  // sizes of the input, -1: any; empty: the server does not say
};

/// Names of classes in the parameters of a description, as servers write them: a list, an object
/// by number, a text, or one of these as Triton's {"string_value": ...}.
std::vector<std::string> classes_in(const Json& described) {
  if (!described.is_object() || !described.contains("parameters")) return {};
  std::map<std::string, std::string> texts;
  for (const auto& [key, parameter] : described["parameters"].items()) {
    const bool wrapped = parameter.is_object() && parameter.contains("string_value");
    const Json& value = wrapped ? parameter["string_value"] : parameter;
    if (value.is_string())
      texts[key] = value.get<std::string>();
    else if (value.is_structured())
      texts[key] = json_text(value);
  }
  return class_names_of(texts);
}

/// The sizes of a described tensor, -1: any; empty where the server does not say, as by [-1] alone.
std::vector<int64_t> sizes_in(const Json& described) {
  std::vector<int64_t> sizes;
  if (!described.contains("shape") || !described["shape"].is_array()) return sizes;
  for (const Json& size : described["shape"]) {
    if (!size.is_number_integer()) return {};
    sizes.push_back(std::max<int64_t>(size.get<int64_t>(), -1));
  }
  return sizes.size() == 1 && sizes[0] < 0 ? std::vector<int64_t>() : sizes;
}

std::string shown(const std::vector<int64_t>& sizes) {
  std::vector<std::string> words;
  for (const int64_t size : sizes) words.push_back(size < 0 ? "any" : fmt::format("{}", size));
  return fmt::format("[{}]", fmt::join(words, ", "));
}

/// A described tensor: "FP32 [any, 3, 16, 224, 224]".
std::string shown(const std::string& type, const std::vector<int64_t>& sizes) {
  const std::string word = type.empty() ? "of some type" : excerpt(type, 40);
  return sizes.empty() ? word : word + " " + shown(sizes);
}

/// Whether a tensor of `sizes` is one of `described`; the first size, which is the clips', apart.
bool fits(const std::vector<int64_t>& described, at::IntArrayRef sizes) {
  if (described.size() != sizes.size()) return false;
  for (size_t i = 1; i < sizes.size(); ++i) {
    if (described[i] >= 0 && described[i] != sizes[i]) return false;
  }
  return true;
}

class HttpTeacher final : public Teacher {
 public:
  HttpTeacher(const HttpOptions& options, LabelSpace labels,
              const std::vector<std::string>& classes, Say say)
      : options_(options),
        labels_(labels),
        classes_(classes),
        say_(std::move(say)),
        url_(protocol::parse_url(options.url)),
        server_(url_.server, options.timeout_s, token()) {}

  torch::Tensor answer(const torch::Tensor& clips, const std::string& request_key) override {
    expect(clips.dim() == 5 && !request_key.empty(), "clips [N, 3, T, H, W] and a key");
    require_taken(clips);
    const HttpReply reply = post(message_of(clips, request_key), request_key, clips.size(0));
    remark_.clear();
    refuse_web_page(reply);  // which no teacher answered: nothing was billed, and the same request
                             // may be sent again
    try {
      return probabilities_in(reply, request_key, clips.size(0));
    } catch (const Error& error) {
      const std::string what = error.what();
      throw Unusable(what.starts_with(place()) ? what : fmt::format("{}: {}", place(), what));
    }
  }

  std::string version() const override {
    const auto& description = describe();
    return fmt::format("{}:{}", description.name.empty() ? url_.model : description.name,
                       description.versions.empty()
                           ? "unversioned"
                           : fmt::format("{}", fmt::join(description.versions, ",")));
  }

  std::string remark() const override { return remark_; }

 private:
  std::string place() const { return "teacher " + options_.url; }

  std::string token() const {
    if (options_.token_env.empty()) return "";
    const char* value = std::getenv(options_.token_env.c_str());
    if (value == nullptr)
      fail("{}: the environment variable {} (oracle.token_env) is not set; export it", place(),
           options_.token_env);
    return value;
  }

  // ---- what the model is

  const Description& describe() const {
    if (description_) return *description_;
    const auto model = json_of(accepted(
        {.method = "GET", .path = url_.metadata_path(), .most_bytes = kMostMetadataBytes}, 0));
    Description description{protocol::text_of(model, "name"), {}, false};
    if (description.name.empty() && model.contains("error"))
      fail("{}: says '{}' instead of describing its model; look at the server", place(),
           excerpt(reason_in(model)));
    const auto server = json_or_nothing(url_.prefix + "/v2");
    for (const auto& extension : server.value("extensions", Json::array()))
      description.binary |= extension == protocol::kBinaryExtension;
    check_names(model, "inputs", options_.input);
    check_names(model, "outputs", options_.output);
    description.takes = input_of(model);
    check_output(model);
    check_classes(model);
    if (!url_.version.empty()) {
      description.versions = {url_.version};
    } else if (model.contains("versions") && model["versions"].is_array()) {
      for (const auto& v : model["versions"])
        description.versions.push_back(v.is_string() ? v.get<std::string>() : json_text(v));
    }
    if (fmt::format("{}{}", description.name, fmt::join(description.versions, ",")).size() >
        kLongestVersion)
      fail("{}: describes itself with a name and versions of more than {} letters; name one "
           "version in oracle.url (.../versions/V)",
           place(), kLongestVersion);
    description_ = description;
    return *description_;
  }

  void check_names(const Json& model, const char* list, const std::string& name) const {
    if (!model.contains(list) || !model[list].is_array() || model[list].empty()) return;
    std::vector<std::string> names;
    for (const auto& entry : model[list]) {
      if (entry.is_object() && entry.contains("name") && entry["name"].is_string())
        names.push_back(entry["name"]);
    }
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    fail("{}: no tensor '{}' among its {}: {}; set oracle.{}", place(), name, list,
         excerpt(fmt::format("{}", fmt::join(names, ", "))),
         std::string(list) == "inputs" ? "input" : "output");
  }

  /// What the description says of one of its tensors; null: nothing.
  static Json entry_of(const Json& model, const char* list, const std::string& name) {
    if (!model.contains(list) || !model[list].is_array()) return nullptr;
    for (const Json& entry : model[list]) {
      if (entry.is_object() && protocol::text_of(entry, "name") == name) return entry;
    }
    return nullptr;
  }

  std::vector<int64_t> input_of(const Json& model) const {
    const Json entry = entry_of(model, "inputs", options_.input);
    if (entry.is_null()) return {};
    for (const Json& other : model["inputs"]) {
      const std::string name = other.is_object() ? protocol::text_of(other, "name") : "";
      if (!name.empty() && name != options_.input)
        fail("{}: wants a second input, '{}', and distal sends clips alone; serve a model that "
             "takes '{}' alone",
             place(), excerpt(name, 60), options_.input);
    }
    const std::string type = protocol::text_of(entry, "datatype");
    const auto sizes = sizes_in(entry);
    if ((!type.empty() && type != "FP32") ||
        (!sizes.empty() && (sizes.size() != 5 || (sizes[1] >= 0 && sizes[1] != 3))))
      fail("{}: its input '{}' is {}, and distal sends FP32 [clips, 3, frames, height, width] in "
           "[-1, 1]; serve a model that takes these",
           place(), options_.input, shown(type, sizes));
    return sizes;
  }

  void check_output(const Json& model) const {
    const Json entry = entry_of(model, "outputs", options_.output);
    if (entry.is_null()) return;
    const std::string type = protocol::text_of(entry, "datatype");
    const auto sizes = sizes_in(entry);
    const int64_t outputs = labels_.outputs();
    if ((!type.empty() && type != "FP32" && type != "FP64") ||
        (!sizes.empty() && (sizes.size() != 2 || (sizes[1] >= 0 && sizes[1] != outputs))))
      fail(
          "{}: its output '{}' is {}, and distal wants FP32 or FP64 [clips, {}], a number for each "
          "class; set oracle.output, or serve a model of these classes",
          place(), options_.output, shown(type, sizes), outputs);
  }

  void check_classes(const Json& model) const {
    std::vector<std::string> said = classes_in(entry_of(model, "outputs", options_.output));
    if (said.empty()) said = classes_in(model);
    if (said.empty() || classes_.empty()) return;
    order_of_classes({.place = place(), .count = std::ssize(said), .said = said}, classes_);
  }

  /// What the description says against these clips, before they are sent.
  void require_taken(const torch::Tensor& clips) const {
    const auto& takes = describe().takes;
    if (takes.empty()) return;
    if (!fits(takes, clips.sizes()))
      fail("{}: its input '{}' is {}, and the clips are {}; set input.sampling.frames and "
           "input.size_px to what it takes",
           place(), options_.input, shown(takes), shown(clips.sizes().vec()));
    if (takes[0] >= 0 && clips.size(0) > takes[0])
      throw TooLarge(fmt::format("{}: takes {} clips a request; set oracle.batch_size: {}", place(),
                                 takes[0], takes[0]));
    if (takes[0] >= 0 && clips.size(0) < takes[0])
      fail("{}: takes {} clips a request, no fewer, and {} are left to ask about; serve a model "
           "that takes any number",
           place(), takes[0], clips.size(0));
  }

  Json json_of(const HttpReply& reply) const {
    refuse_web_page(reply);
    check_readable(reply, kMostMetadataBytes);
    Json json;
    try {
      json = parse_json(reply.body, "its description");
    } catch (const Error& error) {
      fail("{}: does not speak the Open Inference Protocol v2 ({}); check oracle.url", place(),
           error.what());
    }
    if (!json.is_object())
      fail("{}: what answers there does not speak the Open Inference Protocol v2; check oracle.url",
           place());
    return json;
  }

  /// The server's metadata, an empty object where it has none: only the extensions are read from
  /// it.
  Json json_or_nothing(const std::string& path) const {
    wait_for_rate();
    const HttpReply reply =
        server_.exchange({.method = "GET", .path = path, .most_bytes = kMostMetadataBytes});
    if (reply.status != 200 || reply.cut_off) return Json::object();
    try {
      Json json = parse_json(reply.body, "");
      return json.is_object() ? json : Json::object();
    } catch (const Error&) {
      return Json::object();
    }
  }

  // ---- what it answers

  torch::Tensor probabilities_in(const HttpReply& reply, const std::string& request_key,
                                 int64_t clips) {
    check_readable(reply, most_bytes(clips));
    const auto message = protocol::parse(reply.body, json_bytes_of(reply));
    if (!message.json.contains("outputs") && !reason_in(message.json).empty())
      fail("{}: HTTP 200 with an error instead of an answer: {}; look at the server", place(),
           excerpt(reason_in(message.json)));
    check_version(protocol::text_of(message.json, "model_version"));
    check_name(protocol::text_of(message.json, "model_name"));
    check_id(protocol::text_of(message.json, "id"), request_key);
    return checked_answer(protocol::tensor(message, "outputs", options_.output), options_.logits,
                          clips, labels_, place(), &remark_);
  }

  int64_t most_bytes(int64_t clips) const {
    return kMostBytesBesides + kMostBytesOfANumber * clips * labels_.outputs();
  }

  void refuse_web_page(const HttpReply& reply) const {
    if (is_web_page(reply))
      fail("{}: '{}' is not a message of the Open Inference Protocol but a web page, as logins and "
           "proxies answer; open the address in a browser, "
           "correct oracle.url, or give a token (oracle.token_env)",
           place(), excerpt(reply.body, 80));
  }

  void check_readable(const HttpReply& reply, int64_t most) const {
    const std::string encoding = reply.header("Content-Encoding");
    if (!encoding.empty() && encoding != "identity" && encoding != "gzip" &&
        encoding != "deflate" && encoding != "br")
      fail("{}: answers in the Content-Encoding '{}', which nobody asked for; switch compression "
           "off there",
           place(), excerpt(encoding, 40));
    if (reply.cut_off)
      fail(
          "{}: answers more than {} bytes, which no right answer takes; look at what answers there",
          place(), most);
  }

  std::optional<size_t> json_bytes_of(const HttpReply& reply) const {
    if (!reply.has(protocol::kLengthHeader)) return std::nullopt;
    const std::string text = reply.header(protocol::kLengthHeader);
    size_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (error != std::errc() || end != text.data() + text.size())
      fail("{}: the header {} is '{}', which is no length", place(), protocol::kLengthHeader,
           excerpt(text, 40));
    return bytes;
  }

  void check_version(const std::string& answered) const {
    const auto& versions = describe().versions;
    if (answered.empty() || versions.empty() ||
        std::find(versions.begin(), versions.end(), answered) != versions.end())
      return;
    const std::string shown = excerpt(answered, 80);
    fail("{}: model_version {} answered instead of {}; name the version you want in oracle.url "
         "(.../versions/{}), then repeat the command",
         place(), shown, fmt::join(versions, " or "), shown);
  }

  void check_name(const std::string& answered) const {
    const auto& name = describe().name;
    if (answered.empty() || name.empty() || answered == name) return;
    fail("{}: model {} answered instead of {}; look at what stands between", place(),
         excerpt(answered, 80), excerpt(name, 80));
  }

  void check_id(const std::string& answered, const std::string& request_key) const {
    if (answered.empty() || answered == request_key) return;
    fail("{}: the answer is that of request '{}', not of '{}'; a cache or proxy between may mix "
         "answers up",
         place(), excerpt(answered, 80), request_key);
  }

  // ---- asking

  protocol::Message message_of(const torch::Tensor& clips, const std::string& request_key) const {
    const bool binary = describe().binary;
    protocol::Message message;
    message.json["id"] = request_key;
    protocol::append(message, "inputs", options_.input, clips, binary);
    message.json["outputs"] = {{{"name", options_.output}}};
    if (binary) message.json["outputs"][0]["parameters"]["binary_data"] = true;
    return message;
  }

  HttpReply post(const protocol::Message& message, const std::string& request_key,
                 int64_t clips) const {
    HttpRequest request{"POST",
                        url_.model_path() + "/infer",
                        most_bytes(clips),
                        message.body(),
                        message.raw.empty() ? "application/json" : "application/octet-stream",
                        {}};
    request.headers = {{"Idempotency-Key", request_key}};
    if (!message.raw.empty())
      request.headers.emplace_back(protocol::kLengthHeader,
                                   fmt::format("{}", request.body.size() - message.raw.size()));
    return accepted(request, clips);
  }

  void wait_for_rate() const {
    if (options_.requests_per_s <= 0) return;
    const double wait_s = Seconds(next_request_ - Clock::now()).count();
    if (wait_s >= kWorthSaying_s && !std::exchange(said_rate_, true))
      say(fmt::format("{}: waits {:.0f} s between requests (oracle.requests_per_s)", place(),
                      1 / options_.requests_per_s));
    sleep_until(next_request_);
    next_request_ = after(1 / options_.requests_per_s);
  }

  /// Sends until the answer is 200; throws Error when that cannot be, the tries are used up, or
  /// waiting would exceed timeout_s x retries.
  HttpReply accepted(const HttpRequest& request, int64_t clips) const {
    double backoff_s = options_.backoff_s;
    double patience_s = longest_wait_s();
    bool never_sent = clips > 0;
    const auto at_work_until = after(options_.timeout_s);
    for (int64_t tries = 1;; ++tries) {
      wait_for_rate();
      HttpReply reply = server_.exchange(request);
      if (reply.status == 200) return reply;
      const std::string problem = reply.status != 0 ? explained(reply) : reply.trouble;
      if (reply.status == 413)
        throw TooLarge(
            fmt::format("{}: {} for {} clips; lower oracle.batch_size", place(), problem, clips));
      if (reply.status != 0 && !worth_another_try(reply.status)) refuse(reply, problem);
      never_sent &= reply.broke_while_sending;
      const bool at_work =
          (reply.status == 409 || reply.status == 425) && Clock::now() < at_work_until;
      if (at_work)
        --tries;  // an earlier sending is being worked on: that takes as long as an answer may
      if (tries > options_.retries) give_up(problem, tries, never_sent, reply.status);
      patience_s -= wait(reply, problem, std::min(backoff_s, kLongestBackoff_s),
                         at_work ? std::max(patience_s, options_.timeout_s) : patience_s);
      backoff_s *= 2;
    }
  }

  double longest_wait_s() const {
    return options_.timeout_s * static_cast<double>(options_.retries);
  }

  /// Waits before the next try and returns how long: as the server asks, else the back-off as far
  /// as patience goes. The waits for an answer that is at work count too, and may leave less than
  /// none.
  double wait(const HttpReply& reply, const std::string& problem, double backoff_s,
              double patience_s) const {
    patience_s = std::max(0.0, patience_s);
    const double asked_s = retry_after_s(reply);
    const double wait_s = std::max(asked_s, std::min(backoff_s, patience_s));
    if (asked_s > patience_s)
      fail(
          "{}: {}; the server asks to wait {:.0f} s (Retry-After: {}), longer than the {:g} s left "
          "of oracle.timeout_s x oracle.retries; repeat the command then, or raise oracle.retries",
          place(), problem, asked_s, excerpt(reply.header("Retry-After"), 60), patience_s);
    if (wait_s >= kWorthSaying_s)
      say(fmt::format(
          "{}: {}; {} {:.0f} s, waits at most {:g} s in all (oracle.timeout_s x oracle.retries)",
          place(), problem, asked_s > 0 ? "the server asks for" : "tries again in", wait_s,
          longest_wait_s()));
    sleep_until(after(wait_s));
    return wait_s;
  }

  [[noreturn]] void refuse(const HttpReply& reply, const std::string& problem) const {
    if (reply.status >= 300 && reply.status < 400 && reply.has("Location")) refuse_redirect(reply);
    fail("{}: {}; {}", place(), problem, cure(reply.status));
  }

  /// Followed nowhere: clips and token are for the address that stands in the recipe.
  [[noreturn]] void refuse_redirect(const HttpReply& reply) const {
    std::string location = reply.header("Location");
    if (location.starts_with("/") && !location.starts_with("//")) location = url_.server + location;
    const std::string target = excerpt(location, 300);
    std::string address = location;
    if (address.ends_with("/infer")) address.resize(address.size() - std::string("/infer").size());
    bool usable = true;
    try {
      protocol::parse_url(address);
    } catch (const Error&) {
      usable = false;
    }
    fail("{}: HTTP {}: it redirects to {}; distal follows no redirects: {}", place(), reply.status,
         target,
         usable ? fmt::format("set oracle.url to {}", excerpt(address, 300))
                : "correct oracle.url, or give a token (oracle.token_env) if that is a login");
  }

  [[noreturn]] void give_up(const std::string& problem, int64_t tries, bool never_sent,
                            int status) const {
    const auto all =
        fmt::format("{}: {}, {} {}", place(), problem, tries, tries == 1 ? "try" : "tries");
    if (never_sent)
      throw TooLarge(all + "; the connection broke while the clips were being sent: lower "
                           "oracle.batch_size, or raise oracle.timeout_s");
    if (status == 429) fail("{}; lower oracle.requests_per_s, or raise oracle.retries", all);
    if (status == 503) fail("{}; wait until the server is ready, or raise oracle.retries", all);
    if (status != 0) fail("{}; look at the server, or raise oracle.retries", all);
    fail("{}; start the server, or correct oracle.url", all);
  }

  std::string cure(int status) const {
    if (status == 404) return "no such model there: check the name and version in oracle.url";
    if ((status == 401 || status == 403) && !options_.token_env.empty())
      return fmt::format("the server does not take the token of {} (oracle.token_env); renew it",
                         options_.token_env);
    if (status == 401 || status == 403)
      return "give a token: oracle.token_env names the environment variable that holds it";
    if (status == 400 || status == 422)
      return "check oracle.input, oracle.output and the clip size against what the model takes";
    return "look at the server, or check oracle.url";
  }

  void say(const std::string& line) const {
    if (say_) say_(line);
  }

  HttpOptions options_;
  LabelSpace labels_;
  std::vector<std::string> classes_;
  Say say_;
  protocol::Url url_;
  mutable HttpServer server_;  // asking for the version talks to the server too
  mutable std::optional<Description> description_;
  mutable Clock::time_point next_request_{};
  mutable bool said_rate_ = false;
  std::string remark_;
};

}  // namespace

void HttpOptions::visit(OptionVisitor& v) const {
  v("url", url,
    "http://host:port/v2/models/NAME[/versions/V] of an Open Inference Protocol v2 server");
  v("input", input, "name of the endpoint's input tensor");
  v("output", output, "name of the endpoint's output tensor");
  v("logits", logits, "the answer is logits: softmax is applied here");
  v("requests_per_s", requests_per_s, "at most this many requests a second; 0: no limit",
    at_least(0));
  v("timeout_s", timeout_s, "how long a request may take as a whole, in seconds", at_least(0.001));
  v("retries", retries, "tries after the first, on 408, 409, 425, 429, 5xx and broken connections",
    between(0, 100));
  v("backoff_s", backoff_s, "wait before the first retry, in seconds; doubles with each",
    at_least(0));
  v("token_env", token_env, "environment variable that holds a bearer token; empty: none is sent");
}

std::unique_ptr<Teacher> http_teacher(const HttpOptions& options, LabelSpace labels, Say say,
                                      const std::vector<std::string>& classes) {
  return std::make_unique<HttpTeacher>(options, labels, classes, std::move(say));
}

}  // namespace distal
