#include "distal/oracles/class_order.h"

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Names = std::vector<std::string>;

const Names kLists = {"cut", "sew", "wash"};

TeacherClasses saying(const Names& said) {
  return {.place = "teacher x.onnx",
          .count = std::ssize(said),
          .said = said,
          .option = "oracle.classes"};
}

std::string refusal_of(const TeacherClasses& teacher) {
  return error_of([&] { order_of_classes(teacher, kLists); });
}

TEST(ClassOrder, IsThatOfTheListsWhereTheTeacherSaysSo) {
  const ClassOrder order = order_of_classes(saying(kLists), kLists);
  EXPECT_THAT(order.columns, ElementsAre(0, 1, 2));
  EXPECT_TRUE(order.as_it_is);
  EXPECT_THAT(order.remarks, IsEmpty());
}

TEST(ClassOrder, RefusesAnotherOrderAndShowsBoth) {
  EXPECT_THAT(refusal_of(saying({"wash", "cut", "sew"})),
              AllOf(HasSubstr("teacher x.onnx"), HasSubstr("(wash, cut, sew)"),
                    HasSubstr("(cut, sew, wash)"), HasSubstr("oracle.classes")));
  TeacherClasses server = saying({"wash", "cut", "sew"});
  server.option = "";
  EXPECT_THAT(refusal_of(server), AllOf(HasSubstr("(wash, cut, sew)"), HasSubstr("data.classes")));
}

TEST(ClassOrder, FollowsTheNamesThatTheRecipeStates) {
  TeacherClasses teacher = saying({"wash", "cut", "sew"});
  teacher.stated = teacher.said;
  for (int time = 0; time < 2; ++time) {
    const ClassOrder order = order_of_classes(teacher, kLists);
    EXPECT_THAT(order.columns, ElementsAre(1, 2, 0));
    EXPECT_THAT(order.remarks, ElementsAre(HasSubstr("put in the order of the lists")));
    const auto numbers = torch::tensor({7.0, 8.0, 9.0}).view({1, 3});
    EXPECT_TRUE(in_order(numbers, order).equal(torch::tensor({8.0, 9.0, 7.0}).view({1, 3})));
    teacher.said = {};  // the file says nothing
  }
}

TEST(ClassOrder, RefusesNamesThatTheFileGivesInAnotherOrder) {
  TeacherClasses teacher = saying({"wash", "cut", "sew"});
  teacher.stated = kLists;
  EXPECT_THAT(refusal_of(teacher), AllOf(HasSubstr("(cut, sew, wash)"),
                                         HasSubstr("(wash, cut, sew)"), HasSubstr("leave")));
}

TEST(ClassOrder, RenamesWhatTheFileCallsOtherwise) {
  TeacherClasses teacher = saying({"n01", "n02", "n03"});
  EXPECT_THAT(refusal_of(teacher), AllOf(HasSubstr("does not know cut, sew, wash of the lists"),
                                         HasSubstr("knows n01, n02, n03")));
  teacher.stated = {"sew", "cut", "wash"};
  const ClassOrder order = order_of_classes(teacher, kLists);
  EXPECT_THAT(order.columns, ElementsAre(1, 0, 2));
  EXPECT_THAT(order.remarks, ElementsAre(HasSubstr("renames its classes (n01, n02, n03)"),
                                         HasSubstr("put in the order of the lists")));
}

TEST(ClassOrder, NamesWhatIsMissingAndWhatIsTooMuch) {
  EXPECT_THAT(refusal_of(saying({"cut", "sew"})), HasSubstr("does not know wash of the lists"));
  TeacherClasses more = saying({"cut", "drill", "sew", "wash"});
  EXPECT_THAT(refusal_of(more), AllOf(HasSubstr("knows drill, which the lists do not have"),
                                      HasSubstr("oracle.drop_other_classes: true")));
  more.drop_others = true;
  const ClassOrder order = order_of_classes(more, kLists);
  EXPECT_THAT(order.columns, ElementsAre(0, 2, 3));
  EXPECT_FALSE(order.as_it_is);
  EXPECT_THAT(order.remarks, ElementsAre(HasSubstr("1 of its 4 classes are none of the lists")));
  more.said = {"wash", "drill", "sew", "cut"};
  EXPECT_THAT(refusal_of(more), HasSubstr("in another order (wash, sew, cut)"));
}

TEST(ClassOrder, WithoutNamesIsTakenOnTrustWhereTheNumberFits) {
  TeacherClasses teacher = saying({});
  teacher.count = 1000;
  EXPECT_THAT(refusal_of(teacher),
              AllOf(HasSubstr("gives 1000 numbers a clip"), HasSubstr("3 classes (cut, sew, wash)"),
                    HasSubstr("oracle.classes")));
  teacher.count = 3;
  const ClassOrder order = order_of_classes(teacher, kLists);
  EXPECT_TRUE(order.as_it_is);
  EXPECT_THAT(order.remarks, ElementsAre(AllOf(HasSubstr("does not name its classes"),
                                               HasSubstr("taken on trust"))));
}

TEST(ClassOrder, WantsANameForEachNumberAndEachOnce) {
  TeacherClasses teacher = saying(kLists);
  teacher.count = 4;
  EXPECT_THAT(refusal_of(teacher), HasSubstr("gives 4 numbers a clip, and names 3 classes"));
  EXPECT_THAT(refusal_of(saying({"cut", "cut", "sew"})), HasSubstr("'cut' is named twice"));
}

TEST(ClassNames, AreReadFromALineEachOrFromJson) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    return class_names({folder.write("names", text)}, "oracle.classes");
  };
  EXPECT_EQ(read("cut\r\nsew\n\n wash \n"), kLists);
  EXPECT_EQ(read("tench, Tinca tinca\ngoldfish, Carassius auratus"),
            (Names{"tench, Tinca tinca", "goldfish, Carassius auratus"}));
  EXPECT_EQ(read(R"(["cut", "sew", "wash"])"), kLists);
  EXPECT_EQ(read(R"({"1": "sew", "0": "cut", "2": "wash"})"), kLists);
  EXPECT_EQ(read(R"({"model": "x", "id2label": {"1": "sew", "0": "cut", "2": "wash"}})"), kLists);
  EXPECT_EQ(read(R"({"classes": ["cut", "sew", "wash"], "input": {}})"), kLists);
  EXPECT_EQ(class_names(kLists, "oracle.classes"), kLists);
}

TEST(ClassNames, OfAFileThatHoldsNoneAreRefused) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& text) {
    return error_of([&] { class_names({folder.write("names", text)}, "oracle.classes"); });
  };
  EXPECT_THAT(refusal(" \n"), AllOf(HasSubstr(folder / "names"), HasSubstr("no names")));
  for (const char* text :
       {"{}", "[1, 2]", "[\"cut\"", R"({"0": "cut", "2": "sew"})", R"({"0": "a", "00": "b"})"})
    EXPECT_THAT(refusal(text), HasSubstr("no names")) << text;
  EXPECT_THAT(refusal("cut\nsew\ncut\n"), HasSubstr("'cut' is named twice"));
  EXPECT_THAT(error_of([&] { class_names({folder / "none"}, "oracle.classes"); }),
              AllOf(HasSubstr(folder / "none"), HasSubstr("no such file")));
}

}  // namespace
}  // namespace distal
