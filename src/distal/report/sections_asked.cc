#include <algorithm>

#include <fmt/format.h>

#include "distal/report/html.h"
#include "distal/report/pictures_of.h"
#include "distal/report/sections.h"

namespace distal::sections {
namespace {

constexpr size_t kMostArmsAsked = 6;    // whose clips are shown
constexpr int64_t kMostPictures = 240;  // on the page

std::string answer_name(const Results& results, int64_t k) {
  const auto at = static_cast<size_t>(k);
  return k >= 0 && at < results.classes.size() ? results.classes[at] : "";
}

const Trial* trial_with_clips(const ArmView& arm) {
  const auto found = std::find_if(arm.trials.begin(), arm.trials.end(),
                                  [](const Trial* trial) { return !trial->asked.empty(); });
  return found == arm.trials.end() ? nullptr : *found;
}

/// The best, the arm it is tested against, then the others in their order.
std::vector<const ArmView*> arms_in_order(const Summary& summary) {
  std::vector<const ArmView*> order;
  const auto add = [&](const ArmView* arm) {
    const bool there = std::find(order.begin(), order.end(), arm) != order.end();
    if (arm != nullptr && !there && trial_with_clips(*arm) != nullptr) order.push_back(arm);
  };
  if (summary.best) {
    add(summary.best);
    add(twin_of(summary, *summary.best));
  }
  for (const ArmView& arm : summary.arms) add(&arm);
  return order;
}

std::string said(const Results& results, const AskedClip& asked) {
  const std::string answer = answer_name(results, asked.answer);
  const std::string truth = answer_name(results, asked.clip.label);
  if (answer.empty()) return "<span>no answer</span>";
  std::string out = "<span><strong>" + escaped(answer) + "</strong></span>";
  if (!truth.empty() && truth != answer)
    out += "<span class=\"worse\">hidden label " + escaped(truth) + "</span>";
  return out;
}

std::string one_clip(const Results& results, const AskedClip& asked, PicturesOf& pictures) {
  const std::string answer = answer_name(results, asked.answer);
  const std::string alt = answer.empty() ? "no answer" : "answered " + answer;
  return "<li>" + pictures.html(asked.clip, alt) + "<p>" + said(results, asked) +
         "<span class=\"file\">" +
         (asked.by.empty() || answer.empty() ? "" : "by " + escaped(asked.by)) +
         "</span><span class=\"file\">" + escaped(clip_words(asked.clip)) + "</span></p></li>\n";
}

std::string round_words(const AskedRound& round) {
  return fmt::format("{}: {} clip{}",
                     round.round == 0 ? "Start" : fmt::format("Round {}", round.round), round.clips,
                     round.clips == 1 ? "" : "s");
}

// As far as they are shown.
bool same_clips(const AskedRound& a, const AskedRound& b) {
  return a.clips == b.clips && !a.shown.empty() &&
         std::equal(
             a.shown.begin(), a.shown.end(), b.shown.begin(), b.shown.end(),
             [](const AskedClip& x, const AskedClip& y) { return x.clip.key() == y.clip.key(); });
}

std::string same_words(const AskedRound& round) {
  const int64_t shown = std::ssize(round.shown);
  return shown == round.clips ? "The same" : fmt::format("The first {} are the same", shown);
}

/// Shows rounds until the page has its pictures; what is shown already is named.
class AskedRounds {
 public:
  AskedRounds(const Results& results, PicturesOf& pictures)
      : results_(results), pictures_(pictures) {}

  std::string html(const ArmView& arm, const Trial& trial) {
    std::string out;
    for (const AskedRound& round : trial.asked) {
      out += "<h4>" + escaped(round_words(round)) + "</h4>";
      const ArmView* earlier = shown_by(round);
      if (earlier != nullptr) {
        out += "<p class=\"note\">" + same_words(round) + " as those of " + escaped(earlier->name) +
               ".</p>";
        continue;
      }
      out += clips(round);
      shown_.emplace_back(&round, &arm);
    }
    return out;
  }

 private:
  const ArmView* shown_by(const AskedRound& round) const {
    for (const auto& [other, arm] : shown_) {
      if (same_clips(*other, round)) return arm;
    }
    return nullptr;
  }

  std::string clips(const AskedRound& round) {
    std::string items;
    int64_t shown = 0;
    for (const AskedClip& asked : round.shown) {
      if (left_ == 0) break;
      items += one_clip(results_, asked, pictures_);
      ++shown;
      --left_;
    }
    if (round.clips > shown)
      items += fmt::format("<li class=\"more\">{}{} more</li>", shown > 0 ? "and " : "",
                           number(static_cast<double>(round.clips - shown)));
    return "<ul class=\"asked\">" + items + "</ul>";
  }

  const Results& results_;
  PicturesOf& pictures_;
  std::vector<std::pair<const AskedRound*, const ArmView*>> shown_;
  int64_t left_ = kMostPictures;
};

}  // namespace

std::string asked(const Summary& summary, const ThumbnailFunction& thumbnail) {
  const std::vector<const ArmView*> arms = arms_in_order(summary);
  if (arms.empty()) return "";
  PicturesOf pictures(thumbnail);
  AskedRounds rounds(*summary.results, pictures);
  std::string body;
  for (size_t i = 0; i < std::min(arms.size(), kMostArmsAsked); ++i) {
    const Trial& trial = *trial_with_clips(*arms[i]);
    body += std::string("<details") + (i == 0 ? " open" : "") + "><summary>" +
            escaped(arms[i]->name) + fmt::format(", seed {}", trial.seed) + "</summary>" +
            rounds.html(*arms[i], trial) + "</details>\n";
  }
  const size_t rest = arms.size() - std::min(arms.size(), kMostArmsAsked);
  if (rest > 0)
    body += fmt::format("<p class=\"note\">{} more arms asked about clips of their own; "
                        "report.json has the first of each round.</p>",
                        rest);
  return section("asked", "What was asked",
                 "<p class=\"note\">The first clips of each round in the order of the strategy: "
                 "the middle frame, the answer and who gave it.</p>" +
                     body);
}

}  // namespace distal::sections
