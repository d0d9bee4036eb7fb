#include "distal/oracles/class_order.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/text.h"
#include "distal/networks/class_names.h"

namespace distal {
namespace {

using Names = std::vector<std::string>;

constexpr size_t kMostListed = 400;  // bytes of names in a message
constexpr int64_t kMostBytesOfNames = 16 << 20;

std::string listed(const Names& names) {
  return excerpt(fmt::format("{}", fmt::join(names, ", ")), kMostListed);
}

// Those of `names` that `others` does not have.
Names without(const Names& names, const Names& others) {
  const std::set<std::string> known(others.begin(), others.end());
  Names left;
  for (const std::string& name : names) {
    if (!known.contains(name)) left.push_back(name);
  }
  return left;
}

bool same_names(const Names& a, const Names& b) {
  return a.size() == b.size() && without(a, b).empty() && without(b, a).empty();
}

void require_distinct(const Names& names, const std::string& place) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second)
      fail("{}: the class '{}' is named twice; name each once", place, excerpt(name, 60));
  }
}

// The recipe's names beside those of the teacher.
void compare_stated(const TeacherClasses& teacher, ClassOrder& order) {
  if (teacher.stated.empty() || teacher.said.empty() || teacher.stated == teacher.said) return;
  if (same_names(teacher.stated, teacher.said))
    fail("{}: {} names its classes in another order ({}) than it says itself ({}); leave {} out, "
         "or give that order",
         teacher.place, teacher.option, listed(teacher.stated), listed(teacher.said),
         teacher.option);
  order.remarks.push_back(fmt::format("{}: {} renames its classes ({})", teacher.place,
                                      teacher.option, listed(teacher.said)));
}

void require_count(const TeacherClasses& teacher, const Names& names) {
  if (std::ssize(names) == teacher.count) return;
  fail("{}: gives {} numbers a clip, and {} {} classes ({}); name one class for each number",
       teacher.place, teacher.count, teacher.stated.empty() ? "names" : teacher.option + " names",
       names.size(), listed(names));
}

ClassOrder on_trust(const TeacherClasses& teacher, const Names& classes) {
  const bool option = !teacher.option.empty();
  if (teacher.count != std::ssize(classes))
    fail("{}: gives {} numbers a clip, and does not say of which classes; the lists have {} "
         "classes ({}); {}",
         teacher.place, teacher.count, classes.size(), listed(classes),
         option ? fmt::format("name what it gives in {}, or take a teacher of these classes",
                              teacher.option)
                : "take a teacher of these classes");
  ClassOrder order;
  order.columns.resize(classes.size());
  std::iota(order.columns.begin(), order.columns.end(), 0);
  order.remarks.push_back(fmt::format(
      "{}: does not name its classes; that its {} numbers are {}, in this order, is taken on "
      "trust{}",
      teacher.place, teacher.count, listed(classes),
      option ? fmt::format(" ({} states them)", teacher.option) : ""));
  return order;
}

void require_same_classes(const TeacherClasses& teacher, const Names& names, const Names& classes,
                          ClassOrder& order) {
  const Names missing = without(classes, names);
  const Names others = without(names, classes);
  if (missing.empty() && (others.empty() || teacher.drop_others)) {
    if (!others.empty())
      order.remarks.push_back(
          fmt::format("{}: {} of its {} classes are none of the lists and are left out ({})",
                      teacher.place, others.size(), names.size(), listed(others)));
    return;
  }
  std::string what;
  if (!missing.empty()) what = fmt::format("does not know {} of the lists", listed(missing));
  if (!others.empty())
    what += fmt::format("{}knows {}, which the lists do not have", what.empty() ? "" : ", and ",
                        listed(others));
  std::string cure = "take a teacher of the classes of the lists";
  if (!teacher.option.empty())
    cure = missing.empty()
               ? "set oracle.drop_other_classes: true to leave these out of its answers"
               : fmt::format("state its classes by their names in the lists in {}, or {}",
                             teacher.option, cure);
  fail("{}: {}; {}", teacher.place, what, cure);
}

void require_same_order(const TeacherClasses& teacher, const Names& names, const Names& classes) {
  Names in_lists;  // of those that both have, in the order of the lists
  Names own;
  for (const std::string& name : names) {
    if (std::find(classes.begin(), classes.end(), name) != classes.end()) own.push_back(name);
  }
  in_lists = classes;
  if (own == in_lists) return;
  fail("{}: its classes are in another order ({}) than those of the lists ({}); {}", teacher.place,
       listed(own), listed(in_lists),
       teacher.option.empty()
           ? "give data.classes in its order, or let it answer in the order of the lists"
           : fmt::format("state its classes in its own order in {}, and its answers are put in "
                         "the order of the lists",
                         teacher.option));
}

}  // namespace

ClassOrder order_of_classes(const TeacherClasses& teacher, const Names& classes) {
  const Names& names = teacher.stated.empty() ? teacher.said : teacher.stated;
  if (names.empty()) return on_trust(teacher, classes);
  ClassOrder order;
  require_distinct(names, teacher.place);
  compare_stated(teacher, order);
  require_count(teacher, names);
  require_same_classes(teacher, names, classes, order);
  if (teacher.stated.empty()) require_same_order(teacher, names, classes);
  for (const std::string& name : classes)
    order.columns.push_back(std::find(names.begin(), names.end(), name) - names.begin());
  order.as_it_is = names == classes;
  if (!std::is_sorted(order.columns.begin(), order.columns.end()))
    order.remarks.push_back(fmt::format("{}: its answers are put in the order of the lists, by {}",
                                        teacher.place, teacher.option));
  return order;
}

torch::Tensor in_order(const torch::Tensor& numbers, const ClassOrder& order) {
  return order.as_it_is ? numbers
                        : numbers.index_select(1, torch::tensor(order.columns, torch::kInt64));
}

std::vector<std::string> class_names(const std::vector<std::string>& option,
                                     const std::string& place) {
  if (option.empty()) return {};
  Names names = option;
  std::string where = place;
  if (option.size() == 1) {  // one class is no choice: it is a file
    where = fmt::format("{} {}", place, option.front());
    if (!std::filesystem::exists(option.front()))
      fail("{}: no such file; give the names of all classes as a list, [cut, sew], or a file with "
           "one a line",
           where);
    const std::string text = read_file(option.front(), kMostBytesOfNames);
    names = class_names_of_json(text);
    if (names.empty()) names = class_names_of(text + "\n");  // one line is one name
    if (names.empty())
      fail("{}: holds no names of classes; give one a line, or a JSON list of texts", where);
  }
  require_distinct(names, where);
  return names;
}

}  // namespace distal
