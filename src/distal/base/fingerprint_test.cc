#include "distal/base/fingerprint.h"

#include <gtest/gtest.h>

namespace distal {
namespace {

struct Shape {
  int64_t width = 3;
  void visit(OptionVisitor& v) const { v("width", width, "units"); }
  bool operator==(const Shape&) const = default;
};

TEST(Fingerprint, IsEqualForEqualInputsInEqualOrder) {
  const auto of = [](const char* a, const char* b) { return Fingerprint().add(a).add(b).hex(); };
  EXPECT_EQ(of("one", "two"), of("one", "two"));
  EXPECT_NE(of("one", "two"), of("two", "one"));
  EXPECT_NE(of("ab", "c"), of("a", "bc")) << "parts are kept apart";
  EXPECT_EQ(of("", "").size(), 16u);
}

TEST(Fingerprint, ChangesWithAnOption) {
  EXPECT_EQ(Fingerprint().add(Shape{}).hex(), Fingerprint().add(Shape{3}).hex());
  EXPECT_NE(Fingerprint().add(Shape{}).hex(), Fingerprint().add(Shape{4}).hex());
}

}  // namespace
}  // namespace distal
