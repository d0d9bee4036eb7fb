// Maps of a study's embeddings as a browser asks for them.

#include <gmock/gmock.h>

#include "distal/evaluation/pool_map.h"
#include "distal/serve/projection.h"
#include "distal/serve/testing.h"

namespace distal::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class MapsTest : public ServeTest {
 protected:
  MapsTest() {
    options_.study->folder = folder_ / "run";
    make_folder(options_.study->folder);
    serve();
    eve_ = person("eve", "adjudicator");
  }

  /// Clips of the video that ask() asks about, in two groups.
  void keep_map(int64_t clips, int64_t total) {
    PoolMap map{"margin", 1, 2, total};
    for (int64_t i = 0; i < clips; ++i) {
      map.rows.push_back({fmt::format("a.mp4@{}", i), folder_ / "a.mp4",
                          0.1 * static_cast<double>(i), 0.1 * static_cast<double>(i) + 0.5});
    }
    map.embeddings = at::randn({clips, 6}, at::detail::createCPUGenerator(3));
    map.embeddings.narrow(0, 0, clips / 2) += 9;
    write_pool_map(options_.study->folder, map);
  }
  nlohmann::json map(const std::string& method = "pca") {
    return json_of(eve_->get("studies/study/map?method=" + method));
  }

  std::unique_ptr<Visitor> eve_;
};

TEST_F(MapsTest, WithoutScoresThereIsNone) {
  EXPECT_EQ(map()["state"], "absent");
  EXPECT_THAT(map()["points"], SizeIs(0));
  EXPECT_EQ(map("umap")["state"], "absent");
  EXPECT_EQ(refusal_in(eve_->get("studies/study/map/1")), "404 not_found");
  EXPECT_EQ(refusal_in(eve_->get("studies/study/map?method=tsne")), "400 bad_request");
  EXPECT_EQ(refusal_in(eve_->get("studies/other/map")), "404 not_found");
  EXPECT_EQ(refusal_in(person("ann")->get("studies/study/map")), "403 forbidden");
}

TEST_F(MapsTest, PcaComesAtOnceWithTheAnswersAsTheyAre) {
  const auto ids = ask(2);
  person("ann")->put("answers/" + uuid(1), says(ids[1], "left"));
  keep_map(10, 400);
  const auto shown = map();
  EXPECT_EQ(shown["state"], "ready");
  EXPECT_EQ(shown["arm"], "margin");
  EXPECT_EQ(shown["round"], 2);
  EXPECT_EQ(shown["total"], 400);
  EXPECT_THAT(shown["note"], HasSubstr("random sample of 10 of 400"));
  ASSERT_THAT(shown["points"], SizeIs(10));
  EXPECT_EQ(shown["points"][0]["item"], ids[0]);
  EXPECT_EQ(shown["points"][0]["class"], nullptr);
  EXPECT_EQ(shown["points"][0]["role"], "pool");
  EXPECT_EQ(shown["points"][1]["class"], "left");
  EXPECT_EQ(shown["points"][1]["role"], "labelled");
  EXPECT_EQ(shown["points"][2]["item"], nullptr);
  for (int i = 0; i < 10; ++i) {
    const double x = shown["points"][i]["x"];
    EXPECT_LE(std::abs(x), 1);
    EXPECT_EQ(x > 0, shown["points"][0]["x"].get<double>() > 0 ? i < 5 : i >= 5) << i;
  }
}

TEST_F(MapsTest, APointLeadsToItsClip) {
  keep_map(4, 4);
  const auto clip = json_of(eve_->get("studies/study/map/3"));
  EXPECT_EQ(clip["id"], 3);
  EXPECT_EQ(clip["clip"], "a.mp4@2");
  EXPECT_EQ(clip["start_s"], 0.2);
  EXPECT_EQ(clip["item"], nullptr);
  EXPECT_EQ(
      eve_->get(fmt::format("media/{}/proxy.mp4", clip["video"]["id"].get<std::string>()))->status,
      200)
      << "nobody was asked about it";
  EXPECT_EQ(refusal_in(eve_->get("studies/study/map/5")), "404 not_found");
  EXPECT_EQ(refusal_in(eve_->get("studies/study/map/0")), "404 not_found");
}

TEST_F(MapsTest, UmapComesInTheBackground) {
  keep_map(12, 12);
  EXPECT_EQ(map("umap")["state"], "absent") << "too few";
  if (!has_umap()) GTEST_SKIP() << "this build has none";
  keep_map(60, 60);
  nlohmann::json shown = map("umap");
  for (int i = 0; i < 600 && shown["state"] == "computing"; ++i) {
    EXPECT_THAT(shown["points"], SizeIs(0));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    shown = map("umap");
  }
  EXPECT_EQ(shown["state"], "ready");
  EXPECT_THAT(shown["points"], SizeIs(60));
}

TEST_F(MapsTest, ANewMapTakesThePlaceOfAnOlderOne) {
  keep_map(4, 4);
  EXPECT_THAT(map()["points"], SizeIs(4));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  keep_map(6, 6);
  EXPECT_THAT(map()["points"], SizeIs(6));
}

}  // namespace
}  // namespace distal::serve
