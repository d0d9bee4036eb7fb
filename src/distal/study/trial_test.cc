// Trials whose answers come later: they end as waiting, and go on where they were.

#include "distal/study/trial.h"

#include <algorithm>
#include <map>
#include <set>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/study/run.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A table where people find requests and leave their answers. It outlives processes.
struct Table {
  struct Sheet {
    std::vector<Clip> clips;
    bool answered = false;
    bool settled = false;
  };
  std::map<std::string, Sheet> sheets;  // by the key of the request
  bool at_once = false;                 // whoever reads a request answers it

  void answer_all() {
    for (auto& [_, sheet] : sheets) sheet.answered = true;
  }
  /// Every clip that was asked about, as often as it was.
  std::vector<std::string> asked() const {
    std::vector<std::string> keys;
    for (const auto& [_, sheet] : sheets) {
      for (const Clip& clip : sheet.clips) keys.push_back(clip.key());
    }
    std::sort(keys.begin(), keys.end());
    return keys;
  }
};

/// Answers with the label of each clip, once somebody was at the table.
class PeopleAtATable final : public OpenOracle {
 public:
  explicit PeopleAtATable(Table& table) : table_(table) {}
  void submit(OracleRequest request) override {
    EXPECT_FALSE(table_.sheets.contains(request.key)) << "sent twice";
    table_.sheets[request.key] = {std::move(request.clips), table_.at_once};
  }
  std::vector<OracleReply> collect(Wait) override {
    std::vector<OracleReply> replies;
    for (const auto& [key, sheet] : table_.sheets) {
      if (!sheet.answered || sheet.settled || !collected_.insert(key).second) continue;
      const auto answers = torch::zeros({std::ssize(sheet.clips), 2});
      for (int64_t i = 0; i < answers.size(0); ++i) answers[i][sheet.clips[i].label] = 1;
      replies.push_back({key, OracleReply::Outcome::answered, answers});
    }
    return replies;
  }
  bool holds(const std::string& key) const override {
    return table_.sheets.contains(key) && !table_.sheets[key].settled;
  }
  void settle(const std::string& key) override { table_.sheets[key].settled = true; }
  std::string version() const override { return "people:1"; }

 private:
  Table& table_;
  std::set<std::string> collected_;
};

class People final : public Oracle {
 public:
  explicit People(Table& table) : table_(table) {}
  OracleTraits traits() const override {
    return {.soft = false, .bills_unusable = false, .frames = false};
  }
  std::string line() const override { return "people at a table"; }
  OpenedOracle open(const OracleSetup&) const override {
    return {std::make_unique<PeopleAtATable>(table_), line()};
  }

 private:
  Table& table_;
};

class WaitingTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { at::set_num_threads(1); }  // the networks are small

  Study study(Table& table) const {
    Study study = generated_study(
        folder_,
        "seeds: 1\nstart: 6\nrounds: 2\nbudget: 4\ninput: {size_px: 32, sampling: {frames: 4}}\n"
        "student: {model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 2, batch_size: "
        "4, precision: f32}}\n"
        "arms: {random: {}, margin: {strategy: margin}, start alone: {rounds: 0}}");
    study.shared.oracle.only.batch_size = 3;
    study.shared.oracle.only.price = 2;
    study.shared.oracle.only.kind.name = "people";
    study.shared.oracle.only.kind.method = std::make_shared<People>(table);
    return study;
  }
  RunPlace place(const std::string& name) const {
    make_folder(folder_ / name);
    return {.folder = folder_ / name, .store_url = url(name)};
  }
  std::string url(const std::string& name) const { return "sqlite:" + (folder_ / name) + ".db"; }

  // As a command would: everything is opened anew.
  Results command(const std::string& name, Table& table) {
    const Study whole = study(table);
    OpenedStudy opened = open_study(whole, place(name), quiet_);
    return run(whole, opened, place(name), quiet_);
  }
  // Why it did not come to an end.
  std::string why_it_waits(const std::string& name, Table& table) {
    return error_of<Awaiting>([&] { command(name, table); });
  }

  // Of each run its status and how many rounds are stored.
  std::vector<std::string> standing(const std::string& name) const {
    Store store(url(name));
    std::vector<std::string> lines;
    for (const Store::Run& run : store.runs())
      lines.push_back(fmt::format("{} {}", run.status, store.rounds(run.id).size()));
    return lines;
  }

  TemporaryFolder folder_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

/// All of a round but wall times.
std::string curve(const Results& results) {
  std::string text;
  for (const Trial& trial : results.trials) {
    for (const RoundResult& round : trial.rounds)
      text += fmt::format("{} {} {} {} {} {} {} {}\n", trial.arm, trial.seed, round.round,
                          round.answers, round.watched_s, round.price, round.answer_accuracy,
                          to_json(round.metrics, results.classes));
  }
  return text;
}

TEST_F(WaitingTest, EndsAsWaitingAndComesToTheCurveOfAnswersThatCameAtOnce) {
  Table prompt{.sheets = {}, .at_once = true};
  const Results at_once = command("at once", prompt);
  ASSERT_THAT(at_once.trials, SizeIs(3));
  EXPECT_EQ(at_once.trials[0].rounds.back().answers, 6 + 2 * 4);
  EXPECT_EQ(at_once.trials[0].rounds.back().answer_accuracy, 1);

  Table slow;
  EXPECT_THAT(why_it_waits("later", slow),
              AllOf(HasSubstr("oracle people: 4 of 4 answers are awaited"),
                    HasSubstr("repeat the command")));
  EXPECT_THAT(standing("later"), ElementsAre("waiting 1", "waiting 1", "done 1"))
      << "what needs no answer goes on";
  const std::vector<std::string> first = slow.asked();

  EXPECT_THAT(why_it_waits("later", slow), HasSubstr("are awaited")) << "nobody answered meanwhile";
  EXPECT_THAT(standing("later"), ElementsAre("waiting 1", "waiting 1", "done 1"));
  EXPECT_EQ(slow.asked(), first) << "the choice stands, and nothing is asked twice";

  slow.answer_all();
  EXPECT_THAT(why_it_waits("later", slow), HasSubstr("are awaited")) << "the second round's";
  EXPECT_THAT(standing("later"), ElementsAre("waiting 2", "waiting 2", "done 1"));

  slow.answer_all();
  const Results later = command("later", slow);
  EXPECT_THAT(standing("later"), ElementsAre("done 3", "done 3", "done 1"));
  EXPECT_EQ(curve(later), curve(at_once));
  EXPECT_EQ(slow.asked(), prompt.asked()) << "each clip once, the same ones";
  for (const auto& [_, sheet] : slow.sheets) EXPECT_TRUE(sheet.settled);
}

TEST_F(WaitingTest, KeepsTheAnswersThatAreThereAndWaitsForTheRest) {
  Table slow;
  why_it_waits("later", slow);
  ASSERT_GE(slow.sheets.size(), 2U);
  Table::Sheet& first = slow.sheets.begin()->second;
  first.answered = true;
  EXPECT_THAT(why_it_waits("later", slow), HasSubstr("are awaited"));
  EXPECT_TRUE(first.settled) << "stored";
  EXPECT_THAT(standing("later"), ElementsAre("waiting 1", "waiting 1", "done 1"));
  slow.answer_all();
  EXPECT_THAT(why_it_waits("later", slow), HasSubstr("are awaited"));
  EXPECT_THAT(standing("later"), ElementsAre("waiting 2", "waiting 2", "done 1"));
}

}  // namespace
}  // namespace distal
