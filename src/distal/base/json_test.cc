#include "distal/base/json.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/testing.h"

namespace distal {
namespace {

std::string refusal(const std::string& text) {
  return error_of([&] { parse_json(text, "a.json"); });
}

TEST(Json, DepthIsBounded) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(refusal(nested(kMostJsonDepth)), "");
  EXPECT_THAT(refusal(nested(kMostJsonDepth + 1)), testing::HasSubstr("deeper than 64"));
  EXPECT_THAT(refusal(std::string(300000, '[')), testing::HasSubstr("deeper than 64"));
  EXPECT_EQ(refusal("{\"a\": \"" + std::string(200, '[') + "\\\"[\"}"), "");  // in a string
}

TEST(Json, MessagesNameLineAndColumn) {
  EXPECT_THAT(refusal("{\"a\": 1,\n \"b\": x}"),
              testing::StartsWith("a.json: line 2, column 7: not JSON from 'x}'"));
  EXPECT_THAT(refusal("[1, 2"), testing::HasSubstr("ends too early"));
  EXPECT_EQ(refusal("  "), "a.json: empty; JSON was expected: copy or write it again");
  EXPECT_EQ(refusal("[1e999]"),
            "a.json: a number in its JSON is out of range, beyond 1.8e+308; give a smaller one");
  EXPECT_THAT(refusal("\"\xFF\""), testing::HasSubstr("not JSON"));
}

TEST(Json, NamesThatAreNoUtf8AreWritten) {
  EXPECT_EQ(json_text(nlohmann::json{{"path", "caf\xE9"}}), "{\"path\":\"caf\xEF\xBF\xBD\"}");
  EXPECT_EQ(json_text(nlohmann::ordered_json{{"\xE9", 1}}, 2), "{\n  \"\xEF\xBF\xBD\": 1\n}");
}

}  // namespace
}  // namespace distal
