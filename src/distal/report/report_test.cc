#include "distal/report/report.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/report/html.h"
#include "distal/report/tensorboard.h"
#include "distal/report/text.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Metrics sample_metrics(double accuracy, int64_t classes, Random& random) {
  Metrics m;
  m.confusion.assign(static_cast<size_t>(classes),
                     std::vector<int64_t>(static_cast<size_t>(classes), 0));
  m.calibration.resize(15);
  int64_t hits = 0;
  for (int64_t clip = 0; clip < 240; ++clip) {
    const int64_t truth = clip % classes;
    const bool right =
        random.uniform() < accuracy + 0.25 * (static_cast<double>(truth % 4) / 3 - 0.5);
    const int64_t said = right                    ? truth
                         : random.uniform() < 0.5 ? (truth + 1) % classes
                                                  : random.below(classes);
    m.confusion[static_cast<size_t>(truth)][static_cast<size_t>(said)] += 1;
    const double confidence = std::min(0.999, 0.3 + 0.65 * random.uniform() + (right ? 0.12 : 0));
    auto& bin = m.calibration[static_cast<size_t>(confidence * 15)];
    const auto n = static_cast<double>(bin.clips++);
    bin.confidence = (bin.confidence * n + confidence) / (n + 1);
    bin.accuracy = (bin.accuracy * n + (truth == said ? 1 : 0)) / (n + 1);
    hits += truth == said;
    m.correct.push_back(truth == said);
  }
  m.accuracy = static_cast<double>(hits) / 240;
  m.video_accuracy = std::min(1.0, m.accuracy + 0.03);
  m.mean_class_accuracy = m.accuracy - 0.01;
  m.nll = 1.6 * (1 - m.accuracy) + 0.2;
  m.ece = 0.08 * random.uniform() + 0.03;
  for (int64_t i = 0; i < 12; ++i) {
    Clip clip;
    clip.video = "videos/" + std::to_string(i * 7 % 31) + "/clip_<" + std::to_string(i) + ">.mp4";
    clip.start_s = 2.0 * static_cast<double>(i);
    clip.end_s = clip.start_s + 8;
    clip.label = i % classes;
    m.worst.push_back({clip, (i + 1) % classes, 0.004 * static_cast<double>(i + 1)});
  }
  return m;
}

RoundResult sample_round(int64_t r, double lift, int64_t classes, Random& random) {
  RoundResult round;
  round.round = r;
  round.answers = 16 + 24 * r;
  round.watched_s = static_cast<double>(round.answers) * (7.5 + random.uniform());
  round.price = static_cast<double>(round.answers) * 0.02;
  round.score_s = 12 + 3 * random.uniform();
  round.select_s = 0.4 + lift;
  round.ask_s = 4;
  round.train_s = 70 + 30 * static_cast<double>(r);
  round.evaluate_s = 6;
  round.answer_accuracy = 0.9;
  const double rise = 1 - std::exp(-0.55 * static_cast<double>(r));
  round.metrics =
      sample_metrics(0.34 + (0.4 + lift) * rise + 0.012 * random.normal(), classes, random);
  return round;
}

struct Sample {
  size_t arms = 5;
  int64_t seeds = 5;
  int64_t rounds = 5;
  int64_t classes = 8;
};

/// Results as an experiment would give them: accuracy rises with the budget, arms differ by a known
/// amount.
Results sample(const Sample& size = {}) {
  static const std::vector<std::string> kArms = {"random", "badge", "active_mixup", "entropy",
                                                 "typiclust"};
  static const std::vector<std::string> kClasses = {"backswing", "brushing teeth", "climbing",
                                                    "drumming",  "fencing",        "juggling",
                                                    "rowing",    "walking"};
  const double lifts[] = {0, 0.09, 0.065, 0.01, -0.05};
  Results results;
  results.question = "Which strategy buys the most accuracy per answer?";
  results.name = "strategies";
  for (int64_t k = 0; k < size.classes; ++k)
    results.classes.push_back(k < 8 ? kClasses[static_cast<size_t>(k)]
                                    : "class number " + std::to_string(k));
  for (size_t a = 0; a < size.arms; ++a) {
    for (int64_t seed = 0; seed < size.seeds; ++seed) {
      Random random = Random(7).stream("sample", a * 1000 + static_cast<uint64_t>(seed));
      Trial trial{a < kArms.size() ? kArms[a] : "arm " + std::to_string(a), seed, a == 0, {}};
      for (int64_t r = 0; r < size.rounds; ++r)
        trial.rounds.push_back(sample_round(r, lifts[a % 5], size.classes, random));
      results.trials.push_back(trial);
    }
  }
  results.quarantined = {
      {"videos/broken_014.mp4", "no frame could be decoded: moov atom not found"},
      {"videos/empty.avi", "the file is empty"}};
  results.unlabelled_segments = 37;
  results.pool_clips = 1840;
  results.start_clips = 160;
  results.test_clips = 240;
  for (int64_t i = 0; i < 240; ++i) results.test_groups.push_back("video " + std::to_string(i / 4));
  results.teacher = "btsnet, trained on 400 labelled clips";
  results.teacher_accuracy = 0.883;
  results.recipe = "name: strategies\nstudent: {name: eco_lite}\nrounds: 5\n";
  results.revision = "832b081";
  results.machine = "AMD EPYC, 2 threads";
  results.command = "distal run recipes/strategies.yaml --store sqlite:distal.db";
  results.date = "2025-01-31";
  results.notes = {"2 videos could not be read."};
  return results;
}

/// A sweep of strategies x 6 pools x 3 numbers of rounds x 3 numbers of answers. A larger pool and
/// more rounds help a strategy, and nothing helps random choice.
Results sample_sweep(const std::vector<std::string>& strategies, int64_t seeds) {
  Results results = sample({0, 0, 0, 8});
  results.question = "How large a pool, and how many rounds?";
  for (const int64_t pool : {60, 120, 240, 480, 960, 1840}) {
    for (const int64_t rounds : {1, 3, 6}) {
      for (const int64_t answers : {48, 96, 192}) {
        for (size_t s = 0; s < strategies.size(); ++s) {
          const std::string point =
              fmt::format(", pool {}, rounds {}, answers {}", pool, rounds, answers);
          const double lift = s == 0 ? 0
                                     : 0.02 * static_cast<double>(s) *
                                           std::log2(static_cast<double>(pool * rounds) / 60.0);
          for (int64_t seed = 0; seed < seeds; ++seed) {
            Random random = Random(9).stream("sweep", results.trials.size());
            Trial trial{strategies[s] + point, seed, s == 0, {}};
            trial.against = s == 0 ? "" : strategies[0] + point;
            for (int64_t r = 0; r <= rounds; ++r) {
              trial.rounds.push_back(sample_round(r, lift / 4, 8, random));
              trial.rounds.back().answers = 16 + answers * r / rounds;
              const double rise =
                  0.3 * std::log2(static_cast<double>(trial.rounds.back().answers) / 16.0) / 3.7;
              trial.rounds.back().metrics = sample_metrics(
                  0.34 + rise + lift * static_cast<double>(r) / static_cast<double>(rounds) +
                      0.01 * random.normal(),
                  8, random);
            }
            results.trials.push_back(trial);
          }
        }
      }
    }
  }
  return results;
}

/// The first fault of the tags: one left open, closed twice, or crossed; empty where every tag has
/// its partner.
std::string unbalanced(const std::string& html) {
  static const std::set<std::string> kVoid = {"meta", "img", "br", "link", "hr", "!doctype"};
  std::vector<std::string> open;
  for (size_t at = 0; (at = html.find('<', at)) != std::string::npos;) {
    const size_t end = html.find('>', at);
    if (end == std::string::npos) return "a tag without an end";
    const bool closing = html[at + 1] == '/';
    const size_t from = at + 1 + closing;
    const std::string name = html.substr(from, html.find_first_of(" \n>/", from) - from);
    const std::string tag = html.substr(at, end - at);
    if (std::count(tag.begin(), tag.end(), '"') % 2) return "an attribute left open in " + tag;
    at = end + 1;
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!kVoid.contains(name) && html[end - 1] != '/') {
      open.push_back(name);
      if (name == "style" || name == "script") at = html.find("</" + name, at);
    }
  }
  return open.empty() ? "" : open.back() + " is never closed";
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Report, HasEverySection) {
  const std::string html = report_html(sample(), nullptr);
  for (const char* id :
       {"curves", "final", "budget", "classes", "calibration", "cost", "worst", "data", "recipe"}) {
    EXPECT_THAT(html, HasSubstr(fmt::format("<section id=\"{}\"", id)));
    EXPECT_THAT(html, HasSubstr(fmt::format("href=\"#{}\"", id)));
  }
  for (const char* text : {"<h1>Which strategy buys", "drumming", "moov atom not found",
                           "btsnet, trained", "88.3\u00A0%", "1,840 clips", "37 segments",
                           "240 clips of 60 groups (source videos or patients), never used",
                           "832b081", "AMD EPYC", "2025-01-31", "sqlite:distal.db",
                           "2 videos could not be read.", "student: {name: eco_lite}"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
}

TEST(Report, IsWellFormedForOrdinaryAndOddResults) {
  EXPECT_EQ(unbalanced(report_html(sample(), nullptr)), "");
  for (const Sample& size :
       {Sample{1, 1, 1, 2}, Sample{1, 1, 0, 3}, Sample{0, 0, 0, 0}, Sample{2, 1, 1, 2},
        Sample{3, 2, 1, 8}, Sample{2, 2, 3, 40}, Sample{20, 2, 2, 3}}) {
    EXPECT_EQ(unbalanced(report_html(sample(size), nullptr)), "")
        << size.arms << " arms, " << size.seeds << " seeds, " << size.rounds << " rounds";
  }
  EXPECT_EQ(unbalanced(report_html({}, nullptr)), "");
}

TEST(Report, NeedsNoNetwork) {
  const std::string html = report_html(sample(), nullptr);
  for (const char* word : {"http://", "https://", "src=\"/", "@import", "<link", "url("})
    EXPECT_THAT(html, Not(HasSubstr(word)));
}

TEST(Report, EscapesEveryTextThatComesFromOutside) {
  Results results = sample();
  const std::string evil = "<script>alert('&\"')</script>";
  for (auto* text : {&results.question, &results.name, &results.teacher, &results.recipe,
                     &results.revision, &results.machine, &results.command, &results.date})
    *text = evil;
  results.classes[0] = evil;
  results.notes = {evil};
  results.quarantined = {{evil, evil}};
  for (auto& trial : results.trials) {
    if (trial.arm == "badge") trial.arm = evil;
    for (auto& round : trial.rounds) round.metrics.worst.at(0).clip.video = evil;
  }
  AskedClip asked;
  asked.clip.video = evil;
  asked.answer = 0;
  asked.by = evil;
  results.trials[0].asked = {{0, 2, {asked}}};
  results.people = {{evil, 2}};
  const auto thumbnail = [&](const Clip&) { return Thumbnail{evil, "x"}; };
  const std::string html = report_html(results, thumbnail);
  EXPECT_EQ(count(html, "<script>"), 1U);  // the page's own
  EXPECT_THAT(html, Not(HasSubstr("alert('")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"));
  EXPECT_EQ(unbalanced(html), "");
}

TEST(Report, LeavesOutWhatIsNotANumber) {
  Results results = sample();
  for (auto& trial : results.trials) {
    auto& round = trial.rounds.at(static_cast<size_t>(trial.seed));
    round.watched_s = round.price = round.train_s = kNan;
    round.metrics.accuracy = round.metrics.ece = round.metrics.nll = kNan;
    for (auto& bin : round.metrics.calibration) bin.accuracy = kNan;
    round.metrics.worst.at(0).probability_of_truth = kNan;
  }
  results.teacher_accuracy = kNan;
  for (const char* unit : {"answers", "seconds", "minutes"}) {
    results.budget_unit = unit;
    const std::string html = report_html(results, nullptr);
    EXPECT_THAT(html, Not(HasSubstr("nan")));
    EXPECT_THAT(html, Not(HasSubstr("inf ")));
    EXPECT_EQ(unbalanced(html), "");
  }
  for (auto& trial : results.trials) {
    for (auto& round : trial.rounds) round.metrics.accuracy = kNan;
  }
  EXPECT_EQ(unbalanced(report_html(results, nullptr)), "");
}

TEST(Report, AMissingTeacherIsSaidAndNotShown) {
  Results results = sample();
  results.teacher.clear();
  results.teacher_accuracy = -1;
  const std::string html = report_html(results, nullptr);
  EXPECT_THAT(html, HasSubstr("<dt>Teacher</dt><dd>none</dd>"));
  EXPECT_THAT(html, Not(HasSubstr("−100")));
}

TEST(Report, OneRoundGivesDotsAndNoCurve) {
  const std::string html = report_html(sample({3, 4, 1, 8}), nullptr);
  EXPECT_THAT(html, Not(HasSubstr("id=\"curves\"")));
  EXPECT_THAT(html, Not(HasSubstr("id=\"budget\"")));
  EXPECT_THAT(html, HasSubstr("Paired differences of final accuracy against random"));
}

/// 240 clips of 60 videos, clips in a row of different ones. random, badge and active_mixup at 16,
/// 40 and 64 answers; badge is above random by a margin that hardly varies, active_mixup equal to
/// it.
Results known_curves() {
  Results results = sample({3, 4, 3, 8});
  for (size_t clip = 0; clip < 240; ++clip)
    results.test_groups[clip] = "video " + std::to_string(clip % 60);
  for (auto& trial : results.trials) {
    const double jitter = trial.seed % 2 == 0 ? 0.001 : -0.001;
    const std::vector<double> random = {0.4, 0.5, 0.68};
    const std::vector<double> badge = {0.4, 0.6 + jitter, 0.7 + jitter};
    for (size_t r = 0; r < 3; ++r) {
      auto& metrics = trial.rounds[r].metrics;
      metrics.accuracy = (trial.arm == "badge" ? badge : random)[r];
      for (size_t clip = 0; clip < 240; ++clip)
        metrics.correct[clip] = static_cast<double>(clip) < 240 * metrics.accuracy;
    }
  }
  return results;
}

/// Digits and signs as the page sets them: no-break space before the per cent sign.
std::string typeset(std::string text) {
  for (size_t at = 0; (at = text.find(" %", at)) != std::string::npos;)
    text.replace(at, 1, "\u00A0");
  return text;
}

TEST(Report, TestsAreasAgainstTheControlAndSplitsThemInThirds) {
  const std::string html = report_html(known_curves(), nullptr);
  // (0.4 + 2 * 0.5 + 0.68) / 4; the cuts at 32 and 48 answers lie at 0.4667 and 0.56
  EXPECT_THAT(html,
              HasSubstr(typeset("random</th><td>4</td><td>52.0 %<span class=\"ci\">[52.0, "
                                "52.0]</span></td><td>43.3 %</td><td>50.7 %</td><td>62.0 %</td>"
                                "<td>–</td><td>–</td><td>–</td><td>–</td><td>–</td>")));
  EXPECT_THAT(html, HasSubstr("<td>+5.5<span class=\"ci\">[+5.4, +5.6]</span></td><td>&lt; "
                              "0.001</td><td>&lt; 0.001</td><td><span class=\"ci\">[+"));
  EXPECT_THAT(html, HasSubstr("<td><span class=\"better\">better</span></td>"));
  EXPECT_THAT(
      html,
      HasSubstr(
          "<td>0.0<span class=\"ci\">[0.0, 0.0]</span></td><td>1.000</td><td>1.000</td><td><span "
          "class=\"ci\">[0.0, 0.0]</span></td><td>not shown to differ</td>"));
}

TEST(Report, SaysWhatAnArmSavesUpToATarget) {
  const std::string html = report_html(known_curves(), nullptr);
  EXPECT_THAT(html, HasSubstr("at 90 %, against random"));
  EXPECT_THAT(
      html,
      HasSubstr("random</th><td>57</td><td>62</td><td>–</td><td>–</td>"));  // 0.63 and 0.665
                                                                            // between 0.5 and 0.68
  EXPECT_THAT(
      html,
      HasSubstr(typeset(
          "badge</th><td>47</td><td>56</td><td>+18 %</td><td>+10 %</td>")));  // 1 - 47.2 / 57.33, 1
                                                                              // - 55.6 / 62
  EXPECT_THAT(html, HasSubstr("What is worth its cost"));
}

TEST(Report, OutcomesThatArmsShareStandInOneRow) {
  Results results = known_curves();
  const std::string shared = "random, <svg class=\"key s0\"";
  const std::string row = "</th><td>0</td>" + typeset("<td>40.0 %</td><td>16</td>");
  EXPECT_THAT(report_html(results, nullptr),
              Not(HasSubstr(shared)));  // other students, times and videos
  for (auto& trial : results.trials) {
    const auto of_random =
        std::find_if(results.trials.begin(), results.trials.end(),
                     [&](const Trial& c) { return c.arm == "random" && c.seed == trial.seed; });
    trial.rounds[0] = RoundResult(of_random->rounds[0]);
  }
  const std::string html = report_html(results, nullptr);
  EXPECT_THAT(html, HasSubstr(shared));
  EXPECT_EQ(count(html, row), 1U);
}

TEST(Report, SaysInTheRowWhomAnArmBeats) {
  const std::string html = report_html(known_curves(), nullptr);
  EXPECT_THAT(html, HasSubstr(typeset("random</th><td></td><td>0 %</td><td>0 %</td><td>0 %</td>")));
  EXPECT_THAT(
      html,
      HasSubstr(typeset(
          "badge</th><td>67 %</td><td></td><td>67 %</td><td>67 %</td>")));  // two of three rounds
  EXPECT_THAT(
      html,
      HasSubstr(typeset("is behind, mean</th><td>33 %</td><td>0 %</td><td>33 %</td><td></td>")));
  const std::string title = "Who is ahead of whom";
  EXPECT_THAT(html, HasSubstr(title));
  EXPECT_THAT(report_html(sample({2, 4, 3, 8}), nullptr),
              Not(HasSubstr(title)));  // two arms: the tests above say it
  EXPECT_THAT(report_html(sample({3, 1, 3, 8}), nullptr), Not(HasSubstr(title)));  // one seed
  EXPECT_THAT(report_html(sample({3, 4, 1, 8}), nullptr), Not(HasSubstr(title)));  // one round
}

TEST(Report, EveryChartIsLabelledForReadersWhoCannotSeeIt) {
  const std::string html = report_html(sample(), nullptr);
  EXPECT_EQ(count(html, "<svg "),
            count(html, "role=\"img\" aria-label=\"") + count(html, "aria-hidden=\"true\"><"));
  EXPECT_EQ(count(html, "<table class="), count(html, "<caption>"));
  EXPECT_EQ(count(html, "<h1>"), 1U);
  std::set<std::string> ids;
  for (size_t at = 0; (at = html.find(" id=\"", at)) != std::string::npos; ++at) {
    const std::string id = html.substr(at + 5, html.find('"', at + 5) - at - 5);
    EXPECT_TRUE(ids.insert(id).second) << id << " twice";
  }
}

TEST(Report, ShowsThumbnailsAndSurvivesTheirAbsence) {
  int asked = 0;
  const auto thumbnail = [&](const Clip& clip) -> std::optional<Thumbnail> {
    if (++asked == 1) fail("{}: cannot be decoded", clip.video);
    if (asked == 2) return std::nullopt;
    return Thumbnail{"image/png", "abc"};
  };
  const std::string html = report_html(sample(), thumbnail);
  EXPECT_EQ(asked, 12);
  EXPECT_EQ(count(html, "data:image/png;base64,YWJj"), 10U);
  EXPECT_EQ(count(html, "no picture"), 2U);
}

/// Eight clips of each round, answered by ann, the second of them wrong.
void add_asked(Results& results) {
  for (Trial& trial : results.trials) {
    if (trial.seed != 0) continue;
    for (const RoundResult& round : trial.rounds) {
      AskedRound asked{round.round, 24, {}};
      for (int64_t i = 0; i < 8; ++i) {
        AskedClip one;
        one.clip.video = fmt::format("videos/{}_{}_{}.mp4", trial.arm, round.round, i);
        one.clip.end_s = 4;
        one.clip.label = i % 8;
        one.answer = i == 1 ? 0 : i % 8;
        one.by = "ann";
        asked.shown.push_back(one);
      }
      trial.asked.push_back(asked);
    }
  }
}

TEST(Report, ShowsWhatWasAskedRoundByRound) {
  Results results = sample({3, 2, 3, 8});
  EXPECT_THAT(report_html(results, nullptr), Not(HasSubstr("id=\"asked\"")));
  add_asked(results);
  for (Trial& trial : results.trials) {
    if (!trial.asked.empty()) trial.asked[0] = results.trials[0].asked[0];  // they begin alike
  }
  std::set<std::string> decoded;
  const auto thumbnail = [&](const Clip& clip) -> std::optional<Thumbnail> {
    if (clip.video.str().ends_with("_1_3.mp4")) fail("{}: gone", clip.video);
    if (clip.video.str().ends_with("_1_4.mp4"))
      return Thumbnail{"image/jpeg", std::string(100'000, 'x')};
    if (clip.label >= 0 && clip.video.str().starts_with("videos/") && clip.end_s == 4) {
      EXPECT_TRUE(decoded.insert(clip.video.str()).second) << clip.video.str() << " twice";
    }
    return Thumbnail{"image/jpeg", "abc"};
  };
  const std::string html = report_html(results, thumbnail);
  EXPECT_EQ(unbalanced(html), "");
  const std::string part = html.substr(html.find("<section id=\"asked\""));
  const std::string asked = part.substr(0, part.find("</section>"));
  EXPECT_EQ(count(asked, "<details"), 3U);
  EXPECT_EQ(count(asked, "and 16 more"), 7U);  // the start once, two rounds of three arms
  EXPECT_EQ(count(asked, "The first 8 are the same as those of badge."), 2U);
  EXPECT_EQ(count(asked, "no picture"), 6U);  // gone, or too large
  EXPECT_EQ(count(asked, "data:image/jpeg;base64,YWJj"), 50U);
  EXPECT_EQ(count(asked, "by ann"), 56U);
  EXPECT_EQ(count(asked, "hidden label brushing teeth"), 7U);
  EXPECT_THAT(asked, HasSubstr("badge_1_0.mp4, 0–4 s"));
}

TEST(Report, BoundsThePicturesOfWhatWasAsked) {
  Results results = sample({12, 1, 6, 8});
  add_asked(results);
  const std::string html = report_html(results, [](const Clip&) {
    return Thumbnail{"image/jpeg", "abc"};
  });
  const std::string part = html.substr(html.find("<section id=\"asked\""));
  const std::string asked = part.substr(0, part.find("</section>"));
  EXPECT_EQ(count(asked, "<img"), 240U);
  EXPECT_EQ(count(asked, "<li class=\"more\">24 more"), 6U);  // of the sixth arm: none is left
  EXPECT_THAT(asked, HasSubstr("6 more arms asked about clips of their own"));
}

TEST(Report, SaysWhatLimitsTheResultsOnThePageAndInJson) {
  Results results = sample({2, 2, 3, 8});
  const std::string html = report_html(results, nullptr);
  const auto json = nlohmann::json::parse(report_json(results));
  ASSERT_FALSE(json.at("limits").empty());
  EXPECT_EQ(json.at("limits").at(0).at("name"), "seeds");
  EXPECT_EQ(json.at("limits").at(0).at("number"), 2);
  EXPECT_THAT(html, HasSubstr("What limits these results"));
  EXPECT_THAT(html, HasSubstr("2 seeds were run."));
  EXPECT_THAT(html, HasSubstr(escaped(json.at("limits").at(0).at("cure").get<std::string>())));
  EXPECT_LT(html.find("What limits these results"), html.find("<main"));
  EXPECT_EQ(to_json(results_from_json(report_json(results))), to_json(results));
}

TEST(Report, CurvesThatGrowEndAsTheReportWritesThem) {
  const TemporaryFolder folder;
  const Results whole = sample({2, 2, 3, 3});
  Results so_far = whole;
  for (Trial& trial : so_far.trials) trial.rounds.clear();
  CurveFiles files(folder.path());
  for (size_t round = 0; round < 3; ++round) {
    for (size_t trial = 0; trial < whole.trials.size(); ++trial) {
      so_far.trials[trial].rounds.push_back(whole.trials[trial].rounds[round]);
      files.update(so_far);
      EXPECT_EQ(read(folder / "curve.csv"), curve_csv(so_far));
    }
  }
  const std::string events = read(folder / "events.out.tfevents.distal");
  write_report(folder / "whole", whole, nullptr);
  EXPECT_EQ(read(folder / "curve.csv"), read(folder / "whole/curve.csv"));
  EXPECT_EQ(read(folder / "metrics.jsonl"), read(folder / "whole/metrics.jsonl"));
  EXPECT_EQ(events.size(), read(folder / "whole/events.out.tfevents.distal").size());
  CurveFiles(folder.path()).update(whole);  // another process
  EXPECT_EQ(read(folder / "events.out.tfevents.distal"), events);
}

TEST(Report, PageTextAndJsonSayTheSameOfAComparison) {
  Results results = known_curves();
  for (const bool apart : {true, false}) {
    if (!apart) results.test_groups.assign(240, "one");
    const std::string finding = apart ? "better" : "ahead on this test set";
    const std::string html = report_html(results, nullptr);
    const auto json = nlohmann::json::parse(report_json(results));
    const auto& comparison = json.at("comparisons").at(0);
    EXPECT_EQ(comparison.at("arm"), "badge");
    EXPECT_EQ(comparison.at("finding"), finding);
    EXPECT_EQ(comparison.at("over_seeds_and_groups").at("groups"), apart ? 60 : 1);
    const std::string answer = json.at("answer").at(0);
    EXPECT_EQ(answer, comparison.at("sentence").get<std::string>() + ".");
    EXPECT_THAT(summary_text(results), HasSubstr(answer));
    EXPECT_THAT(html, HasSubstr(escaped(typeset(answer))));
    EXPECT_THAT(html, HasSubstr("resampled together"));
    EXPECT_EQ(count(html, "class=\"better\""), apart ? 2U : 0U);  // final accuracy and area
  }
}

TEST(Report, OneTeacherIsSaidInTheAnswerAndUnderTheChart) {
  Results results = known_curves();
  EXPECT_THAT(report_html(results, nullptr), Not(HasSubstr("this one teacher")));
  for (auto& trial : results.trials) trial.taught = true;
  results.start_draw = "16 drawn at random";
  const std::string html = report_html(results, nullptr);
  EXPECT_THAT(html, HasSubstr("badge is better than random with this one teacher"));
  EXPECT_THAT(html, HasSubstr("One teacher taught all seeds"));
  EXPECT_THAT(html, HasSubstr("first answers from; 16 drawn at random"));
}

TEST(Report, SaysBetterOnlyWhereBothTestsDo) {
  const std::string several = report_html(sample({2, 8, 3, 8}), nullptr);
  EXPECT_THAT(several, HasSubstr("class=\"better\""));
  const std::string one = report_html(sample({2, 1, 3, 8}), nullptr);
  EXPECT_THAT(one, Not(HasSubstr("class=\"better\"")));
  EXPECT_THAT(one, HasSubstr("One seed"));
}

TEST(Report, SaysWhatPeopleTookAndWhetherTheySayTheSameAgain) {
  Results results = sample();
  EXPECT_THAT(report_html(results, nullptr), Not(HasSubstr("People's time")));
  results.budget_unit = "minutes";
  for (auto& trial : results.trials) {
    for (auto& round : trial.rounds)
      round.people_minutes = 10 + 7.5 * static_cast<double>(round.round);
  }
  results.people = {{"ann <a>", 120, 33.25, 12, 11, 0.875}, {"bob", 3, 1, 0, 0}};
  const std::string html = report_html(results, nullptr);
  EXPECT_EQ(unbalanced(html), "");
  EXPECT_THAT(html, HasSubstr("<h3>People's time</h3>"));
  EXPECT_THAT(html, HasSubstr("<td>10</td><td>7.5</td>"));
  EXPECT_THAT(html, HasSubstr("ann &lt;a&gt;"));
  EXPECT_THAT(html, HasSubstr("11 of 12"));
  EXPECT_THAT(html, HasSubstr("0.88"));
  EXPECT_THAT(html, HasSubstr("Accuracy against people"));
  EXPECT_THAT(curve_csv(results), HasSubstr(",people_minutes\n"));
}

TEST(Report, TheCurveHasOneRowPerArmSeedAndRound) {
  Results results = sample({3, 2, 4, 3});
  results.trials[0].arm = "a,\"b\"";
  results.trials[0].rounds[0].metrics.nll = kNan;
  const std::string csv = curve_csv(results);
  EXPECT_EQ(count(csv, "\n"), 1U + 3 * 2 * 4);
  const std::string header = csv.substr(0, csv.find('\n'));
  // What stands there stands for good; TheReferenceHasALineForEachColumn says what may follow.
  EXPECT_TRUE(header.starts_with("arm,seed,control,round,answers,seconds,price,accuracy,"
                                 "video_accuracy,mean_class_accuracy,nll,ece,answer_accuracy"));
  EXPECT_TRUE(csv.substr(header.size()).starts_with("\n\"a,\"\"b\"\"\",0,1,0,16,"));
  const std::string last = csv.substr(csv.rfind('\n', csv.size() - 2) + 1);
  EXPECT_EQ(count(last, ","), count(header, ","));
  EXPECT_THAT(csv.substr(0, csv.find('\n', 200)), Not(HasSubstr("nan")));
  EXPECT_EQ(count(metrics_jsonl(results), "\n"), 24U);
  EXPECT_THAT(metrics_jsonl(results), HasSubstr("\"nll\":null"));
}

/// The rows of the tables of a section of run-files.md.
std::vector<std::string> documented(const std::string& heading) {
  const std::string page = read(DISTAL_SOURCE_DIR "/docs/reference/run-files.md");
  const size_t from = page.find("\n### " + heading + "\n");
  EXPECT_NE(from, std::string::npos) << heading;
  std::istringstream section(page.substr(from + 1, page.find("\n### ", from + 1) - from));
  std::vector<std::string> rows;
  for (std::string line; std::getline(section, line);) {
    if (line.starts_with("| `")) rows.push_back(line);
  }
  return rows;
}

std::string documentation(const RoundField& row) {
  const std::string better = row.better == Better::smaller ? "; smaller is better" : "";
  return fmt::format("| `{}` | {} | {}{} |", row.name, row.unit, row.meaning, better);
}

// A line that is missing or differs is shown as it must stand there.
TEST(Report, TheReferenceHasALineForEachColumn) {
  std::vector<std::string> columns, stages, oracles;
  for (const RoundField& row : kRoundFields) {
    if (row.kind == RoundField::Kind::detail) continue;
    auto& rows = row.kind == RoundField::Kind::stage ? stages
                 : row.kind == RoundField::Kind::two ? oracles
                                                     : columns;
    rows.push_back(documentation(row));
  }
  const std::vector<std::string> curve = documented("curve.csv");
  ASSERT_GE(curve.size(), 3U);
  EXPECT_EQ(std::vector(curve.begin() + 3, curve.end()), columns);  // after arm, seed, control
  stages.insert(stages.end(), oracles.begin(), oracles.end());
  EXPECT_EQ(documented("metrics.jsonl"), stages);

  std::vector<std::string> names;
  for (const std::string& line : curve) names.push_back(line.substr(3, line.find('`', 3) - 3));
  EXPECT_EQ(curve_csv({}), fmt::format("{}\n", fmt::join(names, ",")));
}

TEST(Report, ACurveIsTheSameInEveryFile) {
  const Results results = sample({2, 1, 2, 3});
  const std::string csv = curve_csv(results);
  const std::string lines = metrics_jsonl(results);
  const auto first = nlohmann::ordered_json::parse(lines.substr(0, lines.find('\n')));
  std::vector<std::string> names;
  for (const auto& [name, value] : first.items()) {
    if (!name.ends_with("_s")) names.push_back(name);
  }
  EXPECT_EQ(fmt::format("{}", fmt::join(names, ",")), csv.substr(0, csv.find('\n')));
}

TEST(Report, AnUnknownNumberIsAnEmptyFieldAndNull) {
  Results results = sample({1, 1, 1, 2});
  double& answer_accuracy = results.trials[0].rounds[0].answer_accuracy;
  answer_accuracy = 0.1234567;
  std::string expected = curve_csv(results);
  ASSERT_EQ(count(expected, ",0.1234567"), 1U);
  expected.erase(expected.find("0.1234567"), 9);
  answer_accuracy = -1;
  EXPECT_EQ(curve_csv(results), expected);
  EXPECT_THAT(metrics_jsonl(results), HasSubstr("\"answer_accuracy\":null"));
}

Results sample_of_two_oracles() {
  Results results = sample({2, 2, 2, 3});
  results.oracles = {{"first", "model <a>", 0.5, ""}, {"then", "people", 2, "where margin < 0.1"}};
  for (Trial& trial : results.trials) {
    RoundResult& last = trial.rounds.back();
    last.first_answers = 24;
    last.then_answers = static_cast<double>(4 + 2 * trial.seed);
    last.first_price = 12;
    last.then_price = 2 * last.then_answers;
    last.first_share = 0.5;
    last.then_share = 0.25;
    last.first_accuracy = 0.75;
    last.agreement = 0.625;
  }
  return results;
}

TEST(Report, SaysWhatEachOfTwoOraclesCostAndBrought) {
  const std::string html = report_html(sample_of_two_oracles(), nullptr);
  EXPECT_EQ(unbalanced(html), "");
  const size_t at = html.find("<section id=\"oracles\"");
  ASSERT_NE(at, std::string::npos);
  const std::string section = html.substr(at, html.find("</section>", at) - at);
  for (const char* text : {"model &lt;a&gt;; an answer costs 0.5",
                           "people, asked where margin &lt; 0.1; an answer costs 2",
                           "<td>24</td><td>12</td><td>50.0\u00A0%</td><td>75.0\u00A0%</td>",
                           "<td>5</td><td>10</td><td>25.0\u00A0%</td>", "62.5\u00A0%"})
    EXPECT_THAT(section, HasSubstr(text));
  EXPECT_THAT(report_html(sample(), nullptr), Not(HasSubstr("Who answered")));
}

TEST(Report, NumbersOfTwoOraclesStandWhereThereAreTwo) {
  const Results results = sample_of_two_oracles();
  const std::string lines = metrics_jsonl(results);
  EXPECT_EQ(count(lines, "\"then_answers\":4.0"), 2U);
  EXPECT_EQ(count(lines, "\"first_answers\""), 4U) << "of the final rounds";
  EXPECT_EQ(count(lines, "\"then_accuracy\""), 0U) << "nobody knows it";
  EXPECT_THAT(metrics_jsonl(sample()), Not(HasSubstr("first_answers")));
  EXPECT_THAT(curve_csv(results), Not(HasSubstr("first_answers")));

  const Results again = results_from_json(to_json(results));
  EXPECT_EQ(to_json(again), to_json(results));
  ASSERT_EQ(again.oracles.size(), 2U);
  EXPECT_EQ(again.oracles[1].when, "where margin < 0.1");
  EXPECT_EQ(again.trials[0].rounds.back().then_answers, 4);
  EXPECT_TRUE(std::isnan(again.trials[0].rounds.front().then_answers));
}

TEST(Report, ASweepHasItsOwnPage) {
  const std::string html = report_html(sample_sweep({"random", "margin", "badge"}, 2), nullptr);
  EXPECT_EQ(unbalanced(html), "");
  for (const char* id : {"front", "maps", "curves", "arms", "classes", "worst", "recipe"}) {
    EXPECT_THAT(html, HasSubstr(fmt::format("<section id=\"{}\"", id)));
    EXPECT_THAT(html, HasSubstr(fmt::format("href=\"#{}\"", id)));
  }
  for (const char* id : {"final", "budget", "cost"})
    EXPECT_THAT(html, Not(HasSubstr(fmt::format("<section id=\"{}\"", id))));
  EXPECT_THAT(html, HasSubstr("All 162 arms"));
  EXPECT_LT(html.find("<section id=\"front\""), html.find("<section id=\"maps\""));
  EXPECT_EQ(count(html, "sortable\">"), 1U);
  const std::string table = html.substr(html.find("sortable\">"));
  EXPECT_EQ(count(table.substr(0, table.find("</table>")), "<th scope=\"row\">"), 162U);
  EXPECT_EQ(count(html, "<path class=\"behind\""), 3U);  // a panel a strategy
  // Nine panels of accuracy, and six of differences: the control has none.
  EXPECT_EQ(count(html, "pool →"), 15U);
}

TEST(Report, ManyArmsThatAreNoGridAreAsReadable) {
  const std::string html = report_html(sample({40, 2, 3, 4}), nullptr);
  EXPECT_EQ(unbalanced(html), "");
  EXPECT_THAT(html, HasSubstr("All 40 arms"));
  EXPECT_THAT(html, Not(HasSubstr("<section id=\"maps\"")));
  EXPECT_THAT(html, Not(HasSubstr("Who is ahead of whom")));
  EXPECT_EQ(count(report_html(sample({16, 2, 3, 4}), nullptr), "sortable\">"), 0U);
}

TEST(Report, TheTableOfASweepStandsInOrderWithoutAScript) {
  const std::string html = report_html(sample_sweep({"random", "margin"}, 2), nullptr);
  const std::string table = html.substr(html.find("sortable\">"));
  std::vector<double> accuracies;
  for (size_t at = 0; (at = table.find("<tr", at + 1)) != std::string::npos;) {
    std::string row = table.substr(at, table.find("</tr>", at) - at);
    size_t value = 0;
    for (int column = 0; column < 5 && value != std::string::npos; ++column)
      value = row.find("<data value=\"", value + 1);
    if (value != std::string::npos) accuracies.push_back(std::stod(row.substr(value + 13)));
  }
  ASSERT_GE(accuracies.size(), 108U);
  EXPECT_TRUE(std::is_sorted(accuracies.begin(), accuracies.begin() + 108, std::greater<>()));
}

TEST(Report, WritesEveryFileWholeAndAgain) {
  const TemporaryFolder folder;
  const Results results = sample({2, 2, 2, 3});
  for (int twice = 0; twice < 2; ++twice) write_report(folder / "deep", results, nullptr);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "deep"))
    names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"report.html", "curve.csv", "report.json",
                                          "metrics.jsonl", "events.out.tfevents.distal"}));
  EXPECT_EQ(read(folder / "deep/report.html"), report_html(results, nullptr));
  EXPECT_EQ(to_json(results_from_json(read(folder / "deep/report.json"))), to_json(results));
  EXPECT_EQ(read(folder / "deep/report.json"), report_json(results));
  EXPECT_THAT(read(folder / "deep/events.out.tfevents.distal"), HasSubstr("accuracy/badge/seed 1"));
  EXPECT_THROW(write_report(folder.write("file", "x"), results, nullptr), Error);
}

/// For looking at: DISTAL_SAMPLE_REPORT=FOLDER writes sample reports there.
TEST(Report, WritesSamplesToLookAtWhenAsked) {
  const char* folder = std::getenv("DISTAL_SAMPLE_REPORT");
  if (!folder) GTEST_SKIP() << "set DISTAL_SAMPLE_REPORT to a folder to look at the page";
  const std::string place = folder;
  // A GIF of one grey pixel.
  const std::string pixel(
      "GIF89a\1\0\1\0\x80\0\0\x80\x90\xa0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 35);
  const auto thumbnail = [&](const Clip&) { return Thumbnail{"image/gif", pixel}; };
  Results with_asked = sample();
  add_asked(with_asked);
  write_report(place + "/strategies", with_asked, thumbnail);
  write_report(place + "/one_round", sample({3, 6, 1, 8}), thumbnail);
  write_report(place + "/forty_classes", sample({3, 3, 4, 40}), thumbnail);
  write_report(place + "/twelve_arms", sample({12, 3, 6, 5}), nullptr);
  write_report(place + "/one", sample({1, 1, 1, 2}), nullptr);
  write_report(place + "/nothing", {}, nullptr);
  write_report(place + "/sweep", sample_sweep({"random", "margin", "badge"}, 3), thumbnail);
  write_report(place + "/forty_arms", sample({40, 3, 4, 5}), thumbnail);
  for (const char* sample : {"strategies", "one_round", "forty_classes", "twelve_arms", "one",
                             "nothing", "sweep", "forty_arms"}) {
    EXPECT_THAT(read(place + "/" + sample + "/report.html"), HasSubstr("</html>")) << sample;
  }
}

}  // namespace
}  // namespace distal
