#include "distal/report/step_log.h"

#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> steps_in(const std::string& folder) {
  std::vector<int64_t> steps;
  int64_t from = 0;
  for (const std::string& line : whole_lines(folder + "/steps.jsonl", from))
    steps.push_back(nlohmann::json::parse(line).at("step").get<int64_t>());
  return steps;
}

size_t events_in(const std::string& folder) {
  std::ifstream file(folder + "/events.out.tfevents.distal", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  size_t count = 0;
  std::string_view rest = bytes;
  for (; const auto record = first_record(rest); ++count) rest.remove_prefix(record->size);
  EXPECT_TRUE(rest.empty());
  return count;
}

TEST(StepLog, HoldsEachStepOnceAcrossAKillAndACutOffLine) {
  const TemporaryFolder folder;
  {
    StepLog log(folder / "a", "badge seed 1 round 0");
    log.add(0, 2, {{"loss", 1.5}, {"learning_rate", 0.1}});
    log.add(2, 4, {{"loss", 1.25}, {"learning_rate", NAN}});
  }
  EXPECT_EQ(events_in(folder / "a"), 1U + 3) << "the version of the file, and what is finite";
  std::ofstream(folder / "a/steps.jsonl", std::ios::app) << R"({"training": "bad)";
  {
    StepLog log(folder / "a", "badge seed 1 round 0");  // goes on from a checkpoint at 2
    log.add(2, 4, {{"loss", 1.25}});
    log.add(4, 6, {{"loss", 1}});
  }
  EXPECT_THAT(steps_in(folder / "a"), ElementsAre(2, 4, 6));
  std::ifstream file(folder / "a/steps.jsonl");
  std::string first;
  std::getline(file, first);
  const auto line = nlohmann::json::parse(first);
  EXPECT_EQ(line["training"], "badge seed 1 round 0");
  EXPECT_EQ(line["loss"], 1.5);
  EXPECT_GT(line["time_s"], 1.7e9);
}

TEST(StepLog, BeginsAnewWithATrainingThatDoes) {
  const TemporaryFolder folder;
  for (int64_t last : {9, 3}) {
    StepLog log(folder / "a", "teacher");
    log.add(0, last, {{"loss", 1}});
  }
  EXPECT_THAT(steps_in(folder / "a"), ElementsAre(3));
  EXPECT_EQ(events_in(folder / "a"), 2U);
}

TEST(StepLog, MakesNothingWithoutARecordAndSaysWhereItCannotWrite) {
  const TemporaryFolder folder;
  { const StepLog log(folder / "a", "teacher"); }
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  folder.write("b", "a file");
  StepLog log(folder / "b/c", "teacher");
  EXPECT_NE(error_of([&] { log.add(0, 1, {{"loss", 1}}); }), "");
}

}  // namespace
}  // namespace distal
