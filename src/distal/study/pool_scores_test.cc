// What strategies are shown, on small generated videos; and recipes whose strategy cannot be shown
// what it needs.

#include "distal/study/pool_scores.h"

#include "distal/base/npy.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/learn/network_trainer.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/study/reasons.h"
#include "distal/study/recipe_checks.h"
#include "distal/study/round.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PoolScoresTest : public ::testing::Test {
 protected:
  PoolScoresTest() {
    clips_ = small_clips(folder_, 12);
    input_.size_px = 32;
    input_.sampling.frames = 4;
    read_options(arm_.loss, "{name: black_box}", "test");
    student("freeze: [backbone], dropout: 0.5");
    for (int i = 0; i < 6; ++i)
      known_.samples.push_back(
          {clips_[i], i % 2 == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1}});
    open_.assign(clips_.begin() + 6, clips_.end());
    dataset_.classes.names = {"left", "right"};
    dataset_.lists_id = "lists";
    dataset_.reader = std::make_unique<ClipReader>(input_, CacheOptions{folder_ / "cache", 1});
    dataset_.pool = clips_;
    read_options(teacher_, "{kind: model, path: m}", "test");
  }

  void student(const std::string& model) {
    arm_.student = {};
    read_options(arm_.student,
                 "{model: {name: resnet3d, depth: 10, width: 4, " + model +
                     "}, training: {steps: 6, batch_size: 4}}",
                 "test");
  }

  ScoredPool score(const std::string& strategy) {
    read_options(arm_.strategy, strategy.starts_with('{') ? strategy : "{name: " + strategy + "}",
                 "test");
    NetworkTrainer trainer(
        *dataset_.reader, dataset_.classes, [&] { return clips_; }, folder_ / "unfinished",
        progress_);
    trainer.embed([&] { return clips_; }, folder_.path());
    Ledger oracle(teacher_, answers_at_once(std::make_unique<BrightTeacher>()), dataset_.asked(),
                  store_, progress_);
    Student student{nullptr, teacher_file_.empty() ? nullptr : load_model(teacher_file_).net,
                    "test"};
    if (arm_.scores_pool())
      student.net = trainer.train(arm_.student, arm_.loss, known_.samples,
                                  Random(1).stream("student"), "student", student.teacher);
    return score_pool(trainer, oracle, arm_, dataset_.classes.size(), student, known_,
                      refs_of(open_), Random(1));
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_, open_;
  InputOptions input_;
  ArmOptions arm_;
  std::string teacher_file_;  // of the network that students have at hand; empty: none
  LabeledSet known_;
  Dataset dataset_;
  OracleOptions teacher_;
  Store store_{"sqlite:" + (folder_ / "store.db")};
  ConsoleProgress progress_{ConsoleProgress::Mode::quiet};
};

std::vector<int64_t> sizes(const torch::Tensor& tensor) { return tensor.sizes().vec(); }

TEST_F(PoolScoresTest, StrategiesAreShownWhatTheyNeedAndNoMore) {
  const auto margin = score("margin").scores;
  EXPECT_EQ(sizes(margin.logits), (std::vector<int64_t>{6, 2}));
  EXPECT_FALSE(margin.passes.defined() || margin.teacher.defined() ||
               margin.head_weight.defined() || margin.labelled_logits.defined());
  EXPECT_EQ(margin.labelled_embeddings.size(0), 0);
  EXPECT_TRUE(margin.video.empty() && !margin.duration_s.defined() && !margin.start_s.defined())
      << "no limit looks at them";
  EXPECT_EQ(score("random").clips.size(), 6u);
}

TEST_F(PoolScoresTest, LimitsLookAtVideosAndTimes) {
  arm_.selection.unit = "seconds";
  arm_.selection.gap_s = 0.1;
  const auto scores = score("margin").scores;
  EXPECT_EQ(scores.video.at(2), open_[2].video);
  EXPECT_EQ(scores.duration_s[2].item<double>(), open_[2].duration_s());
  EXPECT_EQ(scores.start_s[2].item<double>(), open_[2].start_s);
  arm_.selection = {};
  arm_.selection.ask = "video";
  EXPECT_EQ(score("margin").scores.video.size(), 6u);
}

TEST_F(PoolScoresTest, TheHeadsWeightMakesTheLogits) {
  const auto scores = score("boundary").scores;
  const auto bias = scores.logits - scores.embeddings.mm(scores.head_weight.t());
  EXPECT_LT((bias - bias[0]).abs().max().item<double>(), 1e-4);
}

TEST_F(PoolScoresTest, LabelledClipsComeWithTheirTargets) {
  const auto scores = score("learning_loss").scores;
  EXPECT_EQ(sizes(scores.labelled_logits), (std::vector<int64_t>{6, 2}));
  EXPECT_EQ(scores.labelled_embeddings.size(0), 6);
  EXPECT_TRUE(scores.labelled_targets.argmax(1).equal(torch::tensor({0, 1, 0, 1, 0, 1})));
}

TEST_F(PoolScoresTest, PassesWithDropoutDifferAndComeAgain) {
  for (const char* model : {"freeze: [backbone], dropout: 0.5", "dropout: 0.5"}) {
    student(model);
    const auto scores = score("bald").scores;
    const auto again = score("bald").scores;
    EXPECT_EQ(sizes(scores.passes), (std::vector<int64_t>{10, 6, 2}));
    EXPECT_FALSE(scores.passes[0].equal(scores.passes[1]));
    EXPECT_TRUE(scores.passes.equal(again.passes));
    EXPECT_TRUE(scores.logits.equal(again.logits)) << "training mode is left again";
  }
}

TEST_F(PoolScoresTest, AugmentedLooksDifferAndComeAgain) {
  const auto scores = score("{name: consistency, passes: 3}").scores;
  const auto again = score("{name: consistency, passes: 3}").scores;
  EXPECT_EQ(sizes(scores.passes), (std::vector<int64_t>{3, 6, 2}));
  EXPECT_FALSE(scores.passes[0].equal(scores.passes[1]));
  EXPECT_TRUE(scores.passes.equal(again.passes));
}

TEST_F(PoolScoresTest, TheStudentIsTheFirstMember) {
  const auto scores = score("{name: ensemble, members: 3}").scores;
  const auto again = score("{name: committee, members: 3}").scores;
  EXPECT_EQ(sizes(scores.passes), (std::vector<int64_t>{3, 6, 2}));
  EXPECT_TRUE(scores.passes[0].equal(scores.logits));
  EXPECT_FALSE(scores.passes[1].equal(scores.passes[0]));
  EXPECT_FALSE(scores.passes[1].equal(scores.passes[2]));
  EXPECT_TRUE(scores.passes.equal(again.passes));
}

TEST_F(PoolScoresTest, MembersLearnWithTheTeachersNetworkAtHandAsTheStudentDoes) {
  student("dropout: 0");
  teacher_file_ = folder_ / "teacher.safetensors";
  read_options(arm_.loss, "{name: rkd}", "test");
  save_model(teacher_file_, *arm_.student.model.build(2, Random(7)),
             side_json(arm_.student.model, dataset_.classes.names, resolved(input_)));
  for (Sample& sample : known_.samples) sample.teacher = {0.4f, 0.6f};
  const auto scores = score("{name: ensemble, members: 2}").scores;
  EXPECT_FALSE(scores.passes[1].equal(scores.passes[0]));
}

TEST_F(PoolScoresTest, AFreeTeacherAnswersAboutAllOfThePool) {
  const auto scores = score("disagreement").scores;
  EXPECT_EQ(sizes(scores.teacher), (std::vector<int64_t>{6, 2}));
  EXPECT_LT((scores.teacher.sum(1) - 1).abs().max().item<double>(), 1e-6);
}

TEST_F(PoolScoresTest, TheTeachersErrorIsCountedWhereTheTruthIsKnownToo) {
  EXPECT_EQ(score("rad").scores.teacher_error, -1);
  for (int i = 0; i < 4; ++i) known_.samples[i].teacher = {0.4f, 0.6f};  // right about 1 and 3
  EXPECT_EQ(score("rad").scores.teacher_error, 0.5);
}

TEST_F(PoolScoresTest, ClipsThatCannotBeReadAreLeftOut) {
  const std::string broken = folder_.write("broken.mp4", "this is no video");
  clips_.push_back({broken, "none", 0, 1, "none", 0});
  open_.insert(open_.begin() + 2, clips_.back());
  for (const char* strategy :
       {"{name: consistency, passes: 2}", "{name: ensemble, members: 2}", "disagreement"}) {
    arm_.selection.per_video = 2;
    const auto pool = score(strategy);
    EXPECT_EQ(pool.clips.size(), 6u);
    EXPECT_EQ(pool.scores.size(), 6);
    EXPECT_EQ(pool.scores.video.at(2), open_[3].video);
  }
}

// Row i of `width` numbers begins with 10 i.
void write_features(const TemporaryFolder& folder, const std::vector<Clip>& clips, int64_t width) {
  torch::Tensor array = torch::randn({std::ssize(clips), width});
  std::string list = "path\n";
  for (size_t i = 0; i < clips.size(); ++i) {
    array[static_cast<int64_t>(i)][0] = 10.0 * static_cast<double>(i);
    list += clips[i].video.str() + "\n";
  }
  write_npy(folder / "f.npy", array);
  folder.write("f.csv", list);
}

TEST_F(PoolScoresTest, EmbeddingsFromFilesReplaceTheStudentsWhereTheStrategyTakesThem) {
  const auto own = score("cluster_margin").scores;
  write_features(folder_, clips_, 5);
  arm_.embeddings = EmbeddingOptions{{}, {folder_ / "f.npy", folder_ / "f.csv"}};
  const auto scores = score("cluster_margin").scores;
  EXPECT_TRUE(scores.logits.equal(own.logits)) << "the student's";
  EXPECT_EQ(sizes(scores.embeddings), (std::vector<int64_t>{6, 5}));
  EXPECT_TRUE(
      scores.embeddings.select(1, 0).equal(torch::tensor({60.f, 70.f, 80.f, 90.f, 100.f, 110.f})));
  EXPECT_TRUE(scores.labelled_embeddings.select(1, 0).equal(
      torch::tensor({0.f, 10.f, 20.f, 30.f, 40.f, 50.f})));
  for (const char* strategy : {"badge", "boundary", "learning_loss"})
    EXPECT_EQ(score(strategy).scores.embeddings.size(1), own.embeddings.size(1))
        << strategy << " looks into the student";
}

TEST_F(PoolScoresTest, AStrategyThatSeesEmbeddingsFromElsewhereAloneNeedsNoStudent) {
  write_features(folder_, clips_, 5);
  arm_.embeddings = EmbeddingOptions{{}, {folder_ / "f.npy", folder_ / "f.csv"}};
  for (const char* strategy : {"k_center", "typiclust", "facility_location",
                               "{name: prob_cover, "
                               "delta: 0.5}"}) {
    const auto before = dataset_.reader->counts();
    const auto pool = score(strategy);
    EXPECT_FALSE(arm_.scores_pool()) << strategy;
    EXPECT_EQ(pool.scores.embeddings[2][0].item<float>(), 80);
    EXPECT_EQ(pool.scores.labelled_embeddings.size(0), 6);
    EXPECT_EQ(dataset_.reader->counts().misses, before.misses) << "nothing is decoded";
  }
  score("{name: prob_cover, delta: 0}");  // which sets its radius by logits
  EXPECT_TRUE(arm_.scores_pool());
  arm_.selection.class_balance = true;
  score("k_center");
  EXPECT_TRUE(arm_.scores_pool()) << "limits by predicted classes";
}

TEST_F(PoolScoresTest, NearestAnsweredClipsAreThoseInTheEmbeddingsThatTheStrategySaw) {
  write_features(folder_, clips_, 2);
  arm_.embeddings = EmbeddingOptions{{}, {folder_ / "f.npy", folder_ / "f.csv"}};
  const ScoredPool pool = score("k_center");
  NetworkTrainer trainer(
      *dataset_.reader, dataset_.classes, [&] { return clips_; }, folder_ / "unfinished",
      progress_);
  trainer.embed([&] { return clips_; }, folder_.path());
  auto why = asked_in_order(1, "pool", 1, "k_center");
  const Student nobody;
  add_reasons(why, trainer, {arm_, pool, nobody, known_}, torch::tensor({3}), Random(1));
  EXPECT_TRUE(why[0].guess.empty()) << "no student has looked";
  ASSERT_FALSE(why[0].neighbours.empty());
  EXPECT_EQ(why[0].neighbours[0].clip.key(), clips_[5].key()) << "row 5 is nearest to row 9";
  EXPECT_NEAR(why[0].neighbours[0].distance, 40, 1);
}

TEST(Embeddings, AreRefusedWhereTheyHaveNoSourceOrNoEffect) {
  EXPECT_EQ(refusal("strategy: k_center\nembeddings: {features: f.npy, list: f.csv}"), "");
  EXPECT_EQ(refusal("strategy: random\nstart_draw: typiclust\nembeddings: {features: f.npy, list: "
                    "f.csv}"),
            "");
  EXPECT_THAT(refusal("strategy: k_center\nembeddings: {features: f.npy}"),
              HasSubstr("embeddings.list is missing"));
  EXPECT_THAT(refusal("strategy: k_center\nembeddings: {}"), HasSubstr("names no source"));
  EXPECT_THAT(refusal("strategy: k_center\nembeddings: {features: f.npy, list: f.csv, network: "
                      "{file: n.onnx}}"),
              HasSubstr("leave one of them out"));
  EXPECT_THAT(refusal("strategy: badge\nembeddings: {features: f.npy, list: f.csv}"),
              AllOf(HasSubstr("embeddings has no effect"), HasSubstr("k_center_cosine")));
  EXPECT_EQ(refusal("embeddings: {features: f.npy, list: f.csv}\narms: {a: {strategy: badge}, b: "
                    "{strategy: k_center}, c: {strategy: k_center, embeddings: null}}"),
            "")
      << "an arm takes them";
}

TEST(Embeddings, DecideResultsByTheirContentWhereTheyAreUsed) {
  const TemporaryFolder folder;
  const auto clips = std::vector<Clip>{{"a.mp4", "a"}, {"b.mp4", "b"}};
  const auto decisive = [&](const std::string& strategy) {
    const Study study = study_of(fmt::format(
        "arms: {{a: {{strategy: {}}}, b: {{strategy: k_center}}}}\nembeddings: {{features: "
        "{}/f.npy, list: {}/f.csv}}",
        strategy, folder.path(), folder.path()));
    return decisive_options(study.shared, study.arms.front().options);
  };
  write_features(folder, clips, 4);
  const std::string random = decisive("random");
  const std::string k_center = decisive("k_center");
  EXPECT_THAT(random, Not(HasSubstr("f.npy")));
  write_features(folder, clips, 5);
  EXPECT_EQ(decisive("random"), random) << "a random choice depends on no embeddings";
  EXPECT_NE(decisive("k_center"), k_center);
}

TEST(StudentOfFeatures, IsRefusedWhereItCannotLearn) {
  const std::string features = "name: features, features: f.npy, list: f.csv";
  const auto with = [&](const std::string& model, const std::string& more = "") {
    return refusal("strategy: margin\nstudent: {model: {" + model + "}}\n" + more);
  };
  EXPECT_EQ(with(features), "");
  EXPECT_EQ(with(features + ", head: mlp, hidden: 16"), "");
  EXPECT_EQ(with(features + ", head: probe"), "");
  EXPECT_THAT(with("name: features, list: f.csv"), HasSubstr("student.model.features is missing"));
  EXPECT_THAT(with("name: features, features: f.npy"), HasSubstr("student.model.list is missing"));
  EXPECT_THAT(refusal("strategy: consistency\nstudent: {model: {" + features + "}}"),
              HasSubstr("reads no frames"));
  EXPECT_THAT(refusal("student: {model: {" + features + "}, pretext: {}}"),
              HasSubstr("student.pretext trains a backbone"));
  EXPECT_THAT(refusal("student: {model: {" + features + "}, augment: {family: spatial}}"),
              HasSubstr("no effect on a frozen backbone"));
  EXPECT_THAT(
      with(features, "oracle: teacher\nteacher: {train: {csv: t.csv}, model: {" + features + "}}"),
      HasSubstr("answers about no frames"));
}

TEST(UnmetNeeds, AreRefusedWhenTheRecipeIsRead) {
  EXPECT_THAT(refusal("strategy: bald"), AllOf(HasSubstr("r.yaml"), HasSubstr("arm bald"),
                                               HasSubstr("set student.model.dropout")));
  EXPECT_EQ(refusal("strategy: bald\nstudent: {model: {dropout: 0.5}}"), "");
  EXPECT_EQ(refusal("strategy: bald\nstudent: {model: {name: tsn}}"), "");
  EXPECT_THAT(refusal("strategy: consistency\nstudent: {augment: {scales: []}}"),
              HasSubstr("set its scales, flip"));
  EXPECT_THAT(refusal("strategy: consistency\nstudent: {augment: {scales: [], flip: 0.5, "
                      "flip_labels: ['a:b']}}"),
              HasSubstr("set its scales, flip"));
  EXPECT_EQ(refusal("strategy: consistency"), "");
  EXPECT_THAT(refusal("strategy: committee\nstudent: {probe: true, model: {freeze: [backbone]}}"),
              HasSubstr("set probe: false"));
  EXPECT_THAT(refusal("strategy: disagreement"), HasSubstr("not truth with price 0"));
  EXPECT_THAT(
      refusal("strategy: disagreement\noracle: {kind: model, path: m.safetensors, price: 2}"),
      HasSubstr("not model with price 2"));
  EXPECT_THAT(refusal("strategy: disagreement\noracle: {kind: http, url: 'http://h/v2/models/m'}"),
              HasSubstr("must cost nothing and be at hand"));
  EXPECT_EQ(refusal("strategy: disagreement\noracle: {kind: model, path: m.safetensors}"), "");
  EXPECT_THAT(refusal("strategy: rad\noracle: {kind: model, path: m.safetensors}"),
              HasSubstr("set ask_start: true"));
  EXPECT_EQ(refusal("strategy: rad\nask_start: true\noracle: {kind: model, path: m.safetensors}"),
            "");
  EXPECT_EQ(
      refusal("strategy: {name: rad, error: 0.1}\noracle: {kind: model, path: m.safetensors}"), "");
  EXPECT_EQ(refusal("strategy: bald\nrounds: 0\nstart: 8"), "") << "nothing is selected";
}

TEST(UnmetNeeds, ATeachersErrorsAreNotCountedOnWhatItLearned) {
  const TemporaryFolder folder;
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  const auto opening = [&](const std::string& strategy) {
    const Study study =
        generated_study(folder,
                        "oracle: {kind: teacher}\nteacher: {train: {csv: train.csv}}\nask_start: "
                        "true\nstart: 4\nrounds: 1\nbudget: 1\n"
                        "strategy: " +
                            strategy,
                        ", start: {csv: train.csv}");
    return error_of([&] { open_dataset(study, quiet); });
  };
  EXPECT_THAT(opening("rad"),
              AllOf(HasSubstr("arm rad: strategy rad counts the teacher's errors on data.start"),
                    HasSubstr("set strategy.error")));
  EXPECT_EQ(opening("{name: rad, error: 0.1}"), "");
}

TEST(UnmetNeeds, ContradictionsOfTheLimitsAreRefusedToo) {
  EXPECT_THAT(refusal("strategy: k_center\nselection: {fill: knapsack, unit: seconds}"),
              HasSubstr("chooses sets"));
  EXPECT_THAT(refusal("strategy: entropy\nselection: {fill: knapsack}"),
              HasSubstr("set unit: seconds"));
  EXPECT_THAT(refusal("strategy: entropy\nselection: {ask: video, gap_s: 2}"),
              HasSubstr("gap_s = 2 cannot hold"));
  EXPECT_EQ(refusal("strategy: entropy\nselection: {fill: knapsack, unit: seconds}"), "")
      << "the random arm that is added fills by rank";
}

TEST(DropoutOf, IsTheBackbonesOption) {
  Learner learner;
  read_options(learner, "{model: {name: tsn, dropout: 0.25}}", "test");
  EXPECT_EQ(dropout_of(learner.model), 0.25);
  read_options(learner, "{model: {name: resnet3d}}", "test");
  EXPECT_EQ(dropout_of(learner.model), 0);
}

}  // namespace
}  // namespace distal
