// Rounds that ask about mixes of known clips, or about several views of a clip.

#include "distal/study/mixing.h"

#include <set>

#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/learn/network_trainer.h"
#include "distal/study/describe.h"
#include "distal/study/plan.h"
#include "distal/study/testing.h"
#include "distal/study/trial.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class MixingTest : public ::testing::Test {
 protected:
  MixingTest() {
    dataset_.pool = small_clips(folder_, 12);
    dataset_.classes.names = {"left", "right"};
    dataset_.lists_id = "lists";
    InputOptions input;
    input.size_px = 32;
    input.sampling.frames = 4;
    dataset_.reader = std::make_unique<ClipReader>(input, CacheOptions{folder_ / "cache", 1});
    dataset_.test = {dataset_.pool.begin() + 10, dataset_.pool.end()};
    read_options(teacher_, "{kind: model, path: m}", "test");
  }

  void recipe(const std::string& yaml) {
    arm_ =
        study_of("oracle: {kind: model, path: m}\nask_start: true\nstart: 6\nstudent: {model: "
                 "{name: resnet3d, depth: 10, width: 4}, training: {steps: 2, batch_size: 4}}\n" +
                 yaml)
            .arms[0];
  }
  // One round, in a run of its own unless `again`; what was asked, by key.
  struct Asked {
    LabeledSet known;
    std::vector<Clip> picks;
    RoundResult result;
  };
  Asked round(int64_t rounds = 1, const std::string& run_key = "run") {
    NetworkTrainer trainer(
        *dataset_.reader, dataset_.classes, [&] { return dataset_.clips(); },
        folder_ / "unfinished", progress_);
    Ledger oracle(teacher_, answers_at_once(std::make_unique<BrightTeacher>()), dataset_.asked(),
                  store_, progress_);
    StoredRecord record(store_, store_.begin_or_continue(run_key, "mixes", 1, "", ""),
                        oracle.answerers());
    Asked asked;
    const Study study{};
    const TrialSetup setup{study, dataset_, trainer, oracle, "", true, {}, progress_};
    const ArmOptions& arm = arm_.options;
    asked.known = start_trial(setup, arm_, record, Random(1)).known;
    for (int64_t r = 1; r <= rounds; ++r) {
      const auto student = [&] {
        return Student{trainer.train(arm.student, arm.loss, asked.known.samples,
                                     Random(1).stream("student"), "student"),
                       nullptr, "student"};
      };
      const Chosen chosen = choose_once(setup, arm_, asked.known, r, student, Random(1), record);
      asked.picks = chosen.clips;
      asked.result.forwards = chosen.cost.forwards;
      const Answered answered = samples_about(oracle, asked.picks);
      asked.known.samples.insert(asked.known.samples.end(), answered.samples.begin(),
                                 answered.samples.end());
      asked.known.close(asked.picks);
    }
    spent_ = record.spent().answers;
    store_.finish(record.run().id, "stopped");
    return asked;
  }

  TemporaryFolder folder_;
  Dataset dataset_;
  Arm arm_;
  OracleOptions teacher_;
  Store store_{"sqlite:" + (folder_ / "store.db")};
  ConsoleProgress progress_{ConsoleProgress::Mode::quiet};
  int64_t spent_ = 0;
};

std::set<std::string> keys(const std::vector<Clip>& clips) {
  std::set<std::string> all;
  for (const Clip& clip : clips) all.insert(clip.key());
  return all;
}

TEST_F(MixingTest, ARoundAsksAboutMixesOfWhatIsKnown) {
  for (const char* criterion : {"c2", "c1", "random", "unixkd"}) {
    recipe(fmt::format("budget: 4\nrounds: 2\nmixes: {{criterion: {}}}", criterion));
    const Asked asked = round(2, criterion);
    EXPECT_EQ(spent_, 6 + 4 + 4) << criterion;
    EXPECT_THAT(asked.known.samples, SizeIs(14));
    EXPECT_THAT(keys(asked.known.clips()), SizeIs(14)) << "none twice, " << criterion;
    const std::vector<Clip> clips = asked.known.clips();
    const std::set<std::string> filmed = keys({clips.begin(), clips.begin() + 6});
    for (const Clip& clip : asked.picks) {
      ASSERT_TRUE(clip.mixed);
      EXPECT_EQ(clip.label, -1);
      EXPECT_TRUE(filmed.contains(clip.mixed->other.key()));
    }
    for (size_t i = 6; i < 14; ++i)
      EXPECT_THAT(asked.known.samples[i].teacher, SizeIs(2))
          << "the teacher's word about a mix is learned";
    EXPECT_EQ(asked.result.forwards > 0, std::string(criterion) != "random");
  }
}

TEST_F(MixingTest, AnAnswerIsThatOfTheMixedPicture) {
  recipe("budget: 3\nrounds: 1\nmixes: {criterion: random}");
  const Asked asked = round();
  const Sample& sample = asked.known.samples.back();
  Clip first = sample.clip;
  first.mixed = nullptr;
  const auto brightness = [&](const Clip& clip) {
    return dataset_.reader->read(clip, nullptr, false).to(torch::kFloat32).mean().item<double>() /
               127.5 -
           1;
  };
  const double lambda = sample.clip.mixed->lambda;
  const double mean =
      lambda * brightness(first) + (1 - lambda) * brightness(sample.clip.mixed->other);
  EXPECT_NEAR(sample.teacher[0], 1 / (1 + std::exp(-mean)), 0.01);
}

TEST_F(MixingTest, ARoundThatWasReservedIsFoundAgain) {
  recipe("budget: 4\nrounds: 1\nmixes: {criterion: c2}");
  const Asked asked = round();
  const Asked again = round();
  EXPECT_EQ(spent_, 10);
  for (size_t i = 0; i < asked.picks.size(); ++i)
    EXPECT_EQ(asked.picks[i].key(), again.picks[i].key());
  EXPECT_GT(asked.result.forwards, 0);
  EXPECT_EQ(again.result.forwards, asked.result.forwards)
      << "what the choice cost, although nothing is scored again";
}

TEST_F(MixingTest, SeveralViewsOfAClipAreAnswersAndSamplesOfTheirOwn) {
  recipe("budget: 6\nrounds: 1\nanswers_per_clip: 3\nstrategy: margin");
  const Asked asked = round();
  EXPECT_EQ(spent_, 6 + 6);
  ASSERT_THAT(asked.picks, SizeIs(6));
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(asked.picks[i].view, static_cast<int64_t>(i % 3));
  EXPECT_EQ(asked.picks[0].video, asked.picks[2].video);
  EXPECT_NE(asked.known.samples[6].teacher, asked.known.samples[7].teacher);
}

TEST_F(MixingTest, ClipsThatCannotBeReadAreTakenOutForEveryArm) {
  dataset_.pool.push_back(
      {folder_.write("broken.mp4", "this is no video"), "none", 0, 1, "none", 0});
  drop_unreadable(
      study_of(
          "oracle: {kind: model, path: m}\nstart: 6\nbudget: 2\nrounds: 1\nmixes: {criterion: c2}"),
      dataset_, progress_);
  EXPECT_THAT(dataset_.pool, SizeIs(12));
}

TEST_F(MixingTest, WhatARunFoundIsReportedByALaterProcessToo) {
  recipe("rounds: 0");
  const Clip broken{folder_.write("broken.mp4", "this is no video")};
  const auto findings = [&](bool works) {
    dataset_.reader = std::make_unique<ClipReader>(dataset_.reader->options(),
                                                   CacheOptions{folder_ / "cache", 1});
    NetworkTrainer trainer(
        *dataset_.reader, dataset_.classes, [&] { return dataset_.clips(); },
        folder_ / "unfinished", progress_);
    Ledger oracle(teacher_, answers_at_once(std::make_unique<BrightTeacher>()), dataset_.asked(),
                  store_, progress_);
    const Study study{};
    const TrialSetup setup{study, dataset_, trainer, oracle, "", true, {}, progress_};
    StoredRecord record(store_, store_.begin_or_continue("run", "mixes", 1, "", ""),
                        oracle.answerers());
    if (works) {
      EXPECT_NE(error_of([&] { dataset_.reader->read(broken, nullptr, false); }), "");
      run_rounds(setup, arm_, record);
    }
    store_.finish(record.run().id, "stopped");
    Results results;
    add_findings(results, study, dataset_, store_, {{record.run().id, 1}});
    return results;
  };
  const Results first = findings(true);
  const Results later = findings(false);
  EXPECT_THAT(later.notes, ::testing::Contains(HasSubstr("Trained in")));
  EXPECT_EQ(later.notes, first.notes);
  ASSERT_THAT(later.quarantined, SizeIs(1));
  EXPECT_EQ(later.quarantined[0].path, broken.video);
  EXPECT_EQ(later.quarantined[0].reason, first.quarantined[0].reason);
}

TEST(Mixes, AndViewsAreEachPaidForInThePlan) {
  const TemporaryFolder folder;
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  std::string spans = "path,label,start_s,end_s\n";
  for (int i = 0; i < 6; ++i)
    spans += fmt::format("own/{}.mp4,{},0,0.16\n", i, i % 2 ? "left" : "right");
  folder.write("spans.csv", spans);
  const std::string common =
      "oracle: {kind: model, path: m, price: 1}\ninput: {size_px: 32, sampling: {frames: "
      "4}}\nseeds: 5\n"
      "student: {model: {name: resnet3d, depth: 10, width: 4}, training: {batch_size: 4}}\n";
  const Plan mixes = plan(
      generated_study(folder, common + "start: 6\nrounds: 2\nbudget: 5\nmixes: {criterion: random}",
                      ", start: {csv: spans.csv}"),
      quiet);
  EXPECT_EQ(mixes.price, 5 * 10) << "more than there are clips";
  EXPECT_NEAR(mixes.seconds_asked, 5 * 10 * 0.16, 0.01)
      << "a mix is as long as the clips it is made of, not as those of the pool";
  const Plan views =
      plan(generated_study(folder, common + "start: 8\nrounds: 1\nbudget: 36\nanswers_per_clip: 3"),
           quiet);
  EXPECT_EQ(views.price, 3 * 20) << "three views of each clip of the pool, once for all seeds";
}

TEST(Views, AreAnsweredAsTheyAreLearned) {
  const TemporaryFolder folder;
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  const Study study =
      generated_study(folder, "oracle: {kind: teacher}\nteacher: {train: {csv: train.csv}, input: "
                              "{sampling: {jitter_steps: 3}}}\n"
                              "start: 4\nrounds: 1\nbudget: 4\nanswers_per_clip: 2");
  EXPECT_THAT(error_of([&] { open_dataset(study, quiet); }),
              ::testing::AllOf(HasSubstr("answers_per_clip: the teacher was made for clips of"),
                               HasSubstr("jitter_steps 3"), HasSubstr("jitter_steps 8")));
}

TEST(Mixes, AreRefusedWhereTheyCannotBe) {
  const std::string taught = "oracle: {kind: model, path: m}\n";
  EXPECT_EQ(refusal(taught + "mixes: {}"), "");
  EXPECT_THAT(refusal("mixes: {}"), HasSubstr("nobody knows the truth about a mix"));
  EXPECT_THAT(refusal(taught + "mixes: {}\nstudent: {model: {freeze: [backbone]}}"),
              HasSubstr("frozen backbone"));
  EXPECT_THAT(refusal(taught + "mixes: {}\nstrategy: margin"), HasSubstr("leave one of them out"));
  EXPECT_THAT(refusal(taught + "mixes: {}\nbudget: -1"), HasSubstr("say how many mixes"));
  EXPECT_THAT(refusal(taught + "mixes: {}\nselection: {unit: seconds}"),
              HasSubstr("selection.unit: answers"));
  EXPECT_THAT(refusal(taught + "mixes: {}\nanswers_per_clip: 2"), HasSubstr("a mix has one view"));
  EXPECT_THAT(refusal("answers_per_clip: 2"), HasSubstr("whose truth is one"));
  EXPECT_THAT(refusal(taught + "answers_per_clip: 50"), HasSubstr("buys no clip"));
  EXPECT_THAT(refusal(taught + "mixes: {lambda: 2}"), HasSubstr("lambda"));
}

TEST(Mixes, TheirRandomTwinMixesByChance) {
  const auto all = study_of("oracle: {kind: model, path: m}\nbudget: 30\nmixes: {criterion: c2}");
  ASSERT_EQ(all.arms.size(), 2u);
  EXPECT_EQ(all.arms[1].name, "random");
  EXPECT_EQ(all.arms[1].options.mixes->criterion, "random");
  EXPECT_EQ(all.control, "random");
}

}  // namespace
}  // namespace distal
