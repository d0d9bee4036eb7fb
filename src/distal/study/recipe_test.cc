// Recipes with arms: what they share, whom they are tested against, and the random twin.

#include "distal/study/recipe.h"

#include "distal/models/network_testing.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

const Arm& arm(const Study& all, const std::string& name) {
  return *std::find_if(all.arms.begin(), all.arms.end(),
                       [&](const Arm& a) { return a.name == name; });
}

TEST(Recipe, ArmsMayDifferInWhoLearnsAndHowNotInWhatTheyAreMeasuredOn) {
  EXPECT_EQ(refusal("arms: {a: {strategy: random}, b: {strategy: margin, student: {training: "
                    "{steps: 3}}, loss: kd, start: 8}}"),
            "");
  for (const std::string difference :
       {"oracle: {kind: http, url: 'http://h/v2/models/m'}", "input: {size_px: 64}",
        "clips: {unit: segment}", "data: {test: {csv: other.csv}}", "seeds: 7",
        "selection: {unit: seconds}", "cache: {gigabytes: 1}"})
    EXPECT_THAT(refusal("arms: {a: {strategy: random}, b: {" + difference + "}}"),
                HasSubstr("arms a and b differ in"))
        << difference;
}

TEST(Recipe, EachArmIsTestedAgainstTheControlUnlessItNamesAnother) {
  const auto all = study_of("control: few\nno_random_arm: nothing is selected\narms: {few: {start: "
                            "8, rounds: 0}, taught few: {start: 8, budget: -1, rounds: 1},\n"
                            "  many: {start: -1, rounds: 0}, taught many: {start: -1, budget: -1, "
                            "rounds: 1, control: many}}");
  EXPECT_EQ(all.control, "few");
  EXPECT_EQ(arm(all, "few").against, "");
  EXPECT_EQ(arm(all, "taught few").against, "few");
  EXPECT_EQ(arm(all, "many").against, "few");
  EXPECT_EQ(arm(all, "taught many").against, "many");
  EXPECT_THAT(refusal("arms: {a: {strategy: random, control: nobody}}"),
              HasSubstr("control = 'nobody' is no arm"));
}

TEST(Recipe, ADrawByLabelsSaysWhoseLabelsTheyAre) {
  EXPECT_EQ(ArmOptions().start_draw, "random");
  EXPECT_EQ(refusal("start_draw: stratified_by_hidden_labels"), "");
  EXPECT_THAT(refusal("start_draw: stratified_by_labels"), HasSubstr("data.start"));
  EXPECT_THAT(refusal("start_draw: even"), HasSubstr("stratified_by_hidden_labels"));
  const auto with_start = [](const std::string& draw) {
    return error_of([&] {
      read_study(
          Document::text(
              "data: {pool: {csv: p.csv}, test: {csv: t.csv}, start: {csv: s.csv}}\nstart_draw: " +
                  draw,
              "r.yaml"),
          "r");
    });
  };
  EXPECT_EQ(with_start("stratified_by_labels"), "");
  EXPECT_THAT(with_start("stratified_by_hidden_labels"),
              HasSubstr("set stratified_by_labels, or random"));
  const auto all =
      study_of("start: 16\narms: {a: {strategy: random}, b: {strategy: random, start: 8, "
               "start_draw: stratified_by_hidden_labels}, c: {strategy: random, start: -1}}");
  EXPECT_EQ(all.start_words(), "16 drawn at random, or 8 drawn evenly over the classes by hidden "
                               "labels, as nobody could, or all");
}

TEST(Recipe, AnAddedRandomArmSpendsWhatTheStrategyArmSpends) {
  const auto all = study_of("rounds: 0\narms: {labels: {}, margin: {strategy: margin, rounds: 4, "
                            "budget: 30, selection: {per_video: 2}}}");
  const ArmOptions& random = arm(all, "random").options;
  EXPECT_EQ(random.strategy.name, "random");
  EXPECT_EQ(random.rounds, 4);
  EXPECT_EQ(random.budget, 30);
  EXPECT_EQ(all.control, "random");
}

TEST(Recipe, AskingAboutAllOfThePoolIsNoRandomArm) {
  const auto all =
      study_of("arms: {everything: {rounds: 1, budget: -1}, margin: {strategy: margin}}");
  ASSERT_EQ(all.arms.size(), 3u);
  EXPECT_EQ(arm(all, "margin").against, "random");
  const auto named =
      study_of("arms: {random: {rounds: 1, budget: -1}, margin: {strategy: margin}}");
  EXPECT_EQ(arm(named, "margin").against, "random twin");
}

TEST(Recipe, AnAddedRandomArmIsTheControl) {
  const auto all =
      study_of("arms: {labels: {rounds: 0}, margin: {strategy: margin, control: labels}}");
  EXPECT_EQ(all.control, "random");
  EXPECT_EQ(arm(all, "random").against, "");
  EXPECT_EQ(arm(all, "margin").against, "labels");
}

TEST(Recipe, RefusesWhatHasNoEffectOnAFrozenBackbone) {
  const std::string flipped = "student: {model: {freeze: [backbone]}, augment: {flip: 0.5}}";
  EXPECT_THAT(refusal(flipped), HasSubstr("student.augment has no effect on a frozen backbone"));
  EXPECT_EQ(refusal("strategy: consistency\n" + flipped), "") << "its looks are augmented";
  EXPECT_THAT(
      refusal("teacher: {train: {csv: u.csv}, model: {freeze: [backbone]}, augment: {scales: []}}"),
      HasSubstr("teacher.augment has no effect"));
}

TEST(Recipe, RefusesWhatHasNoEffectOnAProbe) {
  const auto probe = [](const std::string& more) {
    return "student: {probe: true, model: {freeze: [backbone]}" + more +
           "}\noracle: {kind: model, path: m}\n";
  };
  EXPECT_EQ(refusal(probe("")), "");
  EXPECT_EQ(refusal(probe(", training: {class_weights: true, threads: 2}")), "");
  for (const std::string option : {"steps: 7", "label_smoothing: 0.1", "class_balanced: true"})
    EXPECT_THAT(refusal(probe(", training: {" + option + "}")),
                HasSubstr("student.training has no effect on a probe"));
  EXPECT_THAT(refusal(probe("") + "loss: kd"), HasSubstr("loss = kd has no effect on a probe"));
  EXPECT_THAT(refusal(probe("") + "ask_start: true"),
              HasSubstr("ask_start has no effect on a probe"));
  EXPECT_EQ(refusal(probe("") + "ask_start: true\nstrategy: rad"), "")
      << "the teacher's errors are counted there";
}

TEST(Recipe, EveryOneThatIsShippedIsAccepted) {
  const TemporaryFolder weights;  // networks are looked into, weights are not
  SmallNetwork(1).write(weights / "efficientnet_lite0.onnx", 224);
  for (const char* folder : {"/recipes", "/reproduce"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(DISTAL_SOURCE_DIR) + folder)) {
      if (entry.path().extension() != ".yaml") continue;
      EXPECT_EQ(error_of([&] {
                  read_study(entry.path().string(), {{"weights", weights.path()}});
                }),
                "")
          << entry.path();
    }
  }
}

TEST(Recipe, RefusesNamesAndNumbersThatCannotBeMeant) {
  EXPECT_THAT(refusal("budget: -0.5"), HasSubstr("budget = -0.5"));
  EXPECT_THAT(refusal("ask_start: true"), HasSubstr("ask_start needs an oracle"));
  EXPECT_THAT(refusal("arms: {a: {}, a: {}}"), HasSubstr("'a' stands here for the second time"));
  EXPECT_THAT(refusal("oracle: {kind: teacher}"), HasSubstr("needs a teacher section"));
}

TEST(Recipe, AnArmsNameBecomesAFilesOrIsRefused) {
  EXPECT_THAT(refusal("arms:\n  a/b: {}"),
              HasSubstr("r.yaml:3:8: arm a/b: its name becomes a file's; no '/'"));
  for (const char* own : {"teacher", "report", "Recipe", "curve", "metrics", "pretrained"})
    EXPECT_THAT(refusal(fmt::format("arms: {{{}: {{}}}}", own)),
                HasSubstr("which the run writes itself"))
        << own;
  for (const char* name :
       {"\"\"", "\".\"", "'..'", "-x", "' a'", "'a '", "\"a\\nb\"", "\"a\\eb\"", "'a\\b'"})
    EXPECT_THAT(refusal(fmt::format("arms: {{{}: {{}}}}", name)), HasSubstr("its name")) << name;
  EXPECT_THAT(refusal("arms: {" + std::string(200, 'x') + ": {}}"),
              HasSubstr("1 to 120 bytes, not 200"));
  EXPECT_THAT(refusal("arms: {random: {}, Random: {}}"),
              HasSubstr("its files would be those of arm random"));
  EXPECT_THAT(refusal("arms: {a b: {}, 'a,b': {}}"),
              HasSubstr("its files would be those of arm a b (a-b.safetensors)"));
  EXPECT_THAT(refusal("arms: {\"a\\0b\": {}}"), HasSubstr("NUL"));
  for (const char* name : {"\"it's \\\"quoted\\\"\"", "手術", "'a: b'", "'#1'", "1.5"})
    EXPECT_EQ(refusal(fmt::format("arms: {{{}: {{}}}}", name)), "") << name;
}

TEST(Recipe, NumbersNobodyCanMeanAreRefusedBeforeAnythingStarts) {
  EXPECT_THAT(
      refusal("student: {training: {batch_size: 65536}}\ninput: {size_px: 4096, sampling: {frames: "
              "4096}}"),
      HasSubstr("student.training.batch_size = 65536 clips of 4096 frames of 4096 x 4096 x 3"));
  for (const char* option : {"student: {training: {batch_size: 100000}}", "input: {size_px: 1e8}",
                             "input: {sampling: {frames: 1e6}}", "rounds: 1e5", "seeds: 1e5",
                             "student: {training: {steps: 1e12}}", "start: 1e12", "budget: 1e12",
                             "student: {model: {depth: 1e9}}", "student: {model: {width: 1e9}}"})
    EXPECT_THAT(refusal(option), HasSubstr("lies outside")) << option;
  for (const char* option : {"train: 9e14", "pool: 1e8", "frames: 1e9", "size_px: 1e8"})
    EXPECT_THAT(error_of([&] {
                  read_study(
                      Document::text(fmt::format("data: {{synthetic: {{{}}}}}", option), "r.yaml"),
                      "r");
                }),
                HasSubstr("lies outside"))
        << option;
}

TEST(Recipe, WhatIsNoSectionIsRefusedAtItsPlace) {
  EXPECT_THAT(refusal("arms:\n  random: random"),
              HasSubstr("r.yaml:3:11: arms.random must be a section"));
  EXPECT_THAT(refusal("sweep: {rounds: [1, 2]}\narms:\n  random: random"),
              HasSubstr("r.yaml:4:11: arms.random must be a section"));
  for (const char* arms : {"arms: 3", "arms: [a]", "sweep: 3", "sweep: [1]", "data: 3",
                           "strategy: [a]", "strategy: {name: [a]}", "loss: {name: {a: b}}",
                           "student: hello", "input: {sampling: [1]}"})
    EXPECT_THAT(refusal(arms), HasSubstr("r.yaml:")) << arms;
}

TEST(Recipe, AMethodsOptionsMayBeLaidOverItsBareName) {
  const auto all =
      study_of("loss: kd\narms: {a: {strategy: random, loss: {tau: 2}}, b: {strategy: random}}");
  EXPECT_EQ(arm(all, "a").options.loss.name, "kd");
  EXPECT_THAT(arm(all, "a").resolved, HasSubstr("tau: 2"));
}

}  // namespace
}  // namespace distal
