// The endpoint teacher against the reference server, on this machine only.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/progress.h"
#include "distill/protocol.h"
#include "distill/reference_server.h"
#include "distill/teacher.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

torch::Tensor mean_colour(const torch::Tensor& clips) { return clips.mean({2, 3, 4}).softmax(1); }

TeacherOptions options_for(const ReferenceServer& server) {
  TeacherOptions options;
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
  try {
    teacher.answer(clips, request_key);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}
std::string refusal(Teacher& teacher, int64_t clips = 1) { return refusal(teacher, torch::rand({clips, 3, 2, 4, 4}), fresh()); }

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

TEST(HttpTeacher, TurnsLogitsIntoProbabilities) {
  ReferenceServer server([](const torch::Tensor& clips) { return 3 * clips.mean({2, 3, 4}); });
  auto options = options_for(server);
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("oracle.logits: true"));
  options.logits = true;
  const auto clips = torch::rand({2, 3, 2, 4, 4});
  EXPECT_TRUE(torch::allclose(http_teacher(options, 3)->answer(clips, fresh()), (3 * clips.mean({2, 3, 4})).softmax(1)));
}

TEST(HttpTeacher, TriesAgainWhenTheServerIsBusy) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  for (const int status : {503, 429, 500, 408, 409, 425}) {
    server.fail_next(3, status);
    EXPECT_EQ(refusal(*teacher), "accepted") << status;
  }
  const auto requests = server.requests();
  EXPECT_EQ(requests.size(), 24u);
  for (size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(requests[i].idempotency_key, requests[i / 4 * 4].idempotency_key);
  EXPECT_EQ(server.bill().requests, 6);
  EXPECT_GE(requests[2].time_s - requests[1].time_s, 0.02) << "the wait doubles";
  EXPECT_GE(requests[3].time_s - requests[2].time_s, 0.04);
}

TEST(HttpTeacher, WaitsAsLongAsRetryAfterSays) {
  ReferenceServer server(mean_colour);
  server.fail_next(1, 429, "1");
  EXPECT_EQ(refusal(*http_teacher(options_for(server), 3)), "accepted");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_GE(requests[1].time_s - requests[0].time_s, 0.99);
}

TEST(HttpTeacher, GivesUpAfterTheRetriesAndSaysWhatItHeard) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.retries = 2;
  server.fail_next(100, 503);
  EXPECT_THAT(refusal(*http_teacher(options, 3)), AllOf(HasSubstr(server.url()), HasSubstr("HTTP 503: told to fail, 3 tries")));
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(HttpTeacher, DoesNotTryAgainWhenTheRequestIsWrong) {
  ReferenceServer server(mean_colour);
  server.fail_next(1, 400);
  EXPECT_THAT(refusal(*http_teacher(options_for(server), 3)), AllOf(HasSubstr("HTTP 400"), HasSubstr("check oracle.input")));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpTeacher, SaysToAskForLessAtOnce) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  server.fail_next(2, 413);
  EXPECT_THROW(teacher->answer(torch::rand({1, 3, 2, 4, 4}), fresh()), TooLarge);
  EXPECT_THAT(refusal(*teacher, 6), AllOf(HasSubstr("HTTP 413: told to fail for 6 clips"), HasSubstr("lower oracle.batch_size")));
  EXPECT_EQ(server.requests().size(), 2u);
}

/// Says which extensions it has, whatever it is asked, and hangs up without reading on: as servers do with what is too large.
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
    const std::string text = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", body.size(), body);
    for (int client; (client = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(client)) {
      char request[1000];
      if (::recv(client, request, sizeof request, 0) > 0) ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
    }
  }
  int socket_;
  std::string url_;
  std::thread thread_;
};

TEST(HttpTeacher, SaysToAskForLessWhenTheServerHangsUpWhileItSends) {
  const AbruptServer server;
  TeacherOptions options;
  options.url = server.url();
  options.retries = 1;
  options.backoff_s = 0.01;
  const auto teacher = http_teacher(options, 3);
  try {
    teacher->answer(torch::zeros({1, 3, 32, 256, 256}), fresh());  // 25 MB: more than the sockets hold
    FAIL() << "accepted";
  } catch (const TooLarge& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("2 tries"), HasSubstr("while the clips were being sent: lower oracle.batch_size")));
  }
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
  EXPECT_TRUE(torch::equal(http_teacher(options, 3)->answer(clips, "k1"), http_teacher(options, 3)->answer(clips, "k1")));
  EXPECT_EQ(server.bill().requests, 1);
  EXPECT_EQ(server.bill().clips, 2);
  EXPECT_THAT(refusal(*http_teacher(options, 3), clips.flip(0), "k1"), HasSubstr("HTTP 422")) << "the same key in front of other clips";
  EXPECT_EQ(refusal(*http_teacher(options, 3), clips, "k2"), "accepted");
  EXPECT_EQ(server.bill().requests, 2);
}

TEST(HttpTeacher, WaitsForTheAnswerToItsFirstTry) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 0.5;
  options.backoff_s = 0.1;
  options.retries = 100;  // however slow the machine is
  server.stall_next(1, 1.2);
  EXPECT_EQ(refusal(*http_teacher(options, 3), 4), "accepted");
  EXPECT_GE(server.requests().size(), 2u);
  EXPECT_EQ(server.bill().clips, 4);
}

TEST(HttpTeacher, KeepsToItsRate) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.requests_per_s = 20;
  const auto teacher = http_teacher(options, 3);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(refusal(*teacher), "accepted");
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(5 * 50)) << "a slow machine only makes it longer";
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST(HttpTeacher, GivesUpOnASlowServerAfterTheTimeout) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 0.2;
  options.retries = 0;
  server.stall_next(1, 0.6);
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("no answer within 0.2 s (oracle.timeout_s)"));
}

TEST(HttpTeacher, GivesUpOnAnAnswerThatTricklesIn) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 2;
  options.retries = 0;
  const auto teacher = http_teacher(options, 3);
  server.dribble_next(1, 0.1);  // no single byte is late
  EXPECT_THAT(refusal(*teacher), HasSubstr("no answer within 2 s"));
  EXPECT_EQ(refusal(*teacher), "accepted") << "on a new connection";
}

TEST(HttpTeacherDeathTest, LetsASignalThroughWhileItWaits) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto stopped = [] {
    ReferenceServer server(mean_colour);
    auto options = options_for(server);
    options.timeout_s = 60;
    server.stall_next(1, 30);
    Progress::catch_signals();
    std::thread([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      std::raise(SIGTERM);
    }).detach();
    const auto began = std::chrono::steady_clock::now();
    try {
      http_teacher(options, 3)->answer(torch::rand({1, 3, 2, 4, 4}), "k1");
    } catch (const Interrupted& interrupted) {
      const bool soon = std::chrono::steady_clock::now() - began < std::chrono::seconds(25);  // before the answer would come
      std::_Exit(soon ? interrupted.signal : 1);
    }
    std::_Exit(2);
  };
  EXPECT_EXIT(stopped(), ::testing::ExitedWithCode(SIGTERM), "");
}

TEST(HttpTeacher, RefusesAnotherNumberOfClasses) {
  ReferenceServer server(mean_colour);
  EXPECT_THAT(refusal(*http_teacher(options_for(server), 5), 2), HasSubstr("answered shape 2x3 instead of [2, 5]"));
}

TEST(HttpTeacher, KeepsTheOtherAnswersWhereOneIsNotFinite) {
  for (const bool binary : {true, false}) {
    ReferenceServer server([](const torch::Tensor& clips) { return mean_colour(clips).index_fill(0, torch::tensor({1}), NAN); }, {.binary = binary});
    const auto clips = torch::rand({3, 3, 2, 4, 4});
    const auto answers = http_teacher(options_for(server), 3)->answer(clips, fresh());
    EXPECT_TRUE(torch::isnan(answers[1]).all().item<bool>());
    for (const int64_t row : {0, 2}) EXPECT_TRUE(torch::allclose(answers[row], mean_colour(clips)[row]));
  }
}

TEST(HttpTeacher, RefusesAnotherVersionThanItAskedFor) {
  ReferenceServer server(mean_colour, {.version = "7", .answers_as = "8"});
  auto options = options_for(server);
  const auto teacher = http_teacher(options, 3);
  EXPECT_EQ(teacher->version(), "teacher:7");
  EXPECT_THAT(refusal(*teacher), AllOf(HasSubstr(server.url()), HasSubstr("model_version 8 answered instead of 7"), HasSubstr("oracle.url (.../versions/8)")));
  options.url += "/versions/7";
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("model_version 8 answered instead of 7"));
}

TEST(HttpTeacher, RefusesGarbageWithItsUrl) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"<html>hello</html>", "'<html>hello</html>' is not a message"},
      {"{}", "outputs hold no tensor 'probabilities', only: nothing"},
      {R"({"outputs": [{"name": "other", "datatype": "FP32", "shape": [1, 3], "data": [1, 0, 0]}]})", "only: other"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [1, 3], "data": [1, 0]}]})", "came with 2 values"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "INT8", "shape": [1, 3], "data": [1, 0, 0]}]})", "is INT8"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "data": [1, 0, 0]}]})", "breaks the Open Inference Protocol"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}]})", "came with 0 bytes of 12"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [1, -3], "data": []}]})", "is none"},
      {R"({"outputs": 3})", "nothing"},
      {R"({"outputs": [{"name": 5}]})", "only: (no name)"},
      {R"({"outputs": [null, 3, "x", {"name": null}, {}]})", "only: (no name), (no name)"},
      {R"({"outputs": [{"name": "probabilities", "datatype": 3, "shape": [1, 3], "data": [1, 0, 0]}]})", "breaks the Open Inference Protocol"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": "3", "data": [1, 0, 0]}]})", "breaks the Open Inference Protocol"},
      {R"({"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": "x"}}]})", "breaks the Open Inference Protocol"},
      {R"({"model_version": {"a": 5}, "outputs": []})", "model_version {\"a\":5} answered instead of 1"},
  };
  for (const auto& [text, want] : texts) {
    server.answer_next_with(1, text);
    EXPECT_THAT(refusal(*teacher), AllOf(HasSubstr(want), HasSubstr(server.url()))) << text;
  }
  EXPECT_EQ(refusal(*teacher), "accepted");
}

TEST(HttpTeacher, SaysWhatToDoWhenTheServerIsGone) {
  TeacherOptions options;
  {
    ReferenceServer server(mean_colour);
    options = options_for(server);
  }
  options.retries = 1;
  EXPECT_THAT(refusal(*http_teacher(options, 3)), AllOf(HasSubstr(options.url), HasSubstr("connection failed"), HasSubstr("2 tries; start the server")));
}

TEST(HttpTeacher, SaysWhichNamesTheModelHas) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.output = "scores";
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("no tensor 'scores' among its outputs: probabilities; set oracle.output"));
  options.url += "2";
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("check the name and version in oracle.url"));
}

TEST(HttpTeacher, SendsItsTokenFromTheEnvironment) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.token_env = "DISTAL_TEST_TOKEN";
  unsetenv("DISTAL_TEST_TOKEN");
  EXPECT_THROW(http_teacher(options, 3), Error);
  setenv("DISTAL_TEST_TOKEN", "abc", 1);
  EXPECT_EQ(refusal(*http_teacher(options, 3)), "accepted");
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
  for (const char* bad : {"", "host:8000/v2/models/a", "http://h/v1/models/a", "http:///v2/models/a", "ftp://h/v2/models/a", "http://h/v2/models/", "http://h/v2/models/a/versions/", "http://h/v2/models/a/b"})
    EXPECT_THROW(protocol::parse_url(bad), Error) << bad;
}

TEST(Protocol, KeepsSeveralTensorsApart) {
  const auto a = torch::rand({2, 3}), b = torch::rand({4}), none = torch::rand({0, 5});
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
