// The server as a browser meets it.

#include "distal/serve/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include <gmock/gmock.h>

#include "distal/serve/testing.h"

namespace distal::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class ServerTest : public ServeTest {
 protected:
  ServerTest() { serve(); }

  /// What the server answers to bytes as they are, until it hangs up.
  std::string raw(const std::string& bytes) const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
    ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    std::string all;
    char block[4096];
    for (ssize_t got = 0; (got = ::recv(socket, block, sizeof block, 0)) > 0;)
      all.append(block, static_cast<size_t>(got));
    ::close(socket);
    return all;
  }
};

TEST_F(ServerTest, GivesThePageWithHeadersThatKeepOthersOut) {
  Visitor anybody = visitor();
  const auto page = anybody.http().Get("/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->body, HasSubstr("<title>distal</title>"));
  EXPECT_THAT(page->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'self'"));
  EXPECT_THAT(page->get_header_value("Content-Security-Policy"), Not(HasSubstr("unsafe")));
  EXPECT_EQ(page->get_header_value("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page->get_header_value("Referrer-Policy"), "no-referrer");
  EXPECT_THAT(anybody.http().Get("/app.js")->get_header_value("Content-Type"),
              HasSubstr("text/javascript"));
}

TEST_F(ServerTest, TheOwnersLinkIsInTheAddressAndLogsInOnce) {
  const std::string address = server_->address();
  const size_t at = address.find("#link=");
  ASSERT_NE(at, std::string::npos) << address;
  EXPECT_TRUE(address.starts_with(fmt::format("http://127.0.0.1:{}/", server_->port())));
  const std::string token = address.substr(at + 6);
  Visitor owner = visitor();
  owner.enter(owner.post("session/link", {{"token", token}}));
  const auto session = json_of(owner.get("session"));
  EXPECT_EQ(session["user"], "owner");
  EXPECT_EQ(session["role"], "owner");
  EXPECT_EQ(session["language"], nullptr);
  EXPECT_EQ(refusal_in(visitor().post("session/link", {{"token", token}})), "401 unauthenticated");
}

TEST_F(ServerTest, ACookieIsForTheServerAlone) {
  person("ann");
  Visitor ann = visitor();
  const auto answer = ann.post("session", {{"user", "ann"}, {"password", kPassword}});
  const std::string cookie = answer->get_header_value("Set-Cookie");
  EXPECT_THAT(cookie, HasSubstr("; HttpOnly"));
  EXPECT_THAT(cookie, HasSubstr("; SameSite=Strict"));
  EXPECT_EQ(answer->get_header_value("Cache-Control"), "no-store");
}

TEST_F(ServerTest, RefusesInOneShape) {
  const auto ann = person("ann");
  Visitor anybody = visitor();
  EXPECT_EQ(refusal_in(anybody.get("session")), "401 unauthenticated");
  EXPECT_EQ(refusal_in(anybody.get("studies")), "401 unauthenticated");
  EXPECT_EQ(refusal_in(anybody.get("nothing")), "404 not_found");
  EXPECT_EQ(refusal_in(anybody.http().Get("/nothing.html")), "404 not_found");
  EXPECT_EQ(refusal_in(anybody.remove("items")), "405 method_not_allowed");
  EXPECT_EQ(refusal_in(anybody.http().Options("/api/v1/session")), "405 method_not_allowed");
  EXPECT_EQ(refusal_in(anybody.post("session", {{"user", "ann"}, {"password", "no"}})),
            "401 unauthenticated");
  EXPECT_EQ(refusal_in(anybody.post("session", {{"user", 3}, {"password", "no"}})),
            "400 bad_request");
  EXPECT_EQ(refusal_in(anybody.post("session", {{"user", "ann"}})), "400 bad_request");
  EXPECT_EQ(refusal_in(anybody.post("session", nlohmann::json::array())), "400 bad_request");
  EXPECT_EQ(refusal_in(anybody.http().Post("/api/v1/session", "{\"user", "application/json")),
            "400 bad_request");
  EXPECT_EQ(refusal_in(
                anybody.http().Post("/api/v1/session", "a=b", "application/x-www-form-urlencoded")),
            "415 unsupported_type");
  EXPECT_EQ(refusal_in(anybody.http().Post("/api/v1/session", std::string(70'000, ' '),
                                           "application/json")),
            "413 too_large");
  EXPECT_EQ(refusal_in(ann->get("users")), "403 forbidden");
  EXPECT_EQ(refusal_in(ann->get("items/77")), "404 not_found");
  EXPECT_EQ(refusal_in(ann->get("items/a")), "404 not_found");
  EXPECT_EQ(refusal_in(ann->get("items?page=-1")), "400 bad_request");
  EXPECT_EQ(refusal_in(ann->get("items?state=closed")), "400 bad_request");
  EXPECT_EQ(refusal_in(ann->get("studies/other")), "404 not_found");
  EXPECT_EQ(refusal_in(ann->post("items/next", {{"count", 11}})), "422 invalid");
  EXPECT_EQ(refusal_in(ann->post("items/next", {{"count", 1}, {"more", 1}})), "400 bad_request");
}

TEST_F(ServerTest, WhatFollowsAfterNoRequestIsNoRequestEither) {
  const std::string good = "GET /app.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  for (const std::string none : {"\r\n", "NONSENSE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"}) {
    const std::string all = raw(none + good);
    EXPECT_THAT(all, HasSubstr("HTTP/1.1 400"));
    EXPECT_EQ(all.find("HTTP/1.1"), all.rfind("HTTP/1.1")) << all.substr(0, 1000);
  }
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
  EXPECT_THAT(raw("NONSENSE\r\n\r\n"), HasSubstr("\"error\""));
  EXPECT_THAT(raw("GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"),
              HasSubstr("\"error\""));
  EXPECT_THAT(raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nRange: bytes=" +
                  std::string(7000, '1') + "-\r\n\r\n"),
              HasSubstr("HTTP/1.1 "));
  EXPECT_THAT(raw("POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  "Content-Length: 99999999999999999999\r\n\r\n"),
              HasSubstr("413"));
  EXPECT_THAT(raw("POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n20000\r\n" +
                  std::string(0x20000, ' ') + "\r\n0\r\n\r\n"),
              HasSubstr("413"));
  EXPECT_EQ(visitor().http().Get("/")->status, 200) << "the next one is served";
}

TEST_F(ServerTest, WhatWritesNeedsTheTokenOfTheSession) {
  const auto ann = person("ann");
  const auto bob = person("bob");
  const std::string own = ann->csrf;
  for (const std::string& token : {std::string(), std::string("guess"), bob->csrf}) {
    ann->csrf = token;
    EXPECT_EQ(refusal_in(ann->post("items/next", {{"count", 1}})), "403 csrf") << token;
    EXPECT_EQ(refusal_in(ann->remove("session")), "403 csrf");
  }
  ann->csrf = own;
  EXPECT_EQ(ann->post("items/next", {{"count", 1}})->status, 200);
  EXPECT_EQ(ann->remove("session")->status, 204);
  EXPECT_EQ(refusal_in(ann->get("session")), "401 unauthenticated");
}

TEST_F(ServerTest, GivesItemsInOrderAndTakesAnswersOnce) {
  const auto ids = ask(4);
  const auto ann = person("ann");
  const auto next = json_of(ann->post("items/next", {{"count", 2}}));
  ASSERT_THAT(next["items"], SizeIs(2));
  EXPECT_EQ(next["left"], 4);
  const auto& item = next["items"][0];
  EXPECT_EQ(item["id"], ids[0]);
  EXPECT_EQ(item["strategy"], "margin");
  EXPECT_EQ(item["lease_until_ms"], now_ms_ + 120'000);
  EXPECT_NEAR(item["video"]["duration_s"].get<double>(), 2.0, 1e-6);
  EXPECT_FALSE(item.dump().find("0.7") != std::string::npos) << "the guess is not in the item";

  const auto path = "answers/" + uuid(1);
  EXPECT_EQ(json_of(ann->put(path, says(ids[0], "left")))["state"], "settled");
  EXPECT_EQ(ann->put(path, says(ids[0], "left"))->status, 200) << "the same again";
  EXPECT_EQ(refusal_in(ann->put(path, says(ids[0], "right"))), "409 conflict");
  EXPECT_EQ(refusal_in(ann->put("answers/" + uuid(2), says(ids[0], "left"))), "409 conflict");
  EXPECT_EQ(refusal_in(ann->put("answers/" + uuid(3), says(ids[1], "down"))), "422 unknown_class");
  EXPECT_EQ(refusal_in(ann->put("answers/UPPER", says(ids[1], "left"))), "422 invalid");
  auto both = says(ids[1], "left");
  both["skipped"] = true;
  EXPECT_EQ(refusal_in(ann->put("answers/" + uuid(4), both)), "422 invalid");

  const auto mine = json_of(ann->get("answers/mine?count=5"))["answers"];
  ASSERT_THAT(mine, SizeIs(1));
  EXPECT_EQ(mine[0]["class"], "left");
  EXPECT_EQ(mine[0]["seconds"], 2.5);
  EXPECT_EQ(json_of(ann->post("items/next", {{"count", 1}, {"after", {ids[1]}}}))["items"][0]["id"],
            ids[2]);
}

TEST_F(ServerTest, UndoesAnAnswerAndLeasesTheItemAgain) {
  const auto ids = ask(2);
  const auto ann = person("ann");
  const auto bob = person("bob");
  ann->post("items/next", {{"count", 1}});
  ann->put("answers/" + uuid(1), says(ids[0], "left"));
  EXPECT_EQ(refusal_in(bob->remove("answers/" + uuid(1))), "404 not_found");
  const auto undone = json_of(ann->remove("answers/" + uuid(1)));
  EXPECT_EQ(undone["state"], "open");
  EXPECT_EQ(undone["item"]["id"], ids[0]);
  EXPECT_EQ(ann->remove("answers/" + uuid(1))->status, 200) << "again changes nothing";
  EXPECT_EQ(json_of(ann->get("answers/mine"))["answers"][0]["undone"], true);
  const auto renewed = json_of(ann->post(fmt::format("items/{}/renew", ids[0])));
  EXPECT_EQ(renewed["lease_until_ms"], now_ms_ + 120'000);
  EXPECT_EQ(refusal_in(bob->post(fmt::format("items/{}/renew", ids[0]))), "409 lease_lost");
  EXPECT_EQ(ann->post(fmt::format("items/{}/release", ids[0]))->status, 204);
  EXPECT_EQ(bob->post(fmt::format("items/{}/renew", ids[0]))->status, 200);
}

TEST_F(ServerTest, PeopleAreBlindAndAnAdjudicatorDecides) {
  const auto ids = ask(1, 2);
  const auto ann = person("ann");
  const auto bob = person("bob");
  const auto eve = person("eve", "adjudicator");
  ann->put("answers/" + uuid(1), says(ids[0], "left"));
  EXPECT_EQ(json_of(bob->get("items"))["items"][0]["class"], nullptr);
  bob->put("answers/" + uuid(2), says(ids[0], "right"));
  EXPECT_EQ(refusal_in(ann->get("conflicts")), "403 forbidden");
  const auto conflicts = json_of(eve->get("conflicts"))["conflicts"];
  ASSERT_THAT(conflicts, SizeIs(1));
  EXPECT_THAT(conflicts[0]["answers"], SizeIs(2));
  EXPECT_EQ(json_of(eve->put("answers/" + uuid(3), says(ids[0], "right")))["state"], "settled");
  EXPECT_EQ(eve->put("answers/" + uuid(3), says(ids[0], "right"))->status, 200);
  EXPECT_THAT(json_of(eve->get("conflicts"))["conflicts"], SizeIs(0));
  EXPECT_EQ(json_of(eve->get("items"))["items"][0]["class"], "right");
  EXPECT_EQ(json_of(ann->get("items"))["items"][0]["class"], nullptr);
  const auto agreement = json_of(eve->get("agreement"));
  EXPECT_EQ(agreement["items"], 1);
  EXPECT_EQ(agreement["people"], 2);
  const auto all = json_of(eve->get("answers?person=ann"));
  EXPECT_EQ(all["total"], 1);
  EXPECT_EQ(all["answers"][0]["person"], "ann");
}

TEST_F(ServerTest, SaysWhyAnItemIsAskedOnlyWhereItIsAskedFor) {
  const auto ids = ask(1);
  const auto why = json_of(person("ann")->get(fmt::format("items/{}/why", ids[0])));
  EXPECT_EQ(why["strategy"], "margin");
  ASSERT_THAT(why["guess"], SizeIs(2));
  EXPECT_EQ(why["guess"][0]["class"], "right");
  EXPECT_EQ(why["guess"][0]["p"], 0.7);
  EXPECT_EQ(why["score"], 0.5);
  EXPECT_THAT(why["first"], SizeIs(0)) << "one oracle";
  EXPECT_THAT(why["neighbours"], SizeIs(0));
  PeopleStore::NewItem doubted;
  doubted.request = "doubted";
  doubted.clip = "a.mp4@doubted";
  doubted.video = folder_ / "a.mp4";
  doubted.end_s = 1;
  doubted.study = "study";
  doubted.version = "v";
  doubted.first_json = R"({"left": 0.4, "right": 0.6})";
  const int64_t id = PeopleStore(options_.store).add_items({doubted}, now_ms_).at(0);
  const auto first = json_of(person("ann")->get(fmt::format("items/{}/why", id)))["first"];
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_EQ(first[0]["class"], "right");
}

TEST_F(ServerTest, ShowsTheNearestAnsweredClipsAsPictures) {
  PeopleStore::NewItem item;
  item.request = "near";
  item.clip = "a.mp4@0";
  item.video = folder_ / "a.mp4";
  item.end_s = 0.5;
  item.study = "study";
  const nlohmann::json near = {{{"clip", "a.mp4@1"},
                                {"class", "left"},
                                {"distance", 0.25},
                                {"video", item.video},
                                {"start_s", 0.5},
                                {"end_s", 1.5}}};
  item.reasons = {{"badge", {}, "", near.dump()}};
  const int64_t id = PeopleStore(options_.store).add_items({item}, now_ms_).front();
  const auto ann = person("ann");
  const auto why = json_of(ann->get(fmt::format("items/{}/why", id)));
  EXPECT_EQ(why["score"], nullptr) << "the strategy chooses sets";
  EXPECT_EQ(json_of(ann->get(fmt::format("items/{}", id)))["score"], nullptr);
  ASSERT_THAT(why["neighbours"], SizeIs(1));
  EXPECT_EQ(why["neighbours"][0]["class"], "left");
  EXPECT_EQ(why["neighbours"][0]["distance"], 0.25);
  const std::string picture = why["neighbours"][0]["picture"];
  EXPECT_THAT(picture, HasSubstr("t=1.000000"));
  const auto shown = ann->get(picture.substr(std::string("api/v1/").size()));
  ASSERT_EQ(shown->status, 200);
  EXPECT_EQ(shown->get_header_value("Content-Type"), "image/jpeg");
}

TEST_F(ServerTest, AnOwnerKeepsUsers) {
  const auto olga = person("olga", "owner");
  const nlohmann::json ann = {{"name", "ann"}, {"role", "annotator"}, {"password", "12345678"}};
  EXPECT_EQ(olga->post("users", ann)->status, 201);
  EXPECT_EQ(refusal_in(olga->post("users", ann)), "409 conflict");
  auto wrong = ann;
  wrong["password"] = "short";
  EXPECT_EQ(refusal_in(olga->post("users", wrong)), "422 invalid");
  wrong = ann;
  wrong["role"] = "god";
  EXPECT_EQ(refusal_in(olga->post("users", wrong)), "422 invalid");
  Visitor visitor(server_->port());
  visitor.log_in("ann", "12345678");
  EXPECT_EQ(olga->patch("users/ann", {{"disabled", true}})->status, 200);
  EXPECT_EQ(refusal_in(visitor.get("session")), "401 unauthenticated");
  EXPECT_EQ(refusal_in(olga->patch("users/olga", {{"role", "annotator"}})), "409 conflict");
  EXPECT_EQ(refusal_in(olga->patch("users/nobody", {{"disabled", true}})), "404 not_found");
  const auto users = json_of(olga->get("users"))["users"];
  ASSERT_THAT(users, SizeIs(2));
  EXPECT_EQ(users[0]["name"], "ann");
  EXPECT_EQ(users[0]["created_ms"], now_ms_.load());
  EXPECT_THAT(olga->get("users")->body, Not(HasSubstr("argon2")));
}

TEST_F(ServerTest, SaysHowItStandsWithAStudy) {
  const auto ids = ask(3);
  const auto ann = person("ann");
  ann->put("answers/" + uuid(1), says(ids[0], "left"));
  const auto studies = json_of(ann->get("studies"))["studies"];
  ASSERT_THAT(studies, SizeIs(1));
  EXPECT_EQ(studies[0]["name"], "study");
  EXPECT_EQ(studies[0]["open_items"], 2);
  EXPECT_EQ(studies[0]["answered"], 1);
  EXPECT_NEAR(studies[0]["minutes_left"].get<double>(), 2 * 2.5 / 60, 1e-9);
  EXPECT_EQ(studies[0]["held_out"], nullptr);
  const auto study = json_of(ann->get("studies/study"));
  EXPECT_EQ(study["classes"][0], (nlohmann::json{{"name", "left"}, {"answered", 1}}));
  EXPECT_THAT(study["curves"], SizeIs(0));
  const auto classes = json_of(ann->get("classes"))["classes"];
  EXPECT_EQ(classes[2]["path"], (nlohmann::json{"up", "fast"}));
  EXPECT_EQ(classes[2]["key"], "3");
  const auto olga = person("olga", "owner");
  EXPECT_EQ(refusal_in(olga->post("studies/study/start")), "409 conflict") << "nobody runs it here";
}

TEST_F(ServerTest, ExportsAnswers) {
  const auto ids = ask(2);
  const auto ann = person("ann");
  ann->put("answers/" + uuid(1), says(ids[0], "left"));
  const auto eve = person("eve", "adjudicator");
  const auto csv = eve->get("export?study=study&format=csv");
  ASSERT_EQ(csv->status, 200) << csv->body;
  EXPECT_THAT(csv->body, HasSubstr("a.mp4@0"));
  EXPECT_THAT(csv->body, HasSubstr("ann"));
  EXPECT_THAT(csv->get_header_value("Content-Disposition"), HasSubstr("study-answers.csv"));
  EXPECT_EQ(eve->get("export?study=study&format=label-studio")->status, 200);
  const auto cvat = eve->get("export?study=study&format=cvat");
  ASSERT_EQ(cvat->status, 200) << cvat->body;
  EXPECT_THAT(cvat->body, HasSubstr("<tag label=\"left\" source=\"manual\">"));
  EXPECT_THAT(cvat->get_header_value("Content-Disposition"), HasSubstr("study-answers.xml"));
  EXPECT_EQ(refusal_in(eve->get("export?study=study&format=xls")), "400 bad_request");
  EXPECT_EQ(refusal_in(eve->get("export?study=other&format=csv")), "404 not_found");
  EXPECT_EQ(refusal_in(ann->get("export?study=study&format=csv")), "403 forbidden");
}

TEST_F(ServerTest, TellsPagesWhatHappens) {
  const auto ids = ask(2);
  const auto ann = person("ann");
  const auto bob = person("bob");
  std::string heard;
  std::thread answers([&] {
    while (heard.find("\"left\":2") == std::string::npos)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    bob->put("answers/" + uuid(1), says(ids[0], "left"));
  });
  const auto result =
      ann->http().Get("/api/v1/events", ann->headers(), [&](const char* bytes, size_t count) {
        heard.append(bytes, count);
        return heard.find("\"left\":1") == std::string::npos && heard.size() < 100'000;
      });
  answers.join();
  EXPECT_THAT(heard, HasSubstr("event: hello\ndata: {\"version\":"));
  EXPECT_THAT(heard, HasSubstr("event: item\ndata: {\"left\":1}"));
  EXPECT_EQ(refusal_in(visitor().get("events")), "401 unauthenticated");
}

TEST_F(ServerTest, AnotherAddressNeedsAnOwnerWithAPassword) {
  ServeOptions others = options_;
  others.bind = "0.0.0.0";
  EXPECT_THAT(error_of<UsageError>([&] { Server server(others); }), HasSubstr("--bind 0.0.0.0: "));
  person("olga", "owner");
  EXPECT_EQ(error_of([&] { Server server(others); }), "");
  EXPECT_THAT(server_->address(), Not(HasSubstr("link"))) << "the owner has a password";
}

TEST_F(ServerTest, APortThatIsTakenIsRefused) {
  ServeOptions second = options_;
  second.port = server_->port();
  EXPECT_THAT(error_of([&] { Server server(second); }), HasSubstr("the port is taken"));
}

class ProxyTest : public ServeTest {
 protected:
  ProxyTest() {
    options_.trusted_proxies = {"127.0.0.1"};
    serve();
    person("ann");
  }
};

TEST_F(ProxyTest, ATrustedProxySaysWhoAsks) {
  Visitor ann = visitor();
  const httplib::Headers header = {{"X-Forwarded-User", "ann"}, {"X-Forwarded-Proto", "https"}};
  const auto session = ann.get("session", header);
  EXPECT_THAT(session->get_header_value("Set-Cookie"), HasSubstr("; Secure"));
  ann.enter(session);
  EXPECT_EQ(ann.get("studies", header)->status, 200);
  EXPECT_EQ(refusal_in(ann.get("studies", {{"X-Forwarded-User", "bob"}})), "401 unauthenticated");
  EXPECT_EQ(refusal_in(visitor().get("session", {{"X-Forwarded-User", "bob"}})),
            "401 unauthenticated");
}

TEST_F(ServerTest, AHeaderOfAnotherAddressIsNotBelieved) {
  person("ann");
  EXPECT_EQ(refusal_in(visitor().get("session", {{"X-Forwarded-User", "ann"}})),
            "401 unauthenticated");
}

}  // namespace
}  // namespace distal::serve
