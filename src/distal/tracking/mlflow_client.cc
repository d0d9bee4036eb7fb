#include "distal/tracking/mlflow_client.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/oracles/http_exchange.h"
#include "distal/report/html.h"

namespace distal {
namespace {

using Json = nlohmann::json;

constexpr const char* kApi = "/api/2.0/mlflow/";
constexpr const char* kArtifacts = "/api/2.0/mlflow-artifacts/artifacts/";
constexpr double kTimeout_s = 10;
constexpr double kUploadTimeout_s = 600;
constexpr int64_t kMostReplyBytes = 4 << 20;
// Of one log-batch request.
constexpr size_t kMostMetrics = 900;
constexpr size_t kMostParams = 100;
constexpr size_t kMostValueBytes = 500;
constexpr size_t kMostKeyBytes = 250;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string url_encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') || c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

bool in_key(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z') || c == '-' || c == '_' || c == '.' || c == ' ' || c == '/';
}

std::string key_of(std::string key) {
  std::replace_if(
      key.begin(), key.end(), [](char c) { return !in_key(c); }, '_');
  key.resize(std::min(key.size(), kMostKeyBytes));
  return key;
}

Json pairs_json(const MlflowPairs& pairs) {
  Json json = Json::array();
  for (const auto& [key, value] : pairs)
    json.push_back({{"key", key}, {"value", valid_utf8(value)}});
  return json;
}

// The path of a run's artefacts at the server; nullopt: they are elsewhere.
std::optional<std::string> artifact_path(const std::string& uri) {
  constexpr std::string_view kScheme = "mlflow-artifacts:";
  if (const size_t at = uri.find(kArtifacts); at != std::string::npos)
    return uri.substr(at + std::string_view(kArtifacts).size());
  if (!uri.starts_with(kScheme)) return std::nullopt;
  std::string path = uri.substr(kScheme.size());
  if (path.starts_with("//")) {  // with a host
    const size_t slash = path.find('/', 2);
    path = slash == std::string::npos ? "" : path.substr(slash);
  }
  path.erase(0, path.find_first_not_of('/'));
  return path;
}

// "user:password@" out of the address.
std::string url_decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    int byte = 0;
    const char* const digits = text.data() + i + 1;
    const bool coded = text[i] == '%' && i + 2 < text.size() &&
                       std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
    out += coded ? static_cast<char>(byte) : text[i];
    if (coded) i += 2;
  }
  return out;
}

void take_user(MlflowSettings& settings) {
  const size_t begin = settings.address.find("://") + 3;
  const size_t at = settings.address.find('@', begin);
  if (at == std::string::npos) return;
  const std::string both = settings.address.substr(begin, at - begin);
  settings.address.erase(begin, at + 1 - begin);
  const size_t colon = both.find(':');
  settings.user = url_decoded(both.substr(0, colon));
  settings.password = colon == std::string::npos ? "" : url_decoded(both.substr(colon + 1));
}

std::string member(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string()
             ? object[name].get<std::string>()
             : "";
}

MlflowClient::Run run_of(const Json& run) {
  const Json info = run.is_object() ? run.value("info", Json::object()) : Json::object();
  std::string id = member(info, "run_id");
  if (id.empty()) id = member(info, "run_uuid");
  return {id, member(info, "artifact_uri")};
}

}  // namespace

std::optional<MlflowSettings> mlflow_settings() {
  const std::string uri = environment("MLFLOW_TRACKING_URI");
  if (uri.empty()) return std::nullopt;
  if (!uri.starts_with("http://") && !uri.starts_with("https://"))
    fail("MLFLOW_TRACKING_URI ({}): distal speaks to servers alone; start one with mlflow server "
         "and give its address, like http://host:5000",
         excerpt(uri.substr(0, uri.find(':'))));
  MlflowSettings settings;
  const size_t slash = uri.find('/', uri.find("://") + 3);
  settings.address = uri.substr(0, slash);
  if (slash != std::string::npos) settings.prefix = uri.substr(slash);
  while (settings.prefix.ends_with('/')) settings.prefix.pop_back();
  take_user(settings);
  if (const std::string user = environment("MLFLOW_TRACKING_USERNAME"); !user.empty()) {
    settings.user = user;
    settings.password = environment("MLFLOW_TRACKING_PASSWORD");
  }
  settings.token = environment("MLFLOW_TRACKING_TOKEN");
  settings.experiment_id = environment("MLFLOW_EXPERIMENT_ID");
  if (const std::string name = environment("MLFLOW_EXPERIMENT_NAME"); !name.empty())
    settings.experiment = name;
  return settings;
}

struct MlflowClient::State {
  MlflowSettings settings;
  HttpServer server;
  HttpServer uploads;

  explicit State(MlflowSettings all)
      : settings(std::move(all)),
        server(settings.address, kTimeout_s, token(), ""),
        uploads(settings.address, kUploadTimeout_s, token(), "") {}

  // Name and password win, as with MLflow's own client.
  std::string token() const { return settings.user.empty() ? settings.token : ""; }

  // `where` names the request in messages.
  Json ask(HttpServer& by, HttpRequest request, const std::string& where) {
    request.path = settings.prefix + request.path;
    request.most_bytes = kMostReplyBytes;
    if (!settings.user.empty())
      request.headers.emplace_back("Authorization",
                                   "Basic " + base64(settings.user + ":" + settings.password));
    const HttpReply reply = by.exchange(std::move(request));
    if (reply.status == 0) throw MlflowUnreachable(reply.trouble);
    const Json json = Json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
    if (reply.status == 200) return json;
    // A proxy whose server is down.
    if (reply.status == 429 || reply.status >= 502)
      throw MlflowUnreachable(fmt::format("HTTP {}", reply.status));
    const std::string said = member(json, "message");
    throw MlflowRefused(fmt::format("{}: HTTP {}{}", where, reply.status,
                                    said.empty() ? "" : ": " + excerpt(said, 300)),
                        member(json, "error_code"));
  }

  Json post(const std::string& what, const Json& body) {
    HttpRequest request{"POST", kApi + what, 0, json_text(body), "application/json", {}};
    return ask(server, std::move(request), what);
  }

  Json get(const std::string& what, const std::string& query) {
    return ask(server, {"GET", kApi + what + "?" + query, 0, "", "", {}}, what);
  }

  // The id of the experiment by name; empty: there is none.
  std::string experiment_named() {
    try {
      const Json found =
          get("experiments/get-by-name", "experiment_name=" + url_encoded(settings.experiment));
      const Json experiment = found.is_object() ? found.value("experiment", Json()) : Json();
      if (member(experiment, "lifecycle_stage") == "deleted")
        throw MlflowRefused(fmt::format("the experiment '{}' was deleted; restore it, or give "
                                        "another MLFLOW_EXPERIMENT_NAME",
                                        settings.experiment),
                            "");
      return member(experiment, "experiment_id");
    } catch (const MlflowRefused& refused) {
      if (refused.code != "RESOURCE_DOES_NOT_EXIST") throw;
      return "";
    }
  }
};

MlflowClient::MlflowClient(MlflowSettings settings)
    : state_(std::make_unique<State>(std::move(settings))) {}

MlflowClient::~MlflowClient() = default;

std::string MlflowClient::experiment() {
  const MlflowSettings& settings = state_->settings;
  if (!settings.experiment_id.empty()) return settings.experiment_id;
  std::string id = state_->experiment_named();
  if (!id.empty()) return id;
  try {
    id = member(state_->post("experiments/create", {{"name", settings.experiment}}),
                "experiment_id");
  } catch (const MlflowRefused& refused) {  // another process was first
    if (refused.code != "RESOURCE_ALREADY_EXISTS") throw;
    id = state_->experiment_named();
  }
  if (id.empty()) throw MlflowRefused("experiments/create: the answer has no experiment_id", "");
  return id;
}

std::optional<MlflowClient::Run> MlflowClient::find_run(const std::string& experiment,
                                                        const MlflowPairs& tags) {
  std::string filter;
  for (const auto& [key, value] : tags)
    filter += fmt::format("{}tags.`{}` = '{}'", filter.empty() ? "" : " and ", key, value);
  const Json found = state_->post("runs/search", {{"experiment_ids", {experiment}},
                                                  {"filter", filter},
                                                  {"run_view_type", "ACTIVE_ONLY"},
                                                  {"max_results", 1}});
  if (!found.is_object() || !found.contains("runs") || found["runs"].empty()) return std::nullopt;
  return run_of(found["runs"].front());
}

MlflowClient::Run MlflowClient::create_run(const std::string& experiment, const std::string& name,
                                           const MlflowPairs& tags) {
  const Json made = state_->post("runs/create", {{"experiment_id", experiment},
                                                 {"run_name", valid_utf8(name)},
                                                 {"start_time", now_ms()},
                                                 {"tags", pairs_json(tags)}});
  const Run run = run_of(made.is_object() ? made.value("run", Json()) : Json());
  if (run.id.empty()) throw MlflowRefused("runs/create: the answer has no run_id", "");
  return run;
}

void MlflowClient::log(const std::string& run, const std::vector<MlflowMetric>& metrics,
                       const MlflowPairs& params) {
  for (size_t from = 0; from < params.size(); from += kMostParams) {
    MlflowPairs some(
        params.begin() + static_cast<int64_t>(from),
        params.begin() + static_cast<int64_t>(std::min(params.size(), from + kMostParams)));
    for (auto& [key, value] : some) {
      key = key_of(key);
      value = excerpt(value, kMostValueBytes - 3);
    }
    state_->post("runs/log-batch", {{"run_id", run}, {"params", pairs_json(some)}});
  }
  for (size_t from = 0; from < metrics.size(); from += kMostMetrics) {
    Json some = Json::array();
    for (size_t i = from; i < std::min(metrics.size(), from + kMostMetrics); ++i)
      some.push_back({{"key", key_of(metrics[i].key)},
                      {"value", metrics[i].value},
                      {"timestamp", metrics[i].time_ms},
                      {"step", metrics[i].step}});
    state_->post("runs/log-batch", {{"run_id", run}, {"metrics", some}});
  }
}

void MlflowClient::set_status(const std::string& run, const std::string& status) {
  Json body = {{"run_id", run}, {"status", status}};
  if (status != "RUNNING") body["end_time"] = now_ms();
  state_->post("runs/update", body);
}

bool MlflowClient::takes_artifacts(const Run& run) {
  return artifact_path(run.artifact_uri).has_value();
}

void MlflowClient::put_artifact(const Run& run, const std::string& name, std::string bytes) {
  const auto path = artifact_path(run.artifact_uri);
  expect(path.has_value(), "artefacts of the run go through the server");
  state_->ask(state_->uploads,
              {"PUT",
               fmt::format("{}{}/{}", kArtifacts, *path, name),
               0,
               std::move(bytes),
               "application/octet-stream",
               {}},
              "mlflow-artifacts");
}

}  // namespace distal
