#include "distal/base/files.h"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

class Files : public ::testing::Test {
 protected:
  Files() { make_folder(folder_ / "deep"); }

  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      found.insert(entry.path().filename());
    return found;
  }

  TemporaryFolder folder_;
};

TEST_F(Files, AreWrittenWholeAndReplaced) {
  write_atomically(folder_ / "a", "first");
  write_atomically(folder_ / "a", std::string("se\0cond", 7));
  EXPECT_EQ(read_if_there(folder_ / "a"), std::string("se\0cond", 7));
  EXPECT_EQ(read_if_there(folder_ / "b"), "");
  EXPECT_EQ(names(), (std::set<std::string>{"a", "deep"}));
}

TEST_F(Files, WhatCannotBeWrittenLeavesWhatStood) {
  EXPECT_THAT(error_of([&] { write_atomically(folder_ / "absent/a", "x"); }),
              HasSubstr("No such file"));
  EXPECT_THAT(error_of([&] { write_atomically(folder_ / "deep", "x"); }),
              HasSubstr("deep: cannot be replaced"));
  EXPECT_THAT(error_of([&] { read_if_there(folder_ / "deep"); }), HasSubstr("deep: a folder"));
  write_atomically(folder_ / "a", "x");
  EXPECT_THAT(error_of([&] { make_folder(folder_ / "a"); }),
              HasSubstr("a: the folder cannot be made"));
  EXPECT_EQ(names(), (std::set<std::string>{"a", "deep"}));
}

TEST_F(Files, OfTooLongANameAreRefusedBeforeTheyAreWritten) {
  const std::string longest(255, 'x');
  EXPECT_EQ(error_of([&] { write_atomically(folder_ / longest, "x"); }), "");
  EXPECT_THAT(error_of([&] { UnfinishedFile file(folder_ / (longest + "y")); }),
              HasSubstr("its name has 256 bytes, and file systems take 255; give a shorter name"));
  EXPECT_THAT(error_of([&] {
                UnfinishedFile file(folder_ / longest, {".xml", ".bin"});
              }),
              HasSubstr("its name has 259 bytes"));
  EXPECT_EQ(names(), (std::set<std::string>{"deep", longest}));
}

TEST_F(Files, EachRefusalHasItsCure) {
  for (const int full : {ENOSPC, EDQUOT, EFBIG})
    EXPECT_THAT(cure_of(full), HasSubstr("free some space"));
  EXPECT_THAT(cure_of(EROFS), HasSubstr("a disk that can be written"));
  EXPECT_THAT(cure_of(EMFILE), HasSubstr("open files"));
  EXPECT_THAT(error_of([&] { write_atomically(folder_ / "absent/a", "x"); }),
              HasSubstr("check that the folder exists"));
  EXPECT_THAT(error_of([&] { write_atomically(folder_ / "deep", "x"); }),
              HasSubstr("name another file"));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{0, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string error = error_of([&] { UnfinishedFile file(folder_ / "a"); });
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_THAT(error, HasSubstr("a: cannot be written (Too many open files); end some programs"));
}

TEST_F(Files, NeverReplacePipes) {
  const std::string pipe = folder_ / "pipe";
  const std::string xml = folder_ / "m.xml";
  for (const std::string& name : {pipe, xml}) ASSERT_EQ(::mkfifo(name.c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { write_atomically(pipe, "x"); }), HasSubstr("pipe: no regular file"));
  EXPECT_THAT(error_of([&] { UnfinishedFile file(pipe); }), HasSubstr("pipe: no regular file"));
  EXPECT_THAT(error_of([&] {
                UnfinishedFile file(folder_ / "m", {".bin", ".xml"});
              }),
              HasSubstr("m.xml: no regular file"));
  EXPECT_THAT(error_of([&] { UnfinishedFile(folder_ / "a").publish(pipe); }),
              HasSubstr("pipe: no regular file"));
  for (const std::string& name : {pipe, xml}) EXPECT_TRUE(std::filesystem::is_fifo(name));
  EXPECT_EQ(names(), (std::set<std::string>{"deep", "m.xml", "pipe"}));
}

TEST_F(Files, AFullDiskIsAnErrorAndLeavesNoHalves) {
  write_atomically(folder_ / "a", "what stood here");
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{1000, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string error =
      error_of([&] { write_atomically(folder_ / "a", std::string(2000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, before);
  EXPECT_THAT(error, HasSubstr("a: cannot be written (File too large); free some space"));
  EXPECT_EQ(read_if_there(folder_ / "a"), "what stood here");
  EXPECT_EQ(names(), (std::set<std::string>{"a", "deep"}));
}

TEST_F(Files, ReadsRegularFilesOnlyAndWithinABound) {
  write_atomically(folder_ / "a", "four");
  EXPECT_EQ(read_file(folder_ / "a", 4), "four");
  EXPECT_THAT(error_of([&] { read_file(folder_ / "a", 3); }),
              HasSubstr("4 bytes, at most 3 are read"));
  EXPECT_THAT(error_of([&] { read_file(folder_ / "absent"); }), HasSubstr("no such file"));
  EXPECT_THAT(error_of([&] { read_file(folder_.path()); }), HasSubstr("a folder"));
  EXPECT_THAT(error_of([&] { read_file("/dev/zero"); }), HasSubstr("no regular file"));
  EXPECT_THAT(error_of([&] { read_file(folder_ / std::string(5000, 'x')); }),
              HasSubstr("cannot be read"));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { read_file(folder_ / "pipe"); }),
              HasSubstr("no regular file"));  // and does not wait
}

TEST_F(Files, OneWorksInAFolderAtATime) {
  {
    const FileLock lock(folder_ / ".lock", folder_.path(), "go away");
    const std::string refusal =
        error_of([&] { FileLock(folder_ / ".lock", folder_.path(), "go away"); });
    EXPECT_THAT(refusal, HasSubstr(fmt::format("{}: this process ({}) is at work here",
                                               folder_.path(), ::getpid())));
    EXPECT_THAT(refusal, HasSubstr("go away"));
  }
  EXPECT_EQ(names(), (std::set<std::string>{"deep"}));
  EXPECT_EQ(error_of([&] { FileLock(folder_ / ".lock", folder_.path(), "go away"); }), "");
}

TEST_F(Files, ADeadProcessHoldsNoFolder) {
  const pid_t child = ::fork();
  if (child == 0) {
    new FileLock(folder_ / ".lock", folder_.path(), "go away");  // never given back
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(names(), (std::set<std::string>{".lock", "deep"}));
  EXPECT_EQ(error_of([&] { FileLock(folder_ / ".lock", folder_.path(), "go away"); }), "");
}

}  // namespace
}  // namespace distal
