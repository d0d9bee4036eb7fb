#include "distal/base/leftovers.h"

#include <filesystem>
#include <set>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "distal/base/checksum.h"
#include "distal/base/files.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

class Leftovers : public ::testing::Test {
 protected:
  Leftovers() { make_folder(folder_ / "deep"); }
  std::string put(const std::string& name) const { return folder_.write(name, "half"); }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) found.insert(entry.path().filename());
    }
    return found;
  }
  // A process that begins to write `path`, says so, and then dies, or waits for a byte from `end`.
  pid_t writer(const std::string& path, const std::vector<std::string>& endings,
               int end = -1) const {
    int said[2];
    EXPECT_EQ(::pipe(said), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      new UnfinishedFile(path, endings);  // never given back
      char byte = 1;
      [[maybe_unused]] auto moved = ::write(said[1], &byte, 1);
      if (end >= 0) moved = ::read(end, &byte, 1);
      ::_exit(0);
    }
    char byte = 0;
    EXPECT_EQ(::read(said[0], &byte, 1), 1);
    ::close(said[0]);
    ::close(said[1]);
    if (end < 0) ::waitpid(child, nullptr, 0);
    return child;
  }
  TemporaryFolder folder_;
};

TEST(LeftoverNames, AreOursAndNobodyElses) {
  for (const char* name : {"a.csv", "film.mp4", "0123.probe", "a b", "x.distal-1", ".lock"}) {
    for (const int64_t number : {1, 2, 1000})
      EXPECT_TRUE(is_unfinished(unfinished_name(name, number))) << name;
  }
  const std::string ours = unfinished_name("m", 1);
  EXPECT_TRUE(ours.starts_with("m.distal-1-") && ours.ends_with(".tmp"));
  for (const char* ending : {".onnx", ".xml", ".bin"}) EXPECT_TRUE(is_unfinished(ours + ending));
  for (const std::string& other :
       {"my " + ours, ours + ".mp4", ours + "~", ours.substr(1), "M" + ours.substr(1),
        ours.substr(0, ours.size() - 4), std::string("m.distal-1-00000000.tmp")})
    EXPECT_FALSE(is_unfinished(other)) << other;
  for (const char* other :
       {"notes.20230115.tmp", "backup.99999999.part", "thesis.4000000.unfinished.docx",
        "a.1-0.partial", "a.tmp", ".tmp", "tmp", "", ".distal-1", "a.distal-.tmp",
        "a.distal-0-12345678.tmp", "a.distal-99999999999999999999-12345678.tmp", "a.distal-x.tmp"})
    EXPECT_FALSE(is_unfinished(other)) << other;
}

TEST(LeftoverNames, FitAFileSystem) {
  const std::string name(255, 'x');
  EXPECT_LE(unfinished_name(name, 1000).size() + 5, 255u);
  EXPECT_TRUE(is_unfinished(unfinished_name(name, 1000) + ".onnx"));
}

TEST_F(Leftovers, OfTheDeadGoAndAllElseStays) {
  for (const char* name : {"a", "b.mp4", "deep/c"}) writer(folder_ / name, {""});
  writer(folder_ / "m", {".xml", ".bin"});
  EXPECT_EQ(names().size(), 5u);
  const std::set<std::string> theirs = {"notes.20230115.tmp", "backup.99999999.part",
                                        "thesis.4000000.unfinished.docx", "a.csv",
                                        "x.distal-1-12345678.tmp"};
  for (const std::string& name : theirs) put(name);
  put("deep/report.20240101.tmp");
  std::set<std::string> stay = theirs;
  stay.insert({"report.20240101.tmp", unfinished_name("c", 1)});
  clear_leftovers(folder_.path());
  EXPECT_EQ(names(), stay);
  clear_leftovers(folder_.path(), /*deep=*/true);
  stay.erase(unfinished_name("c", 1));
  EXPECT_EQ(names(), stay);
  clear_leftovers(folder_ / "absent");
}

// Nothing but its lock says that the writer lives: its id may be of another machine or container.
TEST_F(Leftovers, WhatIsBeingWrittenStays) {
  int end[2];
  ASSERT_EQ(::pipe(end), 0);
  const pid_t child = writer(folder_ / "m", {".xml", ".bin"}, end[0]);
  const UnfinishedFile mine(folder_ / "m", {".xml", ".bin"});
  const std::string first = unfinished_name("m", 1);
  const std::string second = unfinished_name("m", 2);
  const std::set<std::string> all = {first + ".xml", first + ".bin", second + ".xml",
                                     second + ".bin"};
  EXPECT_EQ(names(), all) << "two that write the same file do so apart";
  clear_leftovers(folder_.path(), /*deep=*/true);
  clear_leftovers_of(folder_ / "m");
  EXPECT_EQ(names(), all);
  ASSERT_EQ(::write(end[1], "e", 1), 1);
  ::waitpid(child, nullptr, 0);
  ::close(end[0]);
  ::close(end[1]);
  clear_leftovers(folder_.path());
  EXPECT_EQ(names(), (std::set<std::string>{second + ".xml", second + ".bin"}));
}

TEST_F(Leftovers, OfAFileGoWhenItIsWrittenAgain) {
  for (const char* name : {"a", "a.json", "ab"}) writer(folder_ / name, {""});
  write_atomically(folder_ / "a", "whole");
  EXPECT_EQ(names(), (std::set<std::string>{"a", unfinished_name("ab", 1)}));
}

TEST_F(Leftovers, ANameThatIsTakenIsLeftToItsOwner) {
  const std::string theirs = put(unfinished_name("a", 1));
  const int file = ::open(theirs.c_str(), O_RDONLY);
  ASSERT_EQ(::flock(file, LOCK_EX), 0);
  write_atomically(folder_ / "a", "whole");
  ::close(file);
  EXPECT_EQ(read_file(theirs), "half");
  EXPECT_EQ(read_file(folder_ / "a"), "whole");
}

TEST_F(Leftovers, OnlyWhatStillStandsThereIsRemovedAtTheEnd) {
  {
    UnfinishedFile file(folder_ / "a");
    file.write("whole");
    file.publish(folder_ / "a");
    put(unfinished_name("a", 1));  // by somebody else, for whom the name was free again
  }
  EXPECT_EQ(names(), (std::set<std::string>{"a", unfinished_name("a", 1)}));
}

TEST(Checksum, IsOfEveryByte) {
  std::string text(100, 'x');
  std::set<uint64_t> sums = {checksum(text), checksum({}), checksum(text.substr(1))};
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] ^= 1;
    sums.insert(checksum(other));
  }
  EXPECT_EQ(sums.size(), 103u);
  EXPECT_FALSE(sums.contains(0));
}

}  // namespace
}  // namespace distal
