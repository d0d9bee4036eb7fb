// The endpoint teacher against the reference server, on this machine only.

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>

#include "distal/base/interrupted.h"
#include "distal/base/testing.h"
#include "distal/oracles/http_teacher.h"
#include "distal/oracles/protocol.h"
#include "support/reference_server.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

torch::Tensor mean_colour(const torch::Tensor& clips) { return clips.mean({2, 3, 4}).softmax(1); }

HttpOptions options_for(const ReferenceServer& server) {
  HttpOptions options;
  options.url = server.url();
  options.backoff_s = 0.01;
  options.timeout_s = 5;
  return options;
}

/// A key that was never used.
std::string fresh() {
  static int64_t count = 0;
  return fmt::format("request{}", ++count);
}

std::string refusal(Teacher& teacher, const torch::Tensor& clips, const std::string& request_key) {
  return error_of([&] { teacher.answer(clips, request_key); });
}
std::string refusal(Teacher& teacher, int64_t clips = 1) {
  return refusal(teacher, torch::rand({clips, 3, 2, 4, 4}), fresh());
}

TEST(HttpTeacher, AnswersTheSameOverBytesAndJson) {
  const auto clips = torch::rand({5, 3, 2, 4, 4}) * 2 - 1;
  for (const bool binary : {true, false}) {
    for (const bool nested : {true, false}) {
      ReferenceServer server(mean_colour, {.binary = binary, .nested = nested});
      const auto teacher = http_teacher(options_for(server), 3);
      EXPECT_TRUE(torch::allclose(teacher->answer(clips, "k1"), mean_colour(clips)));
      const auto requests = server.requests();
      ASSERT_EQ(requests.size(), 1u);
      EXPECT_EQ(requests[0].binary, binary);
      EXPECT_EQ(requests[0].id, "k1");
      EXPECT_EQ(requests[0].idempotency_key, "k1");
      EXPECT_EQ(requests[0].clips, 5);
      EXPECT_EQ(server.bill().clips, 5);
    }
  }
}

TEST(HttpTeacher, TellsItsNameAndVersion) {
  ReferenceServer server(mean_colour, {.model = "surgeon", .version = "7"});
  EXPECT_EQ(http_teacher(options_for(server), 3)->version(), "surgeon:7");
  auto options = options_for(server);
  options.url += "/versions/7";
  const auto teacher = http_teacher(options, 3);
  EXPECT_EQ(teacher->version(), "surgeon:7");
  EXPECT_EQ(teacher->answer(torch::rand({1, 3, 2, 4, 4}), "a").size(1), 3);
}

TEST(HttpTeacher, ComparesTheNamesOfItsClassesBeforeAnythingIsSent) {
  const std::vector<std::string> classes = {"cut", "sew", "wash"};
  const auto of = [&](const ReferenceServer& server) {
    return refusal(*http_teacher(options_for(server), 3, {}, classes));
  };
  ReferenceServer right(mean_colour, {.classes = {"cut", "sew", "wash"}});
  EXPECT_EQ(of(right), "");
  ReferenceServer permuted(mean_colour, {.classes = {"wash", "cut", "sew"}});
  EXPECT_THAT(of(permuted), AllOf(HasSubstr(permuted.url()), HasSubstr("(wash, cut, sew)"),
                                  HasSubstr("(cut, sew, wash)"), HasSubstr("data.classes")));
  ReferenceServer other(mean_colour, {.classes = {"cut", "sew", "glue"}});
  EXPECT_THAT(of(other), AllOf(HasSubstr("does not know wash"), HasSubstr("knows glue")));
  for (const ReferenceServer* server : {&permuted, &other})
    EXPECT_EQ(server->requests().size(), 0u);
}

TEST(HttpTeacher, ReadsTheNamesOfClassesInTheWaysOfServers) {
  const auto refused = [](const std::string& patch) {
    const ReferenceServer server(mean_colour, {.patch = patch});
    const auto teacher = http_teacher(options_for(server), 3, {}, {"cut", "sew", "wash"});
    return error_of([&] { teacher->version(); });
  };
  for (const char* parameters :
       {R"({"classes": ["wash", "cut", "sew"]})", R"({"labels": "wash,cut,sew"})",
        R"({"labels": "wash\ncut\nsew\n"})",
        R"({"id2label": {"0": "wash", "1": "cut", "2": "sew"}})",
        R"({"class_names": "[\"wash\", \"cut\", \"sew\"]"})",
        R"({"classes": {"string_value": "wash,cut,sew"}})"}) {
    EXPECT_THAT(refused(fmt::format(R"({{"parameters": {}}})", parameters)),
                HasSubstr("in another order (wash, cut, sew)"))
        << parameters;
  }
  for (const char* nothing : {R"("x")", R"({"classes": 3})", R"({"classes": "[cut"})",
                              R"({"classes": [1, 2, 3]})", R"({"labels": {}})", "[1]"}) {
    EXPECT_EQ(refused(fmt::format(R"({{"parameters": {}}})", nothing)), "") << nothing;
  }
}

TEST(HttpTeacher, SaysWhatTheServerWantsBeforeAnythingIsSent) {
  const auto described = [](const std::string& patch, const std::vector<int64_t>& clips) {
    const ReferenceServer server(mean_colour, {.patch = patch});
    const std::string said =
        refusal(*http_teacher(options_for(server), 3), torch::rand(clips), fresh());
    EXPECT_EQ(server.requests().size(), said.empty() ? 1u : 0u);
    return said;
  };
  const auto input = [&](const std::string& type, const std::string& shape) {
    return described(
        fmt::format(R"({{"inputs": [{{"name": "clips", "datatype": "{}", "shape": {}}}]}})", type,
                    shape),
        {2, 3, 4, 8, 8});
  };
  EXPECT_EQ(input("FP32", "[-1, 3, 4, 8, 8]"), "");
  EXPECT_EQ(input("FP32", "[-1]"), "") << "says nothing";
  EXPECT_EQ(input("FP32", "\"any\""), "");
  EXPECT_EQ(input("FP32", "[2, 3, 4, 8, 8]"), "");
  EXPECT_THAT(input("UINT8", "[-1, 4, 8, 8, 3]"),
              AllOf(HasSubstr("its input 'clips' is UINT8 [any, 4, 8, 8, 3]"),
                    HasSubstr("FP32 [clips, 3, frames, height, width]")));
  EXPECT_THAT(input("FP32", "[-1, 3, 16, 224, 224]"),
              AllOf(HasSubstr("is [any, 3, 16, 224, 224], and the clips are [2, 3, 4, 8, 8]"),
                    HasSubstr("input.size_px")));
  EXPECT_THAT(input("FP32", "[8, 3, 4, 8, 8]"), HasSubstr("takes 8 clips a request, no fewer"));
  EXPECT_THAT(input("FP32", "[1, 3, 4, 8, 8]"), HasSubstr("set oracle.batch_size: 1"));
  const std::vector<int64_t> clips = {2, 3, 4, 8, 8};
  EXPECT_THAT(described(R"({"inputs": [{"name": "clips"}, {"name": "mask"}]})", clips),
              HasSubstr("wants a second input, 'mask'"));
  EXPECT_THAT(
      described(
          R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 400]}]})",
          clips),
      AllOf(HasSubstr("its output 'probabilities' is FP32 [any, 400]"),
            HasSubstr("FP32 or FP64 [clips, 3]")));
  EXPECT_THAT(
      described(R"({"outputs": [{"name": "probabilities", "datatype": "INT64", "shape": [-1]}]})",
                clips),
      HasSubstr("is INT64"));
}

TEST(HttpTeacher, AsksForLessAtOnceWhereTheServerTakesFewerClips) {
  const ReferenceServer server(
      mean_colour,
      {.patch =
           R"({"inputs": [{"name": "clips", "datatype": "FP32", "shape": [1, 3, -1, -1, -1]}]})"});
  const auto teacher = http_teacher(options_for(server), 3);
  EXPECT_THROW(teacher->answer(torch::rand({2, 3, 2, 4, 4}), fresh()), TooLarge);
  EXPECT_EQ(server.requests().size(), 0u);
  EXPECT_EQ(teacher->answer(torch::rand({1, 3, 2, 4, 4}), fresh()).size(0), 1);
}

TEST(HttpTeacher, TurnsLogitsIntoProbabilities) {
  ReferenceServer server([](const torch::Tensor& clips) { return 3 * clips.mean({2, 3, 4}); });
  auto options = options_for(server);
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("oracle.logits: true"));
  options.logits = true;
  const auto clips = torch::rand({2, 3, 2, 4, 4});
  EXPECT_TRUE(torch::allclose(http_teacher(options, 3)->answer(clips, fresh()),
                              (3 * clips.mean({2, 3, 4})).softmax(1)));
}

TEST(HttpTeacher, TriesAgainWhenTheServerIsBusy) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  for (const int status : {503, 429, 500, 408, 409, 425}) {
    server.fail_next(3, status);
    EXPECT_EQ(refusal(*teacher), "") << status;
  }
  const auto requests = server.requests();
  EXPECT_EQ(requests.size(), 24u);
  for (size_t i = 0; i < requests.size(); ++i)
    EXPECT_EQ(requests[i].idempotency_key, requests[i / 4 * 4].idempotency_key);
  EXPECT_EQ(server.bill().requests, 6);
  EXPECT_GE(requests[2].time_s - requests[1].time_s, 0.02) << "the wait doubles";
  EXPECT_GE(requests[3].time_s - requests[2].time_s, 0.04);
}

TEST(HttpTeacher, WaitsAsLongAsRetryAfterSays) {
  ReferenceServer server(mean_colour);
  server.fail_next(1, 429, "1");
  EXPECT_EQ(refusal(*http_teacher(options_for(server), 3)), "");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_GE(requests[1].time_s - requests[0].time_s, 0.99);
}

TEST(HttpTeacher, GivesUpAfterTheRetriesAndSaysWhatItHeard) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.retries = 2;
  server.fail_next(100, 503);
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              AllOf(HasSubstr(server.url()), HasSubstr("HTTP 503: told to fail, 3 tries")));
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(HttpTeacher, DoesNotTryAgainWhenTheRequestIsWrong) {
  ReferenceServer server(mean_colour);
  server.fail_next(1, 400);
  EXPECT_THAT(refusal(*http_teacher(options_for(server), 3)),
              AllOf(HasSubstr("HTTP 400"), HasSubstr("check oracle.input")));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpTeacher, SaysToAskForLessAtOnce) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  server.fail_next(2, 413);
  EXPECT_THROW(teacher->answer(torch::rand({1, 3, 2, 4, 4}), fresh()), TooLarge);
  EXPECT_THAT(refusal(*teacher, 6), AllOf(HasSubstr("HTTP 413: told to fail for 6 clips"),
                                          HasSubstr("lower oracle.batch_size")));
  EXPECT_EQ(server.requests().size(), 2u);
}

/// Says which extensions it has, whatever it is asked, and hangs up without reading on: as servers
/// do with what is too large.
class AbruptServer {
 public:
  AbruptServer() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    url_ = fmt::format("http://127.0.0.1:{}/v2/models/m", ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~AbruptServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  const std::string& url() const { return url_; }

 private:
  void serve() const {
    const std::string body = R"({"extensions": ["binary_tensor_data"]})";
    const std::string text = fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", body.size(), body);
    for (int client; (client = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(client)) {
      char request[1000];
      if (::recv(client, request, sizeof request, 0) > 0)
        ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
    }
  }
  int socket_;
  std::string url_;
  std::thread thread_;
};

TEST(HttpTeacher, SaysToAskForLessWhenTheServerHangsUpWhileItSends) {
  const AbruptServer server;
  HttpOptions options;
  options.url = server.url();
  options.retries = 1;
  options.backoff_s = 0.01;
  const auto teacher = http_teacher(options, 3);
  const torch::Tensor clips =
      torch::zeros({1, 3, 32, 256, 256});  // 25 MB: more than the sockets hold
  EXPECT_THAT(error_of<TooLarge>([&] { teacher->answer(clips, fresh()); }),
              AllOf(HasSubstr("2 tries"),
                    HasSubstr("while the clips were being sent: lower oracle.batch_size")));
}

/// Serves whatever the test writes: a function gets each request's head and body and the socket;
/// true keeps the connection.
class HostileServer {
 public:
  using Serve = std::function<bool(int client, const std::string& head, const std::string& body)>;
  explicit HostileServer(Serve serve)
      : serve_(std::move(serve)), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    server_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::thread([this] { accept(); });
  }
  /// Describes a model with one version and answers each inference with `answer`, or with `head`
  /// and body as they are.
  explicit HostileServer(std::string answer, std::string head = "HTTP/1.1 200 OK")
      : HostileServer([answer, head](int client, const std::string& request, const std::string&) {
          reply(client, request.starts_with("GET /v2 ") ? "{}" : kModel,
                request.starts_with("GET") ? "HTTP/1.1 200 OK" : "");
          if (request.starts_with("POST")) reply(client, answer, head);
          return true;
        }) {}
  ~HostileServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }

  static constexpr const char* kModel = R"({"name": "m", "versions": ["1"]})";
  static void reply(int client, const std::string& body, const std::string& head) {
    if (!head.empty())
      send(client, fmt::format("{}\r\nContent-Length: {}\r\n\r\n{}", head, body.size(), body));
  }
  static bool send(int client, const std::string& text) {
    return ::send(client, text.data(), text.size(), MSG_NOSIGNAL) == std::ssize(text);
  }

  HttpOptions options() const {
    HttpOptions options;
    options.url = server_ + "/v2/models/m";
    options.retries = 0;
    options.timeout_s = 20;
    return options;
  }
  const std::string& server() const { return server_; }
  int posts() const { return posts_; }

 private:
  void accept() {
    for (int client; (client = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(client)) {
      while (one_request(client)) {
      }
    }
  }

  bool one_request(int client) {
    std::string text;
    size_t end = 0;
    size_t length = 0;
    while ((end = text.find("\r\n\r\n")) == std::string::npos || text.size() < end + 4 + length) {
      char part[65536];
      const ssize_t got = ::recv(client, part, sizeof part, 0);
      if (got <= 0) return false;
      text.append(part, static_cast<size_t>(got));
      if (const size_t at = text.find("Content-Length: "); at != std::string::npos)
        length = std::strtoull(text.c_str() + at + 16, nullptr, 10);
    }
    posts_ += text.starts_with("POST");
    return serve_(client, text.substr(0, end), text.substr(end + 4));
  }

  Serve serve_;
  int socket_;
  std::atomic<int> posts_ = 0;
  std::string server_;
  std::thread thread_;
};

constexpr const char* kGood = R"("outputs": [{"name": "probabilities", "datatype": "FP32", )"
                              R"("shape": [1, 3], "data": [0.5, 0.25, 0.25]}]})";

int64_t most_memory_kb() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss;
}

// In each, the server goes on for as long as somebody reads.
TEST(HttpTeacher, ReadsNoMoreThanAnAnswerTakes) {
  struct Case {
    std::string what, head, more, want;
  };
  const std::string blanks(1 << 16, ' ');
  const std::string line(1 << 16, 'x');
  std::string headers;
  while (headers.size() < 1 << 16) headers += "a: b\r\n";
  const std::vector<Case> cases = {
      {"a body in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       "10000\r\n" + blanks + "\r\n", "answers more than 4194"},
      {"a body until the connection closes", "HTTP/1.1 200 OK\r\n\r\n", blanks,
       "answers more than 4194"},
      {"a body said to be large", "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
       blanks, "answers more than 4194"},
      {"an error in chunks", "HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n",
       "10000\r\n" + line + "\r\n", "HTTP 400: xxxxx"},
      {"headers", "HTTP/1.1 200 OK\r\n", headers, "headers exceed"},
      {"a header", "HTTP/1.1 200 OK\r\na: ", line, "headers exceed"},
      {"a status", "HTTP/1.1 200 ", line, "headers exceed"},
      {"the length of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", line,
       "has no end"},
      {"nothing but 'continue'", "", "HTTP/1.1 100 Continue\r\n\r\n", "headers exceed"},
  };
  for (const auto& [what, head, more, want] : cases) {
    const HostileServer server([&](int client, const std::string& request, const std::string&) {
      if (request.starts_with("GET")) {
        HostileServer::reply(client, HostileServer::kModel, "HTTP/1.1 200 OK");
        return true;
      }
      HostileServer::send(client, head);
      while (HostileServer::send(client, more)) {
      }
      return false;
    });
    const auto teacher = http_teacher(server.options(), 3);
    const int64_t before = most_memory_kb();
    EXPECT_THAT(refusal(*teacher), AllOf(HasSubstr(server.server()), HasSubstr(want))) << what;
    EXPECT_LT(most_memory_kb() - before, 200 << 10) << what;
  }
}

TEST(HttpTeacher, ReadsNoMoreThanADescriptionTakes) {
  for (const bool deep : {true, false}) {
    const std::string body =
        deep ? "{\"name\": " + std::string(200000, '[') + std::string(200000, ']') + "}"
             : "{\"name\": \"" + std::string(2 << 20, 'x') + "\"}";
    const HostileServer server([&](int client, const std::string&, const std::string&) {
      HostileServer::reply(client, body, "HTTP/1.1 200 OK");
      return true;
    });
    EXPECT_THAT(
        refusal(*http_teacher(server.options(), 3)),
        AllOf(HasSubstr(server.server()), HasSubstr(deep ? "nested deeper than 64 levels"
                                                         : "answers more than 1048576 bytes")));
    EXPECT_EQ(server.posts(), 0);
  }
}

TEST(HttpTeacher, RefusesAnotherRequestsOrModelsAnswerAsPaid) {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {R"({"id": "not-yours", )", "that of request 'not-yours', not of 'request"},
      {R"({"id": 7, )", "that of request '7'"},
      {R"({"id": "\u001b[31m", )", "that of request '.[31m'"},
      {R"({"model_name": "other", )", "model other answered instead of m"},
      {R"({"model_version": "2", )", "model_version 2 answered instead of 1"},
      {R"({"id": null, "model_name": "m", "model_version": 1, )", ""},
      {R"({"id": "", )", ""},
  };
  for (const auto& [begin, want] : answers) {
    const HostileServer server(begin + kGood);
    const auto teacher = http_teacher(server.options(), 3);
    const std::string error = refusal(*teacher);
    if (want.empty()) {
      EXPECT_EQ(error, "") << begin;
      continue;
    }
    EXPECT_THAT(error, HasSubstr(want)) << begin;
    EXPECT_THROW(teacher->answer(torch::rand({1, 3, 2, 4, 4}), fresh()), Unusable) << begin;
  }
}

TEST(HttpTeacher, NamesWhatIsWrongInAnAnswerAndThatItWasPaid) {
  const auto tensor = [](const std::string& data, const std::string& shape = "[1, 3]",
                         const std::string& type = "FP32") {
    return fmt::format(R"({{"outputs": [{{"name": "probabilities", "datatype": "{}", )"
                       R"("shape": {}, "data": {}}}]}})",
                       type, shape, data);
  };
  const std::vector<std::pair<std::string, std::string>> answers = {
      {tensor("[0.5, \"0.25\", 0.25]"), "value 1 is no number: \"0.25\""},
      {tensor("[0.5, true, 0.25]"), "value 1 is no number: true"},
      {tensor("[0.5, 0.25, 0.5]"),
       "clip 0 of the batch: probabilities do not sum to 1 but to 1.25"},
      {tensor("[1.5, -0.5, 0]"), "the least is -0.5"},
      {tensor("[0.5, 0.5]"), "came with 2 values"},
      {tensor("[0.5, 0.5]", "[1, 2]"), "answered shape 1x2 instead of [1, 3]"},
      {tensor("[0.5, 0.25, 0.25]", "[3, 1]"), "answered shape 3x1"},
      {tensor("[0.5, 0.25, 0.25]", "[1, 1, 3]"), "answered shape 1x1x3"},
      {tensor("[1, 0, 0]", "[1, 3]", "INT64"), "is INT64"},
      {tensor("[1e999, 0, 0]"), "out of range"},
      {tensor(std::string(300000, '[') + std::string(300000, ']')), "nested deeper than 64 levels"},
      {tensor("[0.5, 0.25, 0.25]").substr(0, 60), "ends too early"},
      {"", "empty"},
      {R"({"error": "model \u001b[31mfailed"})",
       "HTTP 200 with an error instead of an answer: model .[31mfailed"},
      {R"({"detail": [{"loc": ["body", "inputs"], "msg": "value is not a valid list"}]})",
       "value is not a valid list"},
  };
  for (const auto& [text, want] : answers) {
    const HostileServer server(text);
    const auto teacher = http_teacher(server.options(), 3);
    EXPECT_THAT(refusal(*teacher), AllOf(HasSubstr(server.server()), HasSubstr(want)))
        << text.substr(0, 200);
    EXPECT_THROW(teacher->answer(torch::rand({1, 3, 2, 4, 4}), fresh()), Unusable)
        << text.substr(0, 200);
  }
}

// A proxy's page says nothing of whether the request reached the teacher: it is sent again under
// its key.
TEST(HttpTeacher, CallsAWebPageThatAndNoPaidAnswer) {
  const std::string html = "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8";
  const std::string plain = "HTTP/1.1 200 OK";
  const std::vector<std::pair<std::string, std::string>> pages = {
      {"<html><body>Please sign in</body></html>", plain},
      {"\n <!doctype html>", plain},
      {"\xEF\xBB\xBF<html>", plain},
      {"Please sign in", html},
      {"", html}};
  for (const auto& [page, head] : pages) {
    const HostileServer server(page, head);
    const auto teacher = http_teacher(server.options(), 3);
    bool paid = false;
    std::string said;
    try {
      teacher->answer(torch::rand({1, 3, 2, 4, 4}), fresh());
    } catch (const Error& error) {
      paid = dynamic_cast<const Unusable*>(&error) != nullptr;
      said = error.what();
    }
    EXPECT_THAT(
        said,
        AllOf(HasSubstr(server.server()),
              HasSubstr("a web page, as logins and proxies answer; open the address in a browser")))
        << page;
    EXPECT_FALSE(paid) << page;
  }
  const HostileServer server(std::string("{") + kGood, html);
  EXPECT_EQ(refusal(*http_teacher(server.options(), 3)), "") << "wrongly called HTML";
}

TEST(HttpTeacher, SaysWhichNumberIsNone) {
  for (const auto& [number, said] : {std::pair{"NaN", "nan"},
                                     {"null", "nan"},
                                     {"Infinity", "inf"},
                                     {"-Infinity", "-inf"},
                                     {"\"NaN\"", "nan"}}) {
    const HostileServer server(
        fmt::format(R"({{"outputs": [{{"name": "probabilities", "datatype": "FP32", )"
                    R"("shape": [2, 3], "data": [1, 0, 0, 0.5, {}, 0.25]}}]}})",
                    number));
    const auto teacher = http_teacher(server.options(), 3);
    const auto answers = teacher->answer(torch::rand({2, 3, 2, 4, 4}), fresh());
    EXPECT_EQ(answers[0][0].item<float>(), 1) << number;
    EXPECT_TRUE(torch::isnan(answers[1]).all().item<bool>()) << number;
    EXPECT_EQ(teacher->remark(), fmt::format("clip 1 of the batch: value 1 is {}", said));
  }
}

TEST(HttpTeacher, ShowsTheServersReason) {
  const std::vector<std::tuple<std::string, std::string, std::string>> replies = {
      {"422 Unprocessable",
       R"({"detail": [{"loc": ["body", "inputs", 0, "data"], )"
       R"("msg": "value is not a valid list"}, {"msg": "more"}]})",
       "HTTP 422: [\"body\",\"inputs\",0,\"data\"] value is not a valid list, and 1 more"},
      {"422 Unprocessable", R"({"detail": "too dark"})", "HTTP 422: too dark; check oracle.input"},
      {"400 Bad", "\n unexpected shape\x1b]0;PWNED\x07", "HTTP 400: unexpected shape.]0;PWNED."},
      {"400 Bad", R"({"error": {"code": 3, "message": "no such tensor"}})",
       "HTTP 400: no such tensor"},
      {"400 Bad", "\xff\xfe", "HTTP 400: \xEF\xBF\xBD"},
      {"401 Who", R"({"message": "token expired"})", "HTTP 401: token expired; give a token"},
      {"403 No", "", "HTTP 403; give a token"},
      {"404 No", R"({"error": "no model"})", "HTTP 404: no model; no such model there"},
      {"500 Oh", "CUDA out of memory", "HTTP 500: CUDA out of memory, 1 try; look at the server"},
      {"503 Soon", R"({"error": "model is loading"})",
       "HTTP 503: model is loading, 1 try; wait until the server is ready"},
      {"204 Empty", "", "HTTP 204; look at the server"},
  };
  for (const auto& [status, body, want] : replies) {
    const HostileServer server(body, "HTTP/1.1 " + status);
    EXPECT_THAT(refusal(*http_teacher(server.options(), 3)),
                AllOf(HasSubstr(server.server()), HasSubstr(want)))
        << status << body;
  }
}

TEST(HttpTeacher, NamesWhereARedirectLeadsAndGoesNowhere) {
  const std::vector<std::tuple<std::string, std::string, std::string>> redirects = {
      {"307", "http://127.0.0.1:1/v2/models/m",
       "redirects to http://127.0.0.1:1/v2/models/m; distal follows no redirects: set oracle.url "
       "to http://127.0.0.1:1/v2/models/m"},
      {"301", "/v2/models/m/",
       "/v2/models/m/; distal follows no redirects: set oracle.url to http://127.0.0.1:"},
      {"302", "https://login.example/?next=\x1b[31m",
       "redirects to https://login.example/?next=.[31m; distal follows no redirects: correct "
       "oracle.url, or give a token"},
      {"308", "//127.0.0.1:1/x", "redirects to //127.0.0.1:1/x"},
      {"300", "", "HTTP 300"},
  };
  for (const auto& [status, location, want] : redirects) {
    int requests = 0;
    const HostileServer server([&](int client, const std::string&, const std::string&) {
      ++requests;
      HostileServer::reply(
          client, "",
          "HTTP/1.1 " + status + " X" + (location.empty() ? "" : "\r\nLocation: " + location));
      return true;
    });
    EXPECT_THAT(refusal(*http_teacher(server.options(), 3)),
                AllOf(HasSubstr(server.server()), HasSubstr("HTTP " + status), HasSubstr(want)));
    EXPECT_EQ(requests, 1);
  }
}

TEST(HttpTeacher, AsksForTheDescriptionWithTheSlashOfItsUrl) {
  const HostileServer server([](int client, const std::string& request, const std::string&) {
    const bool described =
        request.starts_with("GET /v2/models/m/ ") || request.starts_with("GET /v2 ");
    if (request.starts_with("POST /v2/models/m/infer "))
      HostileServer::reply(client, std::string("{") + kGood, "HTTP/1.1 200 OK");
    else
      HostileServer::reply(
          client, described ? HostileServer::kModel : "",
          described ? "HTTP/1.1 200 OK" : "HTTP/1.1 301 X\r\nLocation: /v2/models/m/");
    return true;
  });
  auto options = server.options();
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              HasSubstr("set oracle.url to " + options.url + "/"));
  options.url += "/";
  EXPECT_EQ(refusal(*http_teacher(options, 3)), "");
}

TEST(HttpTeacher, WaitsWithAWordAndNoLongerThanItsTriesMayTake) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  std::vector<std::string> said;
  const Say say = [&](const std::string& line) { said.push_back(line); };
  server.fail_next(1, 429, "1");
  EXPECT_EQ(refusal(*http_teacher(options, 3, say)), "");
  EXPECT_THAT(
      said,
      ElementsAre(AllOf(
          HasSubstr(server.url()),
          HasSubstr(
              "HTTP 429: told to fail; the server asks for 1 s, waits at most 20 s in all"))));
  for (const std::string& asked :
       {std::string("100000"), std::string("Fri, 31 Dec 2100 23:59:59 GMT"),
        std::string("Friday, 31-Dec-60 23:59:59 GMT"), std::string("Fri Dec 31 23:59:59 2100")}) {
    server.fail_next(1, 429, asked);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THAT(refusal(*http_teacher(options, 3, say)),
                AllOf(HasSubstr("(Retry-After: " + asked + "), longer than the 20 s"),
                      HasSubstr("told to fail"), HasSubstr("raise oracle.retries")));
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15)) << asked;
  }
  for (const char* asked : {"-5", "soon", "nan", "Fri, 31 Dec 1999 23:59:59 GMT", "inf"}) {
    server.fail_next(1, 503, asked);
    EXPECT_EQ(refusal(*http_teacher(options, 3, say)), "") << asked;
  }
  EXPECT_EQ(said.size(), 1u);
}

TEST(HttpTeacher, WaitsInAllNoLongerThanItsTriesMayTake) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 1;
  options.retries = 2;
  server.fail_next(5, 429, "1");
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("HTTP 429: told to fail, 3 tries"));
  options.timeout_s = 0.6;
  server.fail_next(5, 429, "1");
  EXPECT_THAT(
      refusal(*http_teacher(options, 3)),
      HasSubstr("the server asks to wait 1 s (Retry-After: 1), longer than the 0.2 s left"));
}

// However slow the machine is: then there are fewer waits, and as many tries.
TEST(HttpTeacher, TriesAsOftenAsToldAfterAllPatienceWentIntoWaitsForAnAnswerAtWork) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 1;
  options.retries = 1;
  options.backoff_s = 0.6;  // the second wait is longer than what is left
  server.fail_next(1000, 409);
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              AllOf(HasSubstr("2 tries; "), Not(HasSubstr("Retry-After"))));
}

TEST(HttpTeacher, IsBilledOnceWhenTheConnectionBreaksAfterTheWork) {
  ReferenceServer server(mean_colour);
  const auto clips = torch::rand({2, 3, 2, 4, 4});
  server.drop_next(2);
  const auto answers = http_teacher(options_for(server), 3)->answer(clips, "k1");
  EXPECT_TRUE(torch::allclose(answers, mean_colour(clips)));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  for (const auto& request : requests) EXPECT_EQ(request.idempotency_key, "k1");
  EXPECT_EQ(server.bill().requests, 1);
  EXPECT_EQ(server.bill().clips, 2);
}

TEST(HttpTeacher, IsBilledOnceWhenTheProgramEndsBetweenSendingAndStoring) {
  ReferenceServer server(mean_colour);
  const auto clips = torch::rand({2, 3, 2, 4, 4});
  auto options = options_for(server);
  options.retries = 0;
  server.drop_next(1);
  EXPECT_THAT(refusal(*http_teacher(options, 3), clips, "k1"), HasSubstr("connection failed"));
  EXPECT_EQ(server.bill().requests, 1) << "the work is done, the answer is lost";
  EXPECT_TRUE(torch::equal(http_teacher(options, 3)->answer(clips, "k1"),
                           http_teacher(options, 3)->answer(clips, "k1")));
  EXPECT_EQ(server.bill().requests, 1);
  EXPECT_EQ(server.bill().clips, 2);
  EXPECT_THAT(refusal(*http_teacher(options, 3), clips.flip(0), "k1"), HasSubstr("HTTP 422"))
      << "the same key in front of other clips";
  EXPECT_EQ(refusal(*http_teacher(options, 3), clips, "k2"), "");
  EXPECT_EQ(server.bill().requests, 2);
}

TEST(HttpTeacher, WaitsForTheAnswerToItsFirstTry) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 0.5;
  options.backoff_s = 0.1;
  options.retries = 100;  // however slow the machine is
  server.stall_next(1, 1.2);
  EXPECT_EQ(refusal(*http_teacher(options, 3), 4), "");
  EXPECT_GE(server.requests().size(), 2u);
  EXPECT_EQ(server.bill().clips, 4);
}

TEST(HttpTeacher, KeepsToItsRate) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.requests_per_s = 20;
  const auto teacher = http_teacher(options, 3);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(refusal(*teacher), "");
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(5 * 50))
      << "a slow machine only makes it longer";
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST(HttpTeacher, GivesUpOnASlowServerAfterTheTimeout) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 0.2;
  options.retries = 0;
  server.stall_next(1, 0.6);
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              HasSubstr("no answer within 0.2 s (oracle.timeout_s)"));
}

TEST(HttpTeacher, GivesUpOnAnAnswerThatTricklesIn) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 2;
  options.retries = 0;
  const auto teacher = http_teacher(options, 3);
  server.dribble_next(1, 0.1);  // no single byte is late
  EXPECT_THAT(refusal(*teacher), HasSubstr("no answer within 2 s"));
  EXPECT_EQ(refusal(*teacher), "") << "on a new connection";
}

TEST(HttpTeacherDeathTest, LetsASignalThroughWhileItWaits) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto stopped = [](bool waits) {
    ReferenceServer server(mean_colour);
    auto options = options_for(server);
    options.timeout_s = 60;
    if (waits)
      server.fail_next(9, 429, "50");
    else
      server.stall_next(1, 30);
    catch_signals();
    std::thread([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      std::raise(SIGTERM);
    }).detach();
    const auto began = std::chrono::steady_clock::now();
    try {
      http_teacher(options, 3)->answer(torch::rand({1, 3, 2, 4, 4}), "k1");
    } catch (const Interrupted& interrupted) {
      const bool soon = std::chrono::steady_clock::now() - began <
                        std::chrono::seconds(25);  // before the answer would come
      std::_Exit(soon ? interrupted.signal : 1);
    }
    std::_Exit(2);
  };
  EXPECT_EXIT(stopped(false), ::testing::ExitedWithCode(SIGTERM), "");
  EXPECT_EXIT(stopped(true), ::testing::ExitedWithCode(SIGTERM), "") << "between two tries";
}

TEST(HttpTeacher, RefusesAnotherNumberOfClasses) {
  ReferenceServer server(mean_colour);
  EXPECT_THAT(refusal(*http_teacher(options_for(server), 5), 2),
              HasSubstr("answered shape 2x3 instead of [2, 5]"));
}

TEST(HttpTeacher, KeepsTheOtherAnswersWhereOneIsNotFinite) {
  for (const bool binary : {true, false}) {
    ReferenceServer server(
        [](const torch::Tensor& clips) {
          return mean_colour(clips).index_fill(0, torch::tensor({1}), NAN);
        },
        {.binary = binary});
    const auto clips = torch::rand({3, 3, 2, 4, 4});
    const auto answers = http_teacher(options_for(server), 3)->answer(clips, fresh());
    EXPECT_TRUE(torch::isnan(answers[1]).all().item<bool>());
    for (const int64_t row : {0, 2})
      EXPECT_TRUE(torch::allclose(answers[row], mean_colour(clips)[row]));
  }
}

TEST(HttpTeacher, RefusesAnotherVersionThanItAskedFor) {
  ReferenceServer server(mean_colour, {.version = "7", .answers_as = "8"});
  auto options = options_for(server);
  const auto teacher = http_teacher(options, 3);
  EXPECT_EQ(teacher->version(), "teacher:7");
  EXPECT_THAT(refusal(*teacher),
              AllOf(HasSubstr(server.url()), HasSubstr("model_version 8 answered instead of 7"),
                    HasSubstr("oracle.url (.../versions/8)")));
  options.url += "/versions/7";
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              HasSubstr("model_version 8 answered instead of 7"));
}

TEST(HttpTeacher, RefusesGarbageWithItsUrl) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"<html>hello</html>", "'<html>hello</html>' is not a message"},
      {"hello",
       "'hello' is not a message of the Open Inference Protocol (the message: line 1, column 1"},
      {"{}", "outputs hold no tensor 'probabilities', only: nothing"},
      {R"({"outputs": [{"name": "other", "datatype": "FP32", )"
       R"("shape": [1, 3], "data": [1, 0, 0]}]})",
       "only: other"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", )"
       R"("shape": [1, 3], "data": [1, 0]}]})",
       "came with 2 values"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "INT8", )"
       R"("shape": [1, 3], "data": [1, 0, 0]}]})",
       "is INT8"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "data": [1, 0, 0]}]})",
       "breaks the Open Inference Protocol"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", )"
       R"("shape": [1, 3], "parameters": {"binary_data_size": 12}}]})",
       "came with 0 bytes of 12"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", )"
       R"("shape": [1, -3], "data": []}]})",
       "is none"},
      {R"({"outputs": 3})", "nothing"},
      {R"({"outputs": [{"name": 5}]})", "only: (no name)"},
      {R"({"outputs": [null, 3, "x", {"name": null}, {}]})", "only: (no name), (no name)"},
      {R"({"outputs": [{"name": "probabilities", "datatype": 3, )"
       R"("shape": [1, 3], "data": [1, 0, 0]}]})",
       "breaks the Open Inference Protocol"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", )"
       R"("shape": "3", "data": [1, 0, 0]}]})",
       "breaks the Open Inference Protocol"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", )"
       R"("shape": [1, 3], "parameters": {"binary_data_size": "x"}}]})",
       "breaks the Open Inference Protocol"},
      {R"({"model_version": {"a": 5}, "outputs": []})",
       "model_version {\"a\":5} answered instead of 1"},
  };
  for (const auto& [text, want] : texts) {
    server.answer_next_with(1, text);
    EXPECT_THAT(refusal(*teacher), AllOf(HasSubstr(want), HasSubstr(server.url()))) << text;
  }
  EXPECT_EQ(refusal(*teacher), "");
}

TEST(HttpTeacher, SaysWhatToDoWhenTheServerIsGone) {
  HttpOptions options;
  {
    ReferenceServer server(mean_colour);
    options = options_for(server);
  }
  options.retries = 1;
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              AllOf(HasSubstr(options.url), HasSubstr("connection failed"),
                    HasSubstr("2 tries; start the server")));
}

TEST(HttpTeacher, SaysWhichNamesTheModelHas) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.output = "scores";
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              HasSubstr("no tensor 'scores' among its outputs: probabilities; set oracle.output"));
  options.url += "2";
  EXPECT_THAT(refusal(*http_teacher(options, 3)),
              HasSubstr("check the name and version in oracle.url"));
}

TEST(HttpTeacher, SendsItsTokenFromTheEnvironment) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.token_env = "DISTAL_TEST_TOKEN";
  unsetenv("DISTAL_TEST_TOKEN");
  EXPECT_THROW(http_teacher(options, 3), Error);
  setenv("DISTAL_TEST_TOKEN", "abc", 1);
  EXPECT_EQ(refusal(*http_teacher(options, 3)), "");
  unsetenv("DISTAL_TEST_TOKEN");
  EXPECT_EQ(server.requests().front().authorization, "Bearer abc");
}

TEST(Protocol, ReadsUrls) {
  const auto url = protocol::parse_url("https://host:8000/team/v2/models/net/versions/3");
  EXPECT_EQ(url.server, "https://host:8000");
  EXPECT_EQ(url.prefix, "/team");
  EXPECT_EQ(url.model, "net");
  EXPECT_EQ(url.version, "3");
  EXPECT_EQ(url.model_path(), "/team/v2/models/net/versions/3");
  EXPECT_EQ(protocol::parse_url("http://h/v2/models/a/").model_path(), "/v2/models/a");
  EXPECT_EQ(protocol::parse_url("http://h/v2/models/a/").metadata_path(), "/v2/models/a/");
  EXPECT_EQ(url.metadata_path(), url.model_path());
  for (const char* bad : {"", "host:8000/v2/models/a", "http://h/v1/models/a",
                          "http:///v2/models/a", "ftp://h/v2/models/a", "http://h/v2/models/",
                          "http://h/v2/models/a/versions/", "http://h/v2/models/a/b"})
    EXPECT_THROW(protocol::parse_url(bad), Error) << bad;
}

// A name of a recipe that is no UTF-8 (--set oracle.input=...) goes over the wire as text, and is
// refused there.
TEST(Protocol, WritesTextWhateverTheNames) {
  protocol::Message message;
  protocol::append(message, "inputs", "cl\xE9", torch::rand({2}), false);
  std::string body;
  ASSERT_NO_THROW(body = message.body());
  EXPECT_EQ(protocol::tensor(protocol::parse(body, {}), "inputs", "cl\xEF\xBF\xBD").numel(), 2);
}

TEST(Protocol, KeepsSeveralTensorsApart) {
  const auto a = torch::rand({2, 3});
  const auto b = torch::rand({4});
  const auto none = torch::rand({0, 5});
  protocol::Message message;
  protocol::append(message, "inputs", "a", a, true);
  protocol::append(message, "inputs", "json", b, false);
  protocol::append(message, "inputs", "none", none, true);
  protocol::append(message, "inputs", "b", b, true);
  const auto body = message.body();
  const auto back = protocol::parse(body, body.size() - message.raw.size());
  EXPECT_TRUE(torch::equal(protocol::tensor(back, "inputs", "a"), a));
  EXPECT_TRUE(torch::equal(protocol::tensor(back, "inputs", "b"), b));
  EXPECT_TRUE(torch::equal(protocol::tensor(back, "inputs", "json"), b));
  EXPECT_EQ(protocol::tensor(back, "inputs", "none").sizes(), none.sizes());
  EXPECT_THROW(protocol::parse(body, body.size() + 1), Error);
  EXPECT_THROW(protocol::parse("[1]", {}), Error);
}

}  // namespace
}  // namespace distal
