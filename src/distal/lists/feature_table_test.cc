#include "distal/lists/feature_table.h"

#include <atomic>
#include <filesystem>

#include <gmock/gmock.h>

#include "distal/base/npy.h"
#include "distal/base/testing.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FeatureTableTest : public ::testing::Test {
 protected:
  // Videos of ten seconds; the content of copy.mp4 is that of a.mp4.
  VideoInfo probe_video(const std::string& path) {
    ++probed_;
    const std::string name = std::filesystem::path(path).filename().string();
    VideoInfo info = steady_video(250, 25, path);
    info.id = name == "copy.mp4" ? "a.mp4" : name;
    return info;
  }
  Clip clip(const std::string& name, double start_s = 0, double end_s = 10) const {
    return {folder_ / name, name == "copy.mp4" ? "a.mp4" : name, start_s, end_s, name, 0};
  }
  // Row i of D numbers holds i.
  void save(int64_t rows, const std::string& list, int64_t width = 3) {
    array_ = torch::arange(rows, torch::kFloat32).unsqueeze(1).repeat({1, width});
    write_npy(files_.features, array_);
    folder_.write("f.csv", list);
  }
  FeatureTable table(const std::vector<Clip>& clips) {
    return {files_, folder_.path(), clips, [this](const auto& path) { return probe_video(path); }};
  }
  std::string table_error(const std::vector<Clip>& clips) {
    return error_of([&] { table(clips); });
  }
  // The first number of each clip's row.
  static std::vector<float> firsts(const FeatureTable& table, const std::vector<Clip>& clips) {
    const torch::Tensor values = table.of(refs_of(clips)).select(1, 0).contiguous();
    return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel()};
  }

  TemporaryFolder folder_;
  FeatureFiles files_{folder_ / "f.npy", folder_ / "f.csv"};
  torch::Tensor array_;
  std::atomic<int64_t> probed_ = 0;  // two threads probe
};

TEST_F(FeatureTableTest, FindsTheRowOfEachClipWhateverTheOrder) {
  save(4, "path,label\nb.mp4,no class of anybody\nnobody.mp4,x\na.mp4,y\nc.mp4,\n");
  const std::vector<Clip> clips = {clip("a.mp4"), clip("b.mp4"), clip("c.mp4")};
  EXPECT_EQ(firsts(table(clips), clips), (std::vector<float>{2, 0, 3}));
  EXPECT_EQ(table(clips).width(), 3);
  EXPECT_EQ(probed_, 6) << "a video that no clip is of is not opened";
}

TEST_F(FeatureTableTest, FindsSpansInSecondsAndInFramesAndCopiesOfAVideo) {
  save(4, "path,start_s,end_s,start_frame,end_frame\na.mp4,0,4,,\na.mp4,4,20,,\nb.mp4,,,25,49\n"
          "b.mp4,,,,\n");
  const std::vector<Clip> clips = {clip("a.mp4", 4, 10), clip("b.mp4", 1, 2), clip("a.mp4", 0, 4),
                                   clip("b.mp4")};
  EXPECT_EQ(firsts(table(clips), clips), (std::vector<float>{1, 2, 0, 3}));
  save(2, "path\na.mp4\ncopy.mp4\n");
  const std::vector<Clip> copy = {clip("copy.mp4")};
  EXPECT_EQ(firsts(table(copy), copy), (std::vector<float>{1}));
}

TEST_F(FeatureTableTest, AViewHasTheFeaturesOfItsClip) {
  save(2, "path\na.mp4\nb.mp4\n");
  const auto all = table({clip("a.mp4"), clip("b.mp4")});
  Clip view = clip("b.mp4");
  view.view = 2;
  EXPECT_EQ(firsts(all, {view}), (std::vector<float>{1}));
}

TEST_F(FeatureTableTest, EveryTypeOfNumbersIsRead) {
  save(2, "path\na.mp4\nb.mp4\n");
  for (const auto type : {torch::kFloat16, torch::kFloat64, torch::kInt64}) {
    write_npy(files_.features, array_.to(type));
    const std::vector<Clip> clips = {clip("b.mp4")};
    const torch::Tensor values = table(clips).of(refs_of(clips));
    EXPECT_EQ(values.scalar_type(), torch::kFloat32);
    EXPECT_EQ(values[0][2].item<float>(), 1);
  }
}

TEST_F(FeatureTableTest, AClipWithoutARowIsNamedWithACure) {
  save(1, "path\na.mp4\n");
  EXPECT_THAT(table_error({clip("a.mp4"), clip("b.mp4"), clip("a.mp4", 2, 3)}),
              AllOf(HasSubstr("f.csv: 2 of 3 clips of the study have no row, the first is"),
                    HasSubstr("b.mp4, 0.000 .. 10.000 s"), HasSubstr("add their rows")));
}

TEST_F(FeatureTableTest, AClipThatIsNamedTwiceIsRefusedWithBothPlaces) {
  save(3, "path,start_s,end_s\na.mp4,1,2\nb.mp4,1,2\n./a.mp4,1.0,2.0004\n");
  EXPECT_THAT(table_error({clip("b.mp4")}),
              AllOf(HasSubstr("f.csv:4: a.mp4, 1.000 .. 2.000 s stands at"), HasSubstr("f.csv:2"),
                    HasSubstr("row 0 or 2 (the first is 0) out of")));
}

TEST_F(FeatureTableTest, NaNIsNamedByFileAndRowWhereAClipNeedsIt) {
  save(3, "path\na.mp4\nb.mp4\nc.mp4\n");
  array_[1][2] = std::numeric_limits<float>::quiet_NaN();
  write_npy(files_.features, array_);
  EXPECT_THAT(table_error({clip("a.mp4"), clip("b.mp4")}),
              AllOf(HasSubstr("f.npy: row 1 (the first is 0) holds NaN or infinity: b.mp4 of"),
                    HasSubstr("f.csv:3"), HasSubstr("compute it again")));
  EXPECT_EQ(table_error({clip("a.mp4"), clip("c.mp4")}), "") << "nobody asks for row 1";
}

TEST_F(FeatureTableTest, AnArrayThatIsNotARowAClipIsRefused) {
  save(2, "path\na.mp4\n");
  EXPECT_THAT(table_error({clip("a.mp4")}),
              AllOf(HasSubstr("f.npy has 2 rows and"), HasSubstr("f.csv names 1 clips")));
  write_npy(files_.features, torch::zeros({2, 3, 4}));
  EXPECT_THAT(table_error({clip("a.mp4")}), HasSubstr("has shape (2, 3, 4)"));
  write_npy(files_.features, torch::zeros({1, 0}));
  EXPECT_THAT(table_error({clip("a.mp4")}), HasSubstr("has shape (1, 0)"));
  std::filesystem::remove(files_.features);
  EXPECT_THAT(table_error({clip("a.mp4")}), HasSubstr("f.npy: no such file"));
}

TEST_F(FeatureTableTest, TheIdIsThatOfTheContentOfBothFiles) {
  save(2, "path\na.mp4\nb.mp4\n");
  const std::string id = content_id(files_);
  EXPECT_EQ(content_id(files_), id);
  write_npy(folder_ / "g.npy", array_);
  EXPECT_EQ(content_id(FeatureFiles{folder_ / "g.npy", files_.list}), id) << "a copy elsewhere";
  array_[0][0] = 9;
  write_npy(files_.features, array_);
  const std::string other = content_id(files_);
  EXPECT_NE(other, id) << "the size is the same";
  folder_.write("f.csv", "path\nb.mp4\na.mp4\n");
  EXPECT_NE(content_id(files_), other);
}

}  // namespace
}  // namespace distal
