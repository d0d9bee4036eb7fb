// The endpoint teacher against the reference server, on this machine only.

#include <cstdlib>

#include <gmock/gmock.h>

#include "base/error.h"
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

std::vector<std::string> keys(int64_t count) {
  std::vector<std::string> list;
  for (int64_t i = 0; i < count; ++i) list.push_back(fmt::format("clip{}", i));
  return list;
}

std::string refusal(Teacher& teacher, int64_t clips = 1) {
  try {
    teacher.answer(torch::rand({clips, 3, 2, 4, 4}), keys(clips));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(HttpTeacher, AnswersTheSameOverBytesAndJson) {
  const auto clips = torch::rand({5, 3, 2, 4, 4}) * 2 - 1;
  for (const bool binary : {true, false}) {
    for (const bool nested : {true, false}) {
      ReferenceServer server(mean_colour, {.binary = binary, .nested = nested});
      auto options = options_for(server);
      options.batch_size = 2;
      const auto teacher = http_teacher(options, 3);
      EXPECT_TRUE(torch::allclose(teacher->answer(clips, keys(5)), mean_colour(clips)));
      const auto requests = server.requests();
      ASSERT_EQ(requests.size(), 3u);
      EXPECT_EQ(requests[0].binary, binary);
      EXPECT_EQ(requests[0].id, "clip0,clip1");
      EXPECT_EQ(requests[0].idempotency_key, "clip0,clip1");
      EXPECT_EQ(requests[2].clips, 1);
      EXPECT_EQ(server.billed(), 5);
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
  EXPECT_EQ(teacher->answer(torch::rand({1, 3, 2, 4, 4}), {"a"}).size(1), 3);
}

TEST(HttpTeacher, TurnsLogitsIntoProbabilities) {
  ReferenceServer server([](const torch::Tensor& clips) { return 3 * clips.mean({2, 3, 4}); });
  auto options = options_for(server);
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("teacher.logits: true"));
  options.logits = true;
  const auto clips = torch::rand({2, 3, 2, 4, 4});
  EXPECT_TRUE(torch::allclose(http_teacher(options, 3)->answer(clips, keys(2)), (3 * clips.mean({2, 3, 4})).softmax(1)));
}

TEST(HttpTeacher, TriesAgainWhenTheServerIsBusy) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  for (const int status : {503, 429, 500}) {
    server.fail_next(3, status);
    EXPECT_EQ(refusal(*teacher), "accepted") << status;
  }
  const auto requests = server.requests();
  EXPECT_EQ(requests.size(), 12u);
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
  EXPECT_THAT(refusal(*http_teacher(options_for(server), 3)), AllOf(HasSubstr("HTTP 400"), HasSubstr("check teacher.input")));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpTeacher, IsBilledOnceWhenTheConnectionBreaksAfterTheWork) {
  ReferenceServer server(mean_colour);
  const auto teacher = http_teacher(options_for(server), 3);
  server.drop_next(2);
  EXPECT_EQ(refusal(*teacher, 2), "accepted");
  EXPECT_EQ(refusal(*teacher, 2), "accepted");  // asked once more, as after a crash
  const auto requests = server.requests();
  EXPECT_EQ(requests.size(), 4u);
  for (const auto& request : requests) EXPECT_EQ(request.id, "clip0,clip1");
  EXPECT_EQ(server.billed(), 2);
}

TEST(HttpTeacher, KeepsToItsRate) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.requests_per_s = 20;
  options.batch_size = 1;
  const auto teacher = http_teacher(options, 3);
  EXPECT_EQ(refusal(*teacher, 6), "accepted");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 6u);
  EXPECT_GE(requests[5].time_s - requests[0].time_s, 5 * 0.05 - 0.03);
}

TEST(HttpTeacher, GivesUpOnASlowServerAfterTheTimeout) {
  ReferenceServer server(mean_colour);
  auto options = options_for(server);
  options.timeout_s = 0.2;
  options.retries = 0;
  server.stall_next(1, 0.6);
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("no answer within 0.2 s (teacher.timeout_s)"));
}

TEST(HttpTeacher, RefusesAnotherNumberOfClasses) {
  ReferenceServer server(mean_colour);
  EXPECT_THAT(refusal(*http_teacher(options_for(server), 5), 2), HasSubstr("answered shape 2x3 instead of [2, 5]"));
}

TEST(HttpTeacher, RefusesWhatIsNotAProbability) {
  ReferenceServer server([](const torch::Tensor& clips) { return torch::full({clips.size(0), 3}, NAN); });
  EXPECT_THAT(refusal(*http_teacher(options_for(server), 3)), HasSubstr("not finite"));
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
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("no tensor 'scores' among its outputs: probabilities; set teacher.output"));
  options.url += "2";
  EXPECT_THAT(refusal(*http_teacher(options, 3)), HasSubstr("check the name and version in teacher.url"));
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
