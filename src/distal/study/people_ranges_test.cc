// A study of untrimmed videos: people mark ranges on whole videos, which label their segments.

#include <map>
#include <set>

#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/store/people_store.h"
#include "distal/study/asked_frames.h"
#include "distal/study/asked_of_people.h"
#include "distal/study/proposal.h"
#include "distal/study/round.h"
#include "distal/study/run.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Item = PeopleStore::Item;
using Range = PeopleStore::Range;

// Videos of 4 s, five frames a second, of which each second is a segment.
class RangesTest : public ::testing::Test {
 protected:
  RangesTest() {
    ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    write_videos(4);
  }

  void write_videos(double seconds) {
    SyntheticOptions video;
    video.width = video.height = 32;
    video.rate = 5;
    video.frames = static_cast<int64_t>(seconds * video.rate);
    std::map<std::string, std::string> lists = {{"pool.csv", "path,group\n"},
                                                {"held_out.csv", "path,group\n"}};
    for (int i = 0; i < 12; ++i) {
      const std::string name = fmt::format("{}.mp4", i);
      write_motion(folder_ / name, motions()[i % 2], i, video);
      lists[i < 9 ? "pool.csv" : "held_out.csv"] += fmt::format("{0},g{1}\n", name, i);
    }
    for (const auto& [name, text] : lists) folder_.write(name, text);
    make_folder(folder_ / "out");
  }

  std::string recipe() const {
    return fmt::format(
        "data: {{root: {0}, classes: [early, late], pool: {{csv: pool.csv}}, test: {{csv: "
        "held_out.csv}}, test_clips: 5}}\ncache: {{folder: {0}/frames}}\n"
        "clips: {{unit: segment, length_s: 1, stride_s: 1}}\n"
        "oracle: {{kind: people, answers: ranges}}\nselection: {{ask: video}}\n"
        "input: {{size_px: 32, sampling: {{frames: 4}}}}\n"
        "student: {{model: {{name: resnet3d, depth: 10, width: 4}}, training: {{steps: 2, "
        "batch_size: 4, precision: f32}}}}\n"
        "seeds: 2\nchooses: first_seed\nstart: 9\nrounds: 1\nbudget: 4\nstrategy: margin\n"
        "no_random_arm: a test\n",
        folder_.path());
  }
  Study study(const std::vector<Override>& differences = {}) const {
    return read_study(Document::text(recipe(), "r.yaml").with(differences), "r");
  }
  std::string why_refused(const std::vector<Override>& differences) const {
    return error_of([&] { study(differences); });
  }
  RunPlace place() const { return {.folder = folder_ / "out", .store_url = url()}; }
  std::string url() const { return "sqlite:" + (folder_ / "people.db"); }

  // As a command would: everything is opened anew.
  Results command(const Study& whole) {
    OpenedStudy opened = open_study(whole, place(), quiet_);
    return run(whole, opened, place(), quiet_);
  }
  std::string why_it_waits(const Study& whole) {
    return error_of<Awaiting>([&] { command(whole); });
  }

  std::vector<Item> open_items() const {
    PeopleStore::ItemFilter open;
    open.state = "open";
    return PeopleStore(url()).items(open, 0, 1000);
  }
  void answer(const Item& item, const std::vector<Range>& ranges) const {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("answer {}", item.id);
    answer.item = item.id;
    answer.person = "ann";
    answer.ranges = ranges;
    answer.answered_ms = 1000 + item.id;
    PeopleStore(url()).put(answer, 1000 + item.id);
  }
  // One segment of each video stays without a label.
  void answer_all() const {
    for (const Item& item : open_items()) answer(item, {{0, 1.8, "early"}, {3, 4, "late"}});
  }

  TemporaryFolder folder_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

std::map<std::string, std::set<std::string>> videos_by_purpose(const std::vector<Item>& items) {
  std::map<std::string, std::set<std::string>> videos;
  for (const Item& item : items) {
    EXPECT_EQ(item.kind, "ranges");
    videos[item.purpose].insert(item.video);
  }
  return videos;
}

TEST_F(RangesTest, OneAnswerAboutAVideoLabelsItsSegments) {
  const Study whole = study();
  EXPECT_THAT(why_it_waits(whole), HasSubstr("awaited"));
  auto videos = videos_by_purpose(open_items());
  EXPECT_THAT(open_items(), SizeIs(4));
  EXPECT_THAT(videos["held_out"], SizeIs(2)) << "five clips are in two videos of four";
  EXPECT_THAT(videos["start"], SizeIs(2)) << "nine are no third video";
  EXPECT_THAT(why_it_waits(whole), HasSubstr("awaited"));
  EXPECT_THAT(open_items(), SizeIs(4)) << "asked once";

  answer_all();
  EXPECT_THAT(why_it_waits(whole), HasSubstr("awaited"));
  const std::vector<Item> chosen = open_items();
  ASSERT_THAT(chosen, SizeIs(1)) << "a budget of four answers is a video; both seeds learn from it";
  EXPECT_EQ(chosen[0].purpose, "pool");
  EXPECT_FALSE(videos["start"].contains(chosen[0].video));

  answer_all();
  const Results results = command(whole);
  EXPECT_THAT(open_items(), IsEmpty());
  ASSERT_THAT(results.trials, SizeIs(2));
  for (const Trial& trial : results.trials) {
    ASSERT_THAT(trial.rounds, SizeIs(2));
    EXPECT_EQ(trial.rounds[1].answers, 12) << "segments of three videos were asked about";
    EXPECT_THAT(trial.rounds[1].metrics.correct, SizeIs(6)) << "of eight, one a video has no label";
  }
  EXPECT_EQ(command(whole).trials[0].rounds[1].metrics.accuracy,
            results.trials[0].rounds[1].metrics.accuracy);
}

TEST_F(RangesTest, BackgroundIsLearnedToo) {
  const Study whole = study({{"oracle.background", "late"}});
  for (int round = 0; round < 2; ++round) {
    why_it_waits(whole);
    answer_all();
  }
  EXPECT_THAT(command(whole).trials[0].rounds[1].metrics.correct, SizeIs(8));
}

TEST_F(RangesTest, AColdStartChoosesVideosByTheirFeatures) {
  why_it_waits(study({{"start_draw", "k_center"}}));
  EXPECT_THAT(videos_by_purpose(open_items())["start"], SizeIs(2));
}

TEST_F(RangesTest, NothingIsLearnedWhereNobodyMarkedAnything) {
  const Study whole = study();
  why_it_waits(whole);
  for (const Item& item : open_items()) {
    if (item.purpose == "start") answer(item, {});
  }
  answer_all();
  EXPECT_THAT(error_of([&] { command(whole); }), HasSubstr("left out every clip"));
}

TEST_F(RangesTest, ContradictionsAreRefused) {
  EXPECT_EQ(why_refused({}), "");
  EXPECT_THAT(why_refused({{"clips.unit", "video"}}), HasSubstr("unit: segment"));
  EXPECT_THAT(why_refused({{"oracle.background", "rest"}}), HasSubstr("'rest' is no class"));
  EXPECT_THAT(why_refused({{"pool_size", "8"}}), HasSubstr("leave pool_size out"));
  EXPECT_THAT(why_refused({{"selection.ask", "clip"}}), HasSubstr("selection: {ask: video}"));
  EXPECT_THAT(error_of([&] { command(study({{"start", "3"}})); }), HasSubstr("raise start"));
  EXPECT_THAT(error_of([&] { command(study({{"budget", "3"}})); }), HasSubstr("raise budget"));
}

TEST_F(RangesTest, QuestionsHaveTheFramesOfTheirVideos) {
  why_it_waits(study());
  Store store(url());
  PeopleStore people(url());
  AskedOfPeople asked = asked_of_people(store, people, "r", /*open_only=*/true);
  EXPECT_TRUE(asks_ranges(asked));
  EXPECT_EQ(probes_of_study(store, "r"), folder_ / "frames/probes");
  asked.questions.items.push_back({.clip = "a part", .video = folder_ / "0.mp4"});
  asked.questions.items.back().start_s = 1;
  asked.questions.items.back().end_s = 2;
  asked.questions.items.push_back({.clip = "gone", .video = folder_ / "gone.mp4"});
  AskedFrames frames(probes_of_study(store, "r"));
  const auto unreadable = frames.number(asked.questions.items);
  ASSERT_THAT(unreadable, SizeIs(1));
  EXPECT_THAT(unreadable.begin()->second, HasSubstr("gone.mp4: missing"));

  const AskedItem& recording = asked.questions.items.front();
  EXPECT_EQ(recording.first_frame, 0);
  EXPECT_EQ(recording.last_frame, 19);
  EXPECT_NEAR(recording.end_s, 4, 1e-9);
  EXPECT_NEAR(recording.frame_rate, 5, 1e-9);
  const AskedItem& part = asked.questions.items[asked.questions.items.size() - 2];
  EXPECT_EQ(part.first_frame, 5);
  EXPECT_EQ(part.last_frame, 9) << "the tenth starts where the part ends";
  EXPECT_EQ(asked.questions.items.back().first_frame, -1);
  EXPECT_NEAR(frames.time_of(part, 7), 1.4, 1e-9);
  EXPECT_NEAR(frames.time_of(part, 20), 4, 1e-9) << "behind the last one: the end";
  EXPECT_THAT(error_of([&] { frames.time_of(part, 21); }), HasSubstr("frame 21 of 20"));
}

TEST_F(RangesTest, AreProposedForUntrimmedVideos) {
  write_videos(26);
  const auto proposed = [&] {
    const Proposal proposal = propose({.folder = folder_.path(), .classes = {"early", "late"}},
                                      quiet_, [](const Learner&, const InputOptions&, int64_t) {
                                        return Pace{0.001, 0};
                                      });
    return read_study(Document::text(proposal.text, "r.yaml"), "r");
  };
  const Study ranges = proposed();
  EXPECT_TRUE(ranges.shared.oracle.only.kind->traits().by_video);
  EXPECT_EQ(ranges.shared.clips.unit, "segment");
  EXPECT_EQ(ranges.arms[0].options.selection.ask, "video");
  EXPECT_EQ(ranges.arms[0].options.start, 10) << "three videos of three segments";
  folder_.write("pool.csv", "path,group\n0.mp4,g0\n1.mp4,g1\n2.mp4,g2\n3.mp4,g3\n");
  EXPECT_FALSE(proposed().shared.oracle.only.kind->traits().by_video)
      << "four videos are no choice";
}

}  // namespace
}  // namespace distal
