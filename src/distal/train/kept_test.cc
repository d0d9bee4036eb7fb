#include "distal/train/kept.h"

#include <fstream>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

TEST(Kept, IsWhatWasWrittenOrNothingAndDamagedFilesGo) {
  const TemporaryFolder folder;
  const std::string path = folder / "kept.safetensors";
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  EXPECT_FALSE(load_kept(path, quiet));
  EXPECT_FALSE(load_kept("", quiet));
  save_checked(path, {{"w", at::ones({8})}});
  ASSERT_TRUE(load_kept(path, quiet));
  EXPECT_TRUE(at::equal(load_kept(path, quiet)->at(0).second, at::ones({8})));
  std::string bytes = read_file(path);
  bytes.back() ^= 4;
  write_atomically(path, bytes);
  EXPECT_FALSE(load_kept(path, quiet));
  EXPECT_FALSE(std::filesystem::exists(path));
  save_safetensors(path, {{"w", at::ones({8})}});
  EXPECT_FALSE(load_kept(path, quiet)) << "nobody can say whether it is sound";
}

TEST(Kept, SaysWhatItThrowsAway) {
  const TemporaryFolder folder;
  const std::string path = folder / "kept.safetensors";
  std::ofstream(path) << "no weights";
  ::testing::internal::CaptureStderr();
  ConsoleProgress progress;
  load_kept(path, progress);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, ::testing::HasSubstr("kept.safetensors"));
  EXPECT_THAT(said, ::testing::HasSubstr("thrown away, it is trained again"));
}

}  // namespace
}  // namespace distal
