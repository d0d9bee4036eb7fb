#include "distill/reference_server.h"

#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include <httplib.h>

#include "base/error.h"
#include "distill/protocol.h"

namespace distal {
namespace {

void reply(httplib::Response& response, int status, const nlohmann::json& json) {
  response.status = status;
  response.set_content(json.dump(), "application/json");
}

nlohmann::json nested(const torch::Tensor& tensor) {
  if (tensor.dim() == 0) return tensor.item<float>();
  auto list = nlohmann::json::array();
  for (const auto& part : tensor.unbind(0)) list.push_back(nested(part));
  return list;
}

}  // namespace

struct ReferenceServer::State {
  Answer answer;
  Options options;
  httplib::Server server;
  std::thread thread;
  int port = 0;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  mutable std::mutex mutex;  // guards what follows, and `answer`
  int64_t fails = 0, drops = 0, stalls = 0, texts = 0;
  int fail_status = 503;
  std::string retry_after, text;
  double stall_s = 0;
  std::vector<Request> requests;
  std::set<std::string> answered;

  nlohmann::json metadata() const {
    return {{"name", options.model}, {"versions", {options.version}}, {"platform", "distal_reference"},
            {"inputs", {{{"name", options.input}, {"datatype", "FP32"}, {"shape", {-1, 3, -1, -1, -1}}}}},
            {"outputs", {{{"name", options.output}, {"datatype", "FP32"}, {"shape", {-1, -1}}}}}};
  }

  void route() {
    const std::string model = "/v2/models/" + options.model;
    server.Get("/v2", [this](const auto&, auto& response) {
      reply(response, 200, {{"name", "distal_reference"}, {"version", "1"}, {"extensions", options.binary ? nlohmann::json{protocol::kBinaryExtension} : nlohmann::json::array()}});
    });
    for (const auto& path : {model, model + "/versions/" + options.version}) {
      server.Get(path, [this](const auto&, auto& response) { reply(response, 200, metadata()); });
      server.Post(path + "/infer", [this](const auto& request, auto& response) { infer(request, response); });
    }
  }

  void infer(const httplib::Request& request, httplib::Response& response) {
    try {
      std::optional<size_t> json_bytes;
      if (request.has_header(protocol::kLengthHeader)) json_bytes = std::stoull(request.get_header_value(protocol::kLengthHeader));
      const auto message = protocol::parse(request.body, json_bytes);
      const auto clips = protocol::tensor(message, "inputs", options.input);
      const std::lock_guard lock(mutex);
      note(request, message, clips.size(0));
      if (!broken(response)) serve(message, clips, response);
    } catch (const std::exception& error) {
      reply(response, 400, {{"error", error.what()}});
    }
  }

  void note(const httplib::Request& request, const protocol::Message& message, int64_t clips) {
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - began;
    requests.push_back({message.json.value("id", ""), request.get_header_value("Idempotency-Key"), request.get_header_value("Authorization"), clips, !message.raw.empty(), time.count()});
  }

  bool broken(httplib::Response& response) {
    if (fails > 0) {
      --fails;
      if (!retry_after.empty()) response.set_header("Retry-After", retry_after);
      reply(response, fail_status, {{"error", "told to fail"}});
      return true;
    }
    if (drops == 0 && stalls > 0) {
      --stalls;
      std::this_thread::sleep_for(std::chrono::duration<double>(stall_s));
    }
    return false;
  }

  void serve(const protocol::Message& message, const torch::Tensor& clips, httplib::Response& response) {
    const auto probabilities = answer(clips);
    std::istringstream keys(message.json.value("id", ""));
    for (std::string key; std::getline(keys, key, ',');) answered.insert(key);
    if (drops > 0) {
      --drops;
      response.set_content_provider(1, "application/json", [](size_t, size_t, httplib::DataSink&) { return false; });
    } else if (texts > 0) {
      --texts;
      response.set_content(text, "application/json");
    } else {
      write(message, probabilities, response);
    }
  }

  void write(const protocol::Message& message, const torch::Tensor& probabilities, httplib::Response& response) {
    protocol::Message out;
    out.json["model_name"] = options.model;
    out.json["model_version"] = options.version;
    out.json["id"] = message.json.value("id", "");
    const auto wanted = message.json.value("/outputs/0/parameters/binary_data"_json_pointer, false);
    protocol::append(out, "outputs", options.output, probabilities, wanted && options.binary);
    if (out.raw.empty() && options.nested) out.json["outputs"][0]["data"] = nested(probabilities);
    const std::string body = out.body();
    if (!out.raw.empty()) response.set_header(protocol::kLengthHeader, fmt::format("{}", body.size() - out.raw.size()));
    response.set_content(body, out.raw.empty() ? "application/json" : "application/octet-stream");
  }
};

ReferenceServer::ReferenceServer(Answer answer) : ReferenceServer(std::move(answer), Options()) {}

ReferenceServer::ReferenceServer(Answer answer, Options options) : state_(std::make_unique<State>()) {
  state_->answer = std::move(answer);
  state_->options = std::move(options);
  state_->server.set_keep_alive_timeout(1);  // stopping waits for idle connections
  state_->route();
  state_->port = state_->server.bind_to_any_port("127.0.0.1");
  if (state_->port < 0) fail("reference server: no free port on 127.0.0.1; close some programs");
  state_->thread = std::thread([state = state_.get()] { state->server.listen_after_bind(); });
  while (!state_->server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

ReferenceServer::~ReferenceServer() {
  state_->server.stop();
  state_->thread.join();
}

std::string ReferenceServer::url() const { return fmt::format("http://127.0.0.1:{}/v2/models/{}", state_->port, state_->options.model); }

void ReferenceServer::fail_next(int64_t times, int status, const std::string& retry_after) {
  const std::lock_guard lock(state_->mutex);
  state_->fails = times;
  state_->fail_status = status;
  state_->retry_after = retry_after;
}

void ReferenceServer::drop_next(int64_t times) {
  const std::lock_guard lock(state_->mutex);
  state_->drops = times;
}

void ReferenceServer::stall_next(int64_t times, double seconds) {
  const std::lock_guard lock(state_->mutex);
  state_->stalls = times;
  state_->stall_s = seconds;
}

void ReferenceServer::answer_next_with(int64_t times, const std::string& body) {
  const std::lock_guard lock(state_->mutex);
  state_->texts = times;
  state_->text = body;
}

std::vector<ReferenceServer::Request> ReferenceServer::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

int64_t ReferenceServer::billed() const {
  const std::lock_guard lock(state_->mutex);
  return std::ssize(state_->answered);
}

}  // namespace distal
