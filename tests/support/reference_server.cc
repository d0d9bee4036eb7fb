#include "support/reference_server.h"

#include <map>
#include <mutex>
#include <thread>

#include <httplib.h>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/random.h"
#include "distal/oracles/protocol.h"

namespace distal {
namespace {

void reply(httplib::Response& response, int status, const nlohmann::json& json) {
  response.status = status;
  response.set_content(json_text(json), "application/json");
}

nlohmann::json nested(const torch::Tensor& tensor) {
  if (tensor.dim() == 0) return tensor.item<float>();
  auto list = nlohmann::json::array();
  for (const auto& part : tensor.unbind(0)) list.push_back(nested(part));
  return list;
}

}  // namespace

struct ReferenceServer::State {
  struct Kept {            // what a key was answered with
    uint64_t request = 0;  // hash of the first request's body
    bool done = false;     // false: still worked on
    std::string body;
    size_t json_bytes = 0;  // of a body that goes on with raw bytes; 0: all of it is JSON
  };
  Answer answer;
  Options options;
  httplib::Server server;
  std::thread thread;
  int port = 0;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  mutable std::mutex mutex;  // guards what follows, and `answer`
  int64_t fails = 0;
  int64_t stalls = 0;
  int64_t drops = 0;
  int64_t texts = 0;
  int64_t dribbles = 0;
  int64_t responses = 0;
  int fail_status = 503;
  std::string retry_after, text;
  double stall_s = 0;
  double dribble_s = 0;
  std::vector<Request> requests;
  std::map<std::string, Kept> kept;  // by idempotency key
  Bill bill;

  nlohmann::json metadata() const {
    nlohmann::json description = {
        {"name", options.model},
        {"versions", {options.version}},
        {"platform", "distal_reference"},
        {"inputs",
         {{{"name", options.input}, {"datatype", "FP32"}, {"shape", {-1, 3, -1, -1, -1}}}}},
        {"outputs", {{{"name", options.output}, {"datatype", "FP32"}, {"shape", {-1, -1}}}}}};
    if (!options.classes.empty())
      description["outputs"][0]["parameters"]["classes"] = options.classes;
    description.merge_patch(nlohmann::json::parse(options.patch));
    return description;
  }

  void route() {
    const std::string model = "/v2/models/" + options.model;
    server.Get("/v2", [this](const auto&, auto& response) {
      reply(response, 200,
            {{"name", "distal_reference"},
             {"version", "1"},
             {"extensions", options.binary ? nlohmann::json{protocol::kBinaryExtension}
                                           : nlohmann::json::array()}});
    });
    server.Get("/bill", [this](const auto&, auto& response) {
      const std::lock_guard lock(mutex);
      reply(response, 200,
            {{"arrived", requests.size()}, {"requests", bill.requests}, {"clips", bill.clips}});
    });
    for (const auto& path : {model, model + "/versions/" + options.version}) {
      server.Get(path, [this](const auto&, auto& response) { reply(response, 200, metadata()); });
      server.Post(path + "/infer",
                  [this](const auto& request, auto& response) { infer(request, response); });
    }
  }

  void infer(const httplib::Request& request, httplib::Response& response) {
    try {
      std::optional<size_t> json_bytes;
      if (request.has_header(protocol::kLengthHeader))
        json_bytes = std::stoull(request.get_header_value(protocol::kLengthHeader));
      const auto message = protocol::parse(request.body, json_bytes);
      const auto clips = protocol::tensor(message, "inputs", options.input);
      const std::string key = request.get_header_value("Idempotency-Key");
      std::unique_lock lock(mutex);
      note(request, message, clips.size(0));
      if (fails > 0) return refuse(response);
      if (const auto known = key.empty() ? kept.end() : kept.find(key); known != kept.end()) {
        if (known->second.request != fnv1a(request.body))
          return reply(response, 422,
                       {{"error", "this Idempotency-Key belongs to another request"}});
        if (!known->second.done)
          return reply(response, 409,
                       {{"error", "the first request of this Idempotency-Key is still worked on"}});
        return send(known->second, response);
      }
      send(work(lock, key, request.body, message, clips), response);
    } catch (const std::exception& error) {
      reply(response, 400, {{"error", error.what()}});
    }
  }

  void note(const httplib::Request& request, const protocol::Message& message, int64_t clips) {
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - began;
    requests.push_back(
        {protocol::text_of(message.json, "id"), request.get_header_value("Idempotency-Key"),
         request.get_header_value("Authorization"), clips, !message.raw.empty(), time.count()});
  }

  void refuse(httplib::Response& response) {
    --fails;
    if (!retry_after.empty()) response.set_header("Retry-After", retry_after);
    reply(response, fail_status, {{"error", "told to fail"}});
  }

  /// Works on a request that is new, bills it and keeps the response. Others are served while it
  /// takes its time.
  Kept work(std::unique_lock<std::mutex>& lock, const std::string& key, const std::string& body,
            const protocol::Message& message, const torch::Tensor& clips) {
    const double takes_s = options.work_s + (stalls > 0 ? stall_s : 0);
    stalls = std::max<int64_t>(stalls - 1, 0);
    if (!key.empty()) kept[key].request = fnv1a(body);
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::duration<double>(takes_s));
    lock.lock();
    try {
      Kept done = written(message, answer(clips));
      done.request = fnv1a(body);
      ++bill.requests;
      bill.clips += clips.size(0);
      if (!key.empty()) kept[key] = done;
      return done;
    } catch (...) {
      kept.erase(key);
      throw;
    }
  }

  Kept written(const protocol::Message& message, const torch::Tensor& probabilities) const {
    protocol::Message out;
    out.json["model_name"] = options.model;
    out.json["model_version"] = options.answers_as.empty() ? options.version : options.answers_as;
    out.json["id"] = protocol::text_of(message.json, "id");
    const auto wanted = message.json.value("/outputs/0/parameters/binary_data"_json_pointer, false);
    protocol::append(out, "outputs", options.output, probabilities, wanted && options.binary);
    if (out.raw.empty() && options.nested) out.json["outputs"][0]["data"] = nested(probabilities);
    Kept done{0, true, out.body(), 0};
    if (!out.raw.empty()) done.json_bytes = done.body.size() - out.raw.size();
    return done;
  }

  void send(const Kept& done, httplib::Response& response) {
    ++responses;
    const bool drop = drops > 0 || (options.drop_every > 0 && responses % options.drop_every == 0);
    const char* type = done.json_bytes > 0 ? "application/octet-stream" : "application/json";
    if (drop) {
      drops = std::max<int64_t>(drops - 1, 0);
      return response.set_content_provider(
          1, type, [](size_t, size_t, httplib::DataSink&) { return false; });
    }
    if (texts > 0) {
      --texts;
      return response.set_content(text, "application/json");
    }
    if (done.json_bytes > 0)
      response.set_header(protocol::kLengthHeader, fmt::format("{}", done.json_bytes));
    if (dribbles == 0) return response.set_content(done.body, type);
    --dribbles;
    response.set_content_provider(
        done.body.size(), type,
        [body = done.body, pause = std::chrono::duration<double>(dribble_s)](
            size_t offset, size_t, httplib::DataSink& sink) {
          std::this_thread::sleep_for(pause);
          return sink.write(&body[offset], 1);
        });
  }
};

ReferenceServer::ReferenceServer(Answer answer) : ReferenceServer(std::move(answer), Options()) {}

ReferenceServer::ReferenceServer(Answer answer, Options options)
    : state_(std::make_unique<State>()) {
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

std::string ReferenceServer::url() const {
  return fmt::format("http://127.0.0.1:{}/v2/models/{}", state_->port, state_->options.model);
}

void ReferenceServer::fail_next(int64_t times, int status, const std::string& retry_after) {
  const std::lock_guard lock(state_->mutex);
  state_->fails = times;
  state_->fail_status = status;
  state_->retry_after = retry_after;
}

void ReferenceServer::stall_next(int64_t times, double seconds) {
  const std::lock_guard lock(state_->mutex);
  state_->stalls = times;
  state_->stall_s = seconds;
}

void ReferenceServer::drop_next(int64_t times) {
  const std::lock_guard lock(state_->mutex);
  state_->drops = times;
}

void ReferenceServer::answer_next_with(int64_t times, const std::string& body) {
  const std::lock_guard lock(state_->mutex);
  state_->texts = times;
  state_->text = body;
}

void ReferenceServer::dribble_next(int64_t times, double seconds) {
  const std::lock_guard lock(state_->mutex);
  state_->dribbles = times;
  state_->dribble_s = seconds;
}

std::vector<ReferenceServer::Request> ReferenceServer::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

ReferenceServer::Bill ReferenceServer::bill() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bill;
}

}  // namespace distal
