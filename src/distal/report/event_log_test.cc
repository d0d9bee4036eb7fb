#include "distal/report/event_log.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::SizeIs;
using ::testing::StartsWith;

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Every record of a file; fails where something is left over.
std::vector<std::string> records(const std::string& bytes) {
  std::vector<std::string> all;
  std::string_view rest = bytes;
  while (const auto record = first_record(rest)) {
    all.emplace_back(record->bytes);
    rest.remove_prefix(record->size);
  }
  EXPECT_THAT(rest, SizeIs(0)) << "bytes that are no record";
  return all;
}

const std::vector<Scalar> kTwo = {{"accuracy/badge/seed 1", 0, 0.5},
                                  {"accuracy/badge/seed 1", 8, 0.625}};
const Scalar kThird{"accuracy/badge/seed 1", 16, 0.75};

TEST(TfRecord, IsReadBackAndNothingThatIsCutOffOrDamaged) {
  const std::string bytes = tf_record("first") + tf_record("");
  EXPECT_EQ(first_record(bytes)->bytes, "first");
  EXPECT_EQ(first_record(bytes)->size, 21U);
  EXPECT_EQ(first_record(std::string_view(bytes).substr(21))->bytes, "");
  for (size_t size = 0; size < 21; ++size)
    EXPECT_FALSE(first_record(std::string_view(bytes).substr(0, size))) << size;
  for (size_t at = 0; at < 21; ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(first_record(damaged)) << at;
  }
  EXPECT_FALSE(first_record(std::string(16, '\xFF')));
}

TEST(EventLog, IsAWholeFileOfWhatWasAdded) {
  const TemporaryFolder folder;
  EventLog log(folder / "events");
  log.add(kTwo, 1000);
  EXPECT_EQ(read(folder / "events"), event_file(kTwo, 1000));
}

TEST(EventLog, AppendsWhatIsNewAndKeepsWhatStandsThere) {
  const TemporaryFolder folder;
  EventLog log(folder / "events");
  log.add(kTwo, 1000);
  const std::string before = read(folder / "events");
  log.add({kTwo[0], kTwo[1], kThird}, 2000);
  const std::string after = read(folder / "events");
  EXPECT_THAT(after, StartsWith(before));
  EXPECT_THAT(records(after), SizeIs(4));
  log.add({kTwo[0], kThird}, 3000);
  EXPECT_EQ(read(folder / "events"), after);
}

TEST(EventLog, AnotherProcessAppendsNothingTwice) {
  const TemporaryFolder folder;
  EventLog first(folder / "events");
  first.add({kTwo[0]}, 1000);
  EventLog second(folder / "events");
  second.add(kTwo, 2000);
  first.add(kTwo, 3000);
  second.add({kThird}, 4000);
  first.add({kTwo[0], kTwo[1], kThird}, 5000);
  EXPECT_THAT(records(read(folder / "events")), SizeIs(4));
}

TEST(EventLog, GoesOnBehindTheLastWholeRecord) {
  const TemporaryFolder folder;
  const std::string whole = event_file(kTwo, 1000);
  for (size_t size = 0; size <= whole.size(); ++size) {
    folder.write("events", whole.substr(0, size));
    EventLog(folder / "events").add(kTwo, 1000);
    ASSERT_EQ(read(folder / "events"), whole) << "cut off after " << size;
  }
}

TEST(EventLog, AFileThatWasReplacedIsReadAnew) {
  const TemporaryFolder folder;
  EventLog log(folder / "events");
  log.add(kTwo, 1000);
  std::filesystem::remove(folder / "events");
  folder.write("other", event_file({kTwo[1]}, 1000));
  std::filesystem::rename(folder / "other", folder / "events");
  log.add(kTwo, 1000);
  EXPECT_EQ(read(folder / "events"), event_file({kTwo[1], kTwo[0]}, 1000));
}

TEST(EventLog, SaysWhereItCannotWrite) {
  const TemporaryFolder folder;
  EventLog log(folder / "absent/events");
  EXPECT_THAT(error_of([&] { log.add(kTwo, 1); }), StartsWith(folder / "absent/events: "));
}

}  // namespace
}  // namespace distal
