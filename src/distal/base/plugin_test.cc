#include "distal/base/plugin.h"

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {

class PluginMethodsPeer {
 public:
  static void insert(const PluginMethods& methods, const std::string& file) {
    methods.insert_all(file);
  }
};

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Shape {
  virtual ~Shape() = default;
  virtual int64_t corners() const = 0;
};

struct Square final : Shape {
  int64_t corners() const override { return 4; }
};

struct Star final : Shape {
  struct Options {
    int64_t tips = 5;
    void visit(OptionVisitor& v) const { v("tips", tips, "its points", at_least(3)); }
    bool operator==(const Options&) const = default;
  };
  explicit Star(const Options& options) : tips(options.tips) {}
  int64_t corners() const override { return 2 * tips; }
  int64_t tips;
};

const Entry<Shape> kSquare = entry<Shape, Square>("four corners", "Euclid");

}  // namespace

template <>
Catalogue<Shape>& all_methods<Shape>() {
  static Catalogue<Shape> rows = {{"square", &kSquare}};
  return rows;
}

namespace {

std::vector<std::string> shapes() {
  std::vector<std::string> names;
  for (const auto& row : catalogue<Shape>()) names.push_back(row.name);
  return names;
}

TEST(PluginMethods, AreInTheCatalogueInTheOrderOfNamesOnceAllAreThere) {
  const auto* square = &*catalogue<Shape>().begin();
  PluginMethods methods;
  methods.add<Shape, Star>("star", "corners in and out", "nobody");
  methods.add<Shape, Square>("a_square", "another", "nobody");
  EXPECT_THAT(shapes(), ElementsAre("square"));
  PluginMethodsPeer::insert(methods, "shapes.so");
  EXPECT_THAT(shapes(), ElementsAre("a_square", "square", "star"));
  EXPECT_EQ(square->name, "square") << "a row stays where it was";
  EXPECT_EQ(catalogue<Shape>().begin()->plugin, "shapes.so");
  EXPECT_EQ(square->plugin, "");
  EXPECT_EQ(make<Shape>("star", "tips: 3")->corners(), 6);
  EXPECT_EQ(make<Shape>("square")->corners(), 4);
}

TEST(PluginMethods, AreRefusedUnderANameThatIsTakenOrIsNoWord) {
  PluginMethods methods;
  const auto refusal = [&](const char* name) {
    return error_of([&] { methods.add<Shape, Star>(name, "", ""); });
  };
  EXPECT_THAT(refusal("square"), HasSubstr("square has the name of another"));
  methods.add<Shape, Star>("sun", "", "");
  EXPECT_THAT(refusal("sun"), HasSubstr("sun has the name of another"));
  for (const char* name : {"", "Sun", "7up", "a-b", "a b", "a.b"}) {
    EXPECT_THAT(refusal(name), HasSubstr("use a-z, 0-9 and _")) << name;
  }
  EXPECT_THAT(methods.names(), ElementsAre("sun"));
}

TEST(Plugin, IsRefusedWhereItIsNone) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { load_plugin(folder / "absent.so"); }), HasSubstr("absent.so"));
  EXPECT_THAT(error_of([&] { load_plugin(folder.path()); }), HasSubstr(folder.path()));
  const std::string text = folder.write("text.so", "int a;\n");
  EXPECT_THAT(error_of([&] { load_plugin(text); }), HasSubstr("text.so: cannot be loaded"));
  EXPECT_TRUE(loaded_plugins().empty());
  EXPECT_EQ(plugins_id(), "");
}

}  // namespace
}  // namespace distal
