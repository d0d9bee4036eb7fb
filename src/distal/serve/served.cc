#include "distal/serve/served.h"

#include <algorithm>

#include "distal/base/error.h"
#include "distal/base/in_use.h"
#include "distal/base/text.h"
#include "distal/serve/refusal.h"

namespace distal::serve {

Served::Served(const ServeOptions& options, Pool<PeopleStore>& people)
    : options_(options), people_(people) {
  if (options.study) add(*options.study);
  for (const ServedStudy& branch : options.branches) add(branch);
}

Served::~Served() {
  for (const auto& one : all_) {
    if (one->runner) one->runner->close();
  }
}

Served::One* Served::add(const ServedStudy& study) {
  auto fresh = std::make_unique<One>();
  fresh->study = study;
  if (!study.run_command.empty()) {
    fresh->runner = std::make_unique<Runner>(study.run_command, study.run_log(), study, people_);
  }
  const std::lock_guard lock(mutex_);
  all_.push_back(std::move(fresh));
  return all_.back().get();
}

void Served::begin() {
  for (const std::string& name : names()) {
    if (Runner* const at_work = runner(name)) at_work->begin(find(name)->branch_of.empty());
  }
}

std::vector<std::string> Served::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& one : all_) names.push_back(one->study.name);
  return names;
}

const Served::One* Served::one(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(all_, name, [](const auto& one) { return one->study.name; });
  return found == all_.end() ? nullptr : found->get();
}

const ServedStudy* Served::find(const std::string& name) const {
  const One* const found = one(name);
  return found == nullptr ? nullptr : &found->study;
}

Runner* Served::runner(const std::string& name) const {
  const One* const found = one(name);
  return found == nullptr ? nullptr : found->runner.get();
}

std::string Served::states() const {
  std::string text;
  for (const std::string& name : names()) {
    if (const Runner* const at_work = runner(name))
      text += fmt::format("{} {} {}\n", name, at_work->state(), at_work->stage());
  }
  return text;
}

void Served::require_branches(const std::string& name) const {
  if (options_.branch_maker && runner(name) != nullptr) return;
  throw Refusal(409, "conflict",
                fmt::format("study {}: it is not run here; start distal serve with its recipe and "
                            "without --no-run",
                            excerpt(name, 60)));
}

std::vector<RecipeOption> Served::options(const std::string& name) {
  require_branches(name);
  const std::lock_guard one_at_a_time(branching_);
  return options_.branch_maker->options(name);
}

void Served::branch(const BranchWish& wish, bool start) {
  require_branches(wish.of);
  const std::lock_guard one_at_a_time(branching_);
  const bool known = find(wish.name) != nullptr || !people_.borrow()->progress(wish.name).empty();
  if (known) {
    throw Refusal(409, "conflict",
                  fmt::format("name: there is a study {}; choose another name", wish.name));
  }
  try {
    add(options_.branch_maker->make(wish))->runner->begin(start);
  } catch (const InUse& taken) {
    throw Refusal(409, "conflict", taken.what());
  } catch (const UsageError& wrong) {
    refuse_content(excerpt(wrong.what(), 1000));
  }
}

}  // namespace distal::serve
