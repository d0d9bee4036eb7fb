#include "distal/lists/list_text.h"

#include <sys/stat.h>

#include <gmock/gmock.h>

#include "distal/base/testing.h"
#include "distal/lists/lists.h"

namespace distal {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string text_of(const std::string& bytes) {
  const TemporaryFolder folder;
  return list_text(folder.write("list.csv", bytes));
}

std::string utf16(const std::u16string& text, bool big_endian) {
  std::string bytes = big_endian ? "\xFE\xFF" : "\xFF\xFE";
  for (const char16_t unit : text) {
    const char high = static_cast<char>(unit >> 8);
    const char low = static_cast<char>(unit & 0xFF);
    bytes += big_endian ? high : low;
    bytes += big_endian ? low : high;
  }
  return bytes;
}

TEST(ListText, ReadsWhatSpreadsheetsWrite) {
  const std::string right = "path;label\n\xC3\xA9t\xC3\xA9.mp4;\xF0\x9F\x90\x88\n";
  EXPECT_EQ(text_of(right), right);
  EXPECT_EQ(text_of("\xEF\xBB\xBF" + right), right);
  for (const bool big_endian : {false, true})
    EXPECT_EQ(text_of(utf16(u"path;label\n\u00E9t\u00E9.mp4;\U0001F408\n", big_endian)), right);
  EXPECT_EQ(text_of(utf16({u'a', 0xD800, u'b', 0xDC00}, false)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");                            // halves of pairs
  EXPECT_EQ(text_of("caf\xE9.mp4\n"), "caf\xE9.mp4\n");  // names of files are bytes
}

TEST(ListText, RefusesWhatIsNoText) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& path) { return error_of([&] { list_text(path); }); };
  EXPECT_THAT(refusal(folder.write("a.csv", "PK\x03\x04 and more")),
              HasSubstr("a ZIP archive or a workbook; unpack it"));
  EXPECT_THAT(refusal(folder.write("b.csv", std::string("p\0a\0t\0h\0", 8))),
              HasSubstr("holds zero bytes and is no text"));
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr("no regular file"));
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(folder / "pipe"), HasSubstr("no regular file"));
  EXPECT_THAT(error_of([&] { read_rows(folder / "pipe", ""); }), HasSubstr("no regular file"));
  EXPECT_THAT(error_of([&] { read_rows(folder.path(), ""); }), EndsWith("a folder; name a file"));
}

TEST(Utf8Name, KeepsTwoNamesTwo) {
  EXPECT_EQ(utf8_name("\xC3\xA9t\xC3\xA9"), "\xC3\xA9t\xC3\xA9");
  EXPECT_EQ(utf8_name("\xE9t\xE9"), "\xC3\xA9t\xC3\xA9");
  EXPECT_EQ(utf8_name("\x80"), "\xE2\x82\xAC");  // the euro sign of Windows-1252
  EXPECT_NE(utf8_name("\xE8"), utf8_name("\xE9"));
}

}  // namespace
}  // namespace distal
