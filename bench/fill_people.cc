// Fills a store with questions to people and their answers, for bench/people_pages.py.
//
//   fill_people STORE STUDY FOLDER COUNT CLASS...
//
// COUNT items about the videos of FOLDER. Of the first 60 % most are settled by one of 50 people, a
// tenth by two, of whom a fifth disagree; the others are open. Each item has a reason with the
// student's guess and five neighbours.

#include <algorithm>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "distal/store/people_store.h"

namespace distal {
namespace {

constexpr int64_t kBlock = 5000;
constexpr int64_t kPeople = 50;
constexpr int64_t kRound = 1000;  // items
constexpr int64_t kBegin_ms = 1'790'000'000'000;

struct Filling {
  std::string study;
  std::vector<std::string> videos, classes;
  int64_t count = 0;

  std::string clip(int64_t i) const { return fmt::format("{:032x}@{}-{}", i, i, i + 1000); }
  const std::string& class_of(int64_t i) const { return classes.at(i * 7 % std::ssize(classes)); }
  bool is_ranges(int64_t i) const { return i % 100 == 99; }
  int64_t wanted(int64_t i) const { return i % 10 == 0 ? 2 : 1; }

  PeopleStore::NewItem item(int64_t i) const {
    PeopleStore::NewItem item;
    item.request = fmt::format("filled {}", i);
    item.clip = clip(i);
    item.video = videos.at(i % std::ssize(videos));
    item.start_s = 0.001 * static_cast<double>(i % 500);
    item.end_s = item.start_s + 0.4;
    item.kind = is_ranges(i) ? "ranges" : "clip";
    item.purpose = i % 20 == 0 ? "held_out" : "pool";
    item.study = study;
    item.version = "people-1";
    item.round = 2 + i / kRound;
    item.position = i;
    item.wanted = wanted(i);
    item.reasons = {{"margin", 1.0 / static_cast<double>(1 + i), guess(i), neighbours(i)}};
    return item;
  }

  std::string guess(int64_t i) const {
    return fmt::format(R"({{"{}": 0.7, "{}": 0.3}})", classes.at(i % 2), classes.at((i + 1) % 2));
  }

  std::string neighbours(int64_t i) const {
    std::string text;
    for (int64_t n = 1; n <= std::min<int64_t>(5, i); ++n) {
      text += fmt::format(R"({}{{"clip": "{}", "class": "{}", "distance": 0.{}}})",
                          text.empty() ? "" : ", ", clip(i - n), class_of(i - n), n);
    }
    return "[" + text + "]";
  }

  // The `which`th answer about an item.
  PeopleStore::NewAnswer answer(int64_t i, int64_t id, int64_t which) const {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("{:08x}-0000-4000-8000-{:012x}", which, i);
    answer.item = id;
    answer.person = fmt::format("p{:02}", (i + which) % kPeople);
    answer.answered_ms = kBegin_ms + 1000 * i;
    answer.seconds = 1 + 0.01 * static_cast<double>(i % 500);
    answer.unsure = i % 17 == 0;
    answer.note = i % 31 == 0 ? "a note" : "";
    const bool differs = which == 1 && i % 50 == 0;
    if (is_ranges(i))
      answer.ranges = {{0, 0.2, class_of(i)}, {0.2, 0.4, class_of(i + 1)}};
    else if (i % 33 == 0 && wanted(i) == 1)
      answer.skipped = true;
    else
      answer.class_name = class_of(differs ? i + 1 : i);
    return answer;
  }
};

std::vector<std::string> videos_of(const std::string& folder) {
  std::vector<std::string> videos;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".mp4") videos.push_back(entry.path().string());
  }
  std::ranges::sort(videos);
  return videos;
}

void fill_block(PeopleStore& store, const Filling& filling, int64_t first, int64_t end) {
  std::vector<PeopleStore::NewItem> items;
  for (int64_t i = first; i < end; ++i) items.push_back(filling.item(i));
  const auto ids = store.add_items(items, kBegin_ms);
  std::vector<PeopleStore::NewAnswer> answers;
  for (int64_t i = first; i < std::min(end, filling.count * 6 / 10); ++i) {
    for (int64_t which = 0; which < filling.wanted(i); ++which)
      answers.push_back(filling.answer(i, ids.at(i - first), which));
  }
  for (const auto& row : store.put_all(answers, kBegin_ms)) {
    if (!row.put) throw Error(row.message);
  }
}

int fill(const std::vector<std::string>& words) {
  PeopleStore store(words.at(0));
  Filling filling;
  filling.study = words.at(1);
  filling.videos = videos_of(words.at(2));
  filling.count = std::stoll(words.at(3));
  filling.classes.assign(words.begin() + 4, words.end());
  for (int64_t first = 0; first < filling.count; first += kBlock)
    fill_block(store, filling, first, std::min(first + kBlock, filling.count));
  fmt::print("{} items, {} answers\n", store.count_items({}), store.count_answers({}));
  return 0;
}

}  // namespace
}  // namespace distal

int main(int count, char** words) {
  try {
    if (count >= 7) return distal::fill({words + 1, words + count});
    fmt::print(stderr, "fill_people STORE STUDY FOLDER COUNT CLASS CLASS...\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
  }
  return 1;
}
