#include "distal/base/array_bytes.h"

#include <vector>

#include <gmock/gmock.h>

namespace distal {
namespace {

TEST(ArrayBytes, AreCountedWithoutOverflow) {
  const auto bytes = [](std::vector<int64_t> sizes) { return array_bytes(sizes, 4); };
  constexpr int64_t kHuge = int64_t{1} << 62;
  EXPECT_EQ(bytes({}), 4) << "one number";
  EXPECT_EQ(bytes({2, 3}), 24);
  EXPECT_EQ(bytes({0, 7}), 0);
  EXPECT_EQ(bytes({kHuge, 0}), 0);
  EXPECT_EQ(bytes({0, kHuge, kHuge}), std::nullopt) << "its strides overflow";
  EXPECT_EQ(bytes({kHuge}), std::nullopt);
  EXPECT_EQ(bytes({-1, 4}), std::nullopt);
}

}  // namespace
}  // namespace distal
