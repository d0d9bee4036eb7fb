#include "distal/base/npy.h"

#include <filesystem>

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

struct Place : TemporaryFolder {
  std::string with(const std::string& header, const std::string& data) const {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += {static_cast<char>(header.size()), '\0'};
    return write("a.npy", bytes + header + data);
  }
};

std::string refusal(const std::string& path) {
  return error_of([&] { map_npy(path); });
}

TEST(Npy, ComesBackAsItWent) {
  const Place place;
  for (const auto& array :
       {torch::arange(12, torch::kFloat32).view({3, 4}),
        torch::arange(24, torch::kFloat64).view({2, 3, 4}), torch::arange(5, torch::kInt64),
        torch::arange(7, torch::kUInt8), torch::empty({0, 7}, torch::kFloat32),
        torch::tensor({1.5F, -2.F}).to(torch::kFloat16)}) {
    write_npy(place / "a.npy", array);
    EXPECT_TRUE(map_npy(place / "a.npy").equal(array));
    EXPECT_EQ((std::filesystem::file_size(place / "a.npy") - array.nbytes()) % 64, 0)
        << "where the data begin";
  }
}

TEST(Npy, ReadsWhatNumpyWrites) {
  const Place place;
  const std::string three_halves("\x00\x3e\x00\xc0", 4);  // float16 1.5 and -2
  EXPECT_TRUE(map_npy(place.with("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }\n",
                                 three_halves))
                  .to(torch::kFloat32)
                  .equal(torch::tensor({1.5f, -2.0f})));
  const std::string bfloat16("\xc0\x3f\x00\xc0", 4);
  EXPECT_TRUE(
      map_npy(place.with("{'descr': '<V2', 'fortran_order': False, 'shape': (2, 1), }\n", bfloat16))
          .to(torch::kFloat32)
          .equal(torch::tensor({1.5f, -2.0f}).view({2, 1})));
}

TEST(Npy, RefusalsSayWhatAndTheCure) {
  const Place place;
  EXPECT_THAT(refusal(place / "none.npy"), HasSubstr("none.npy: no such file; check the path"));
  EXPECT_THAT(refusal(place.write("text.npy", "hello, I am a text")),
              HasSubstr("is no .npy file; write one with numpy.save"));
  EXPECT_THAT(refusal(place.path()), HasSubstr("a folder; name a file"));
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr("no regular file"));
  EXPECT_THAT(
      refusal(place.with("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n", "1234")),
      HasSubstr("of type >f4; save them with .astype('float32')"));
  EXPECT_THAT(
      refusal(place.with("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", "1234")),
      HasSubstr("of type |O"));
  EXPECT_THAT(
      refusal(place.with("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }\n", "1234")),
      HasSubstr("numpy.ascontiguousarray"));
  EXPECT_THAT(
      refusal(place.with("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "1234")),
      HasSubstr("is cut off"));
  EXPECT_THAT(
      refusal(place.with(
          "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }\n",
          "1234")),
      HasSubstr("is cut off"));
  EXPECT_THAT(refusal(place.with(
                  "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", "1234")),
              HasSubstr("holds no plain array"));
}

TEST(Npy, HeadersAreReadWithinBounds) {
  const Place place;
  const auto of_format = [&](char version, const std::string& header, const std::string& data) {
    const auto length = static_cast<uint32_t>(header.size());
    std::string bytes("\x93NUMPY", 6);
    bytes += {version, '\0'};
    bytes.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
    return refusal(place.write("a.npy", bytes + header + data));
  };
  const auto shape = [&](const std::string& sizes, const std::string& data = "1234") {
    return of_format(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (" + sizes + "), }\n",
                     data);
  };
  std::string many;
  for (int i = 0; i < 70; ++i) many += "1,";
  for (char version = 1; version <= 3; ++version)
    EXPECT_EQ(
        of_format(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", "1234"),
        "");
  EXPECT_EQ(of_format(3, "{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"<f4\"}", "1234"), "")
      << "other writers' spaces, quotes and order";
  EXPECT_EQ(shape(""), "") << "one number";
  EXPECT_EQ(shape("0, 4611686018427387904", ""), "");
  EXPECT_THAT(of_format(4, "{}", ""), HasSubstr(".npy format 4, and 1 to 3 are known"));
  EXPECT_THAT(of_format(2,
                        "{'descr': '" + std::string(70000, 'a') +
                            "', 'fortran_order': False, 'shape': (2, 2), }\n",
                        ""),
              HasSubstr("a header of 7"));
  EXPECT_THAT(of_format(2,
                        "{'descr': '" + std::string(60000, 'a') +
                            "', 'fortran_order': False, 'shape': (2, 2), }\n",
                        ""),
              HasSubstr("holds numbers of type aaaa"));
  EXPECT_THAT(shape(many), HasSubstr("an array of 70 dimensions"));
  EXPECT_THAT(shape("99999999999999999999, 2"), HasSubstr("holds no plain array"));
  EXPECT_THAT(shape("-1"), HasSubstr("holds no plain array"));
  EXPECT_THAT(shape("0, 4611686018427387904, 4611686018427387904"), HasSubstr("is cut off"));
  EXPECT_THAT(shape("1", "12345678"),
              HasSubstr("4 bytes follow its array of 1; save one array a file"));
  EXPECT_THAT(shape("1,), 'shape': (1,"), HasSubstr("holds no plain array")) << "a key twice";
  EXPECT_THAT(of_format(2, "[[[[", ""), HasSubstr("holds no plain array"));
}

}  // namespace
}  // namespace distal
