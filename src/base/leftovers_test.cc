#include "base/leftovers.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/files.h"

namespace distal {
namespace {

int64_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

class Leftovers : public ::testing::Test {
 protected:
  Leftovers() : folder_(std::filesystem::temp_directory_path() / fmt::format("distal_leftovers_{}", ::getpid())) { make_folder(folder_ / "deep"); }
  ~Leftovers() override { std::filesystem::remove_all(folder_); }
  std::string put(const std::string& name) const {
    std::ofstream(folder_ / name) << "half";
    return folder_ / name;
  }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      if (entry.is_regular_file()) found.insert(entry.path().filename());
    return found;
  }
  std::filesystem::path folder_;
  int64_t dead_ = dead_process();
};

TEST(LeftoverNames, SayWhoWrote) {
  EXPECT_EQ(writer_of("a.csv.123.tmp"), 123);
  EXPECT_EQ(writer_of("film.mp4.7.part"), 7);
  EXPECT_EQ(writer_of("0123.probe.42-0.partial"), 42);
  EXPECT_EQ(writer_of("m.9.unfinished.onnx"), 9);
  EXPECT_EQ(writer_of("m.9.unfinished.xml"), 9);
  EXPECT_EQ(writer_of("m.9.unfinished.onnx.9.tmp"), 9);
  for (const char* other : {"a.tmp", "a.csv", ".tmp", "123.tmp", ".123.tmp", "a.12x.tmp", "a.-3.tmp", "a.0.tmp", "a.1.2.part2", "a.5.partial", "a.5-x.partial", "tmp", "", "unfinished",
                            "m.unfinished.onnx", "a.99999999999999999999.tmp"})
    EXPECT_EQ(writer_of(other), 0) << other;
}

TEST_F(Leftovers, OfTheDeadGoAndAllElseStays) {
  for (const char* form : {"a.{}.tmp", "b.mp4.{}.part", "p.probe.{}-3.partial", "m.{}.unfinished.xml", "deep/c.{}.tmp"}) put(fmt::format(fmt::runtime(form), dead_));
  put("notes.tmp"), put("a.csv"), put(fmt::format("mine.{}.tmp", ::getpid()));
  clear_leftovers(folder_);
  const std::string mine = fmt::format("mine.{}.tmp", ::getpid()), deep = fmt::format("c.{}.tmp", dead_);
  EXPECT_EQ(names(), (std::set<std::string>{"notes.tmp", "a.csv", mine, deep}));
  clear_leftovers(folder_, /*deep=*/true);
  EXPECT_EQ(names(), (std::set<std::string>{"notes.tmp", "a.csv", mine}));
  clear_leftovers(folder_ / "absent");
}

// The id is of a process of another machine that shares the folder.
TEST_F(Leftovers, WhatSomebodyHasLockedStays) {
  const std::string path = put(fmt::format("a.{}.tmp", dead_));
  const int file = ::open(path.c_str(), O_RDONLY);
  ASSERT_EQ(::flock(file, LOCK_EX), 0);
  clear_leftovers(folder_);
  EXPECT_TRUE(std::filesystem::exists(path));
  ::close(file);
  clear_leftovers(folder_);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Leftovers, OfAFileGoWhenItIsWrittenAgain) {
  put(fmt::format("a.{}.tmp", dead_)), put(fmt::format("b.{}.tmp", dead_));
  write_atomically(folder_ / "a", "whole");
  EXPECT_EQ(names(), (std::set<std::string>{"a", fmt::format("b.{}.tmp", dead_)}));
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
