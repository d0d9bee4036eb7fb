// Branches of a study, and what pages are told of its runs. What is run is this test program.

#include <gmock/gmock.h>

#include "distal/base/in_use.h"
#include "distal/evaluation/results.h"
#include "distal/serve/testing.h"
#include "distal/store/store.h"

namespace distal::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class ServedTest : public ServeTest {
 protected:
  ServedTest() {
    options_.study = run_here("study", "");
    options_.branch_maker = BranchMaker{
        [](const std::string&) {
          return std::vector<RecipeOption>{{"rounds", "3"}, {"strategy.name", "margin"}};
        },
        [this](const BranchWish& wish) { return made(wish); }};
    serve();
    olga_ = person("olga", "owner");
  }

  ServedStudy run_here(const std::string& name, const std::string& of) const {
    ServedStudy study{name, {"left", "right", "up/fast"}, {"margin"}, 2, 3};
    study.folder = folder_ / name;
    make_folder(study.folder);
    study.run_command = {"--gtest_filter=Nothing"};
    study.branch_of = of;
    return study;
  }
  ServedStudy made(const BranchWish& wish) {
    if (wish.name == "taken") throw InUse("name: taken is there already; choose another name");
    for (const auto& [key, value] : wish.options) {
      if (key == "nonsense") throw UsageError("--set nonsense: is no option here");
      changed_ += key + "=" + value + " ";
    }
    return run_here(wish.name, wish.of);
  }
  httplib::Result branch(const nlohmann::json& body) {
    return olga_->post("studies/study/branch", body);
  }
  static nlohmann::json named(const std::string& name) {
    return {{"name", name}, {"options", {{"rounds", "5"}}}, {"start", false}};
  }

  std::string changed_;
  std::unique_ptr<Visitor> olga_;
};

TEST_F(ServedTest, ABranchIsAStudyBesideTheOther) {
  EXPECT_EQ(json_of(olga_->get("studies/study/options"))["options"][1],
            (nlohmann::json{{"key", "strategy.name"}, {"value", "margin"}}));
  const auto answer = branch(named("longer"));
  ASSERT_EQ(answer->status, 201) << answer->body;
  EXPECT_EQ(json_of(answer)["name"], "longer");
  EXPECT_EQ(json_of(answer)["branch_of"], "study");
  EXPECT_EQ(json_of(answer)["state"], "stopped");
  EXPECT_EQ(changed_, "rounds=5 ");
  const auto studies = json_of(olga_->get("studies"))["studies"];
  ASSERT_THAT(studies, SizeIs(2));
  EXPECT_EQ(studies[0]["branch_of"], nullptr);
  EXPECT_EQ(studies[1]["name"], "longer");
  EXPECT_EQ(json_of(olga_->get("classes?study=longer"))["classes"].size(), 3u);
  EXPECT_EQ(olga_->post("studies/longer/start")->status, 202);
  std::string state;
  for (int i = 0; i < 300 && state != "done"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    state = json_of(olga_->get("studies/longer"))["state"];
  }
  EXPECT_EQ(state, "done");
}

TEST_F(ServedTest, ABranchThatCannotBeIsRefused) {
  EXPECT_EQ(branch(named("one"))->status, 201);
  EXPECT_EQ(refusal_in(branch(named("one"))), "409 conflict");
  EXPECT_EQ(refusal_in(branch(named("study"))), "409 conflict");
  EXPECT_EQ(refusal_in(branch(named("taken"))), "409 conflict");
  for (const char* name : {"../two", "a/b", "-two", "Two", "", "."})
    EXPECT_EQ(refusal_in(branch(named(name))), "422 invalid") << name;
  EXPECT_EQ(refusal_in(branch(named(std::string(61, 'a')))), "422 invalid");
  auto body = named("two");
  body["options"] = {{"nonsense", "1"}};
  EXPECT_EQ(refusal_in(branch(body)), "422 invalid");
  EXPECT_THAT(branch(body)->body, HasSubstr("nonsense: is no option here"));
  body["options"] = {{"rounds", 5}};
  EXPECT_EQ(refusal_in(branch(body)), "422 invalid");
  body["options"] = nlohmann::json::array();
  EXPECT_EQ(refusal_in(branch(body)), "400 bad_request");
  body.erase("options");
  EXPECT_EQ(refusal_in(branch(body)), "400 bad_request");
  EXPECT_EQ(refusal_in(olga_->post("studies/other/branch", named("two"))), "404 not_found");
  EXPECT_EQ(refusal_in(person("ann")->post("studies/study/branch", named("two"))), "403 forbidden");
  EXPECT_THAT(json_of(olga_->get("studies"))["studies"], SizeIs(2));
}

TEST_F(ServedTest, APointOfACurveIsToldOnceAndNotToAnnotators) {
  ask(1);
  Store store(options_.store);
  const auto run = store.begin_or_continue("key", "study/margin", 1, "recipe", "revision");
  RoundResult round;
  round.answers = 8;
  round.metrics.accuracy = 0.75;
  round.train_s = 3;
  std::atomic<bool> heard_a_point = false;
  const auto listen = [&](Visitor& visitor, const std::string& last) {
    std::string heard;
    visitor.http().Get("/api/v1/events", visitor.headers(), [&](const char* bytes, size_t count) {
      heard.append(bytes, count);
      return heard.find(last) == std::string::npos && heard.size() < 1'000'000;
    });
    return heard;
  };
  const auto eve = person("eve", "adjudicator");
  const auto ann = person("ann");
  std::string told;
  std::string hidden;
  std::thread to_eve([&] {
    told = listen(*eve, "\"point\"");
    heard_a_point = true;
  });
  std::thread to_ann([&] { hidden = listen(*ann, "\"left\":0"); });
  for (round.round = 0; round.round < 200 && !heard_a_point; ++round.round) {
    store.put_round(run.id, {round.round, 8, 0, 0, to_json(round), "[]"});
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  person("bob")->put("answers/" + uuid(1), says(1, "left"));
  to_eve.join();
  to_ann.join();
  EXPECT_THAT(told, HasSubstr("\"arm\":\"margin\",\"seed\":1,\"point\":{\"round\":"));
  EXPECT_THAT(told, HasSubstr("\"stages\":[{"));
  EXPECT_THAT(hidden, Not(HasSubstr("point")));
  EXPECT_THAT(hidden, Not(HasSubstr("stage")));
}

TEST_F(ServedTest, NothingTellsARepeatFromAnotherItem) {
  const auto ids = ask(1);
  const auto ann = person("ann");
  auto unsure = says(ids[0], "left");
  unsure["unsure"] = true;
  ann->put("answers/" + uuid(1), unsure);
  PeopleStore::NewItem again;
  again.request = "again";
  again.clip = "a.mp4@0";
  again.video = folder_ / "a.mp4";
  again.end_s = 0.5;
  again.purpose = "repeat";
  again.study = "study";
  again.version = "v";
  again.for_person = "ann";
  PeopleStore(options_.store).add_items({again}, now_ms_);
  const auto next = json_of(ann->post("items/next", {{"count", 1}}))["items"];
  ASSERT_THAT(next, SizeIs(1));
  const auto names = [](const nlohmann::json& item) {
    std::vector<std::string> all;
    for (const auto& [name, value] : item.items()) all.push_back(name);
    return all;
  };
  const auto first = json_of(ann->get(fmt::format("items/{}", ids[0])));
  EXPECT_EQ(names(next[0]), names(first));
  EXPECT_EQ(next[0]["purpose"], "pool");
}

}  // namespace
}  // namespace distal::serve
