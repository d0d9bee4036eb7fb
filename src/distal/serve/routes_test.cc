#include "distal/serve/routes.h"

#include <set>

#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/base/testing.h"
#include "distal/serve/page_files.h"
#include "distal/serve/refusal.h"

namespace distal::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

nlohmann::json contract() {
  return nlohmann::json::parse(read_file(DISTAL_SOURCE_DIR "/src/distal/serve/openapi.json"));
}

// "METHOD path role csrf" of an operation.
std::string row_of(const std::string& method, const std::string& path,
                   const nlohmann::json& about) {
  std::string upper = method;
  for (char& letter : upper) letter = static_cast<char>(std::toupper(letter));
  std::string role = "annotator";
  if (about.contains("x-roles")) role = about["x-roles"].at(0);
  const bool login = about.contains("security") && about["security"].empty();
  // GET session says who is logged in: the handler itself refuses who is not.
  if (login || (path == "/session" && method == "get")) role = "nobody";
  bool csrf = false;
  for (const auto& parameter : about.value("parameters", nlohmann::json::array()))
    csrf = csrf || parameter.value("$ref", "") == "#/components/parameters/csrf";
  return fmt::format("{} {} {}{}", upper, path, role, csrf ? " csrf" : "");
}

std::string name_of(Role role) {
  return role == Role::owner         ? "owner"
         : role == Role::adjudicator ? "adjudicator"
         : role == Role::annotator   ? "annotator"
                                     : "nobody";
}

TEST(Routes, AreThoseOfTheContract) {
  std::vector<std::string> described;
  const nlohmann::json all = contract();
  for (const auto& [path, operations] : all.at("paths").items()) {
    for (const auto& [method, about] : operations.items())
      described.push_back(row_of(method, path, about));
  }
  std::vector<std::string> served;
  for (const Route& route : routes()) {
    served.push_back(fmt::format("{} {} {}{}", route.method, route.path, name_of(route.least),
                                 route.csrf ? " csrf" : ""));
  }
  EXPECT_GT(described.size(), 25);
  EXPECT_THAT(served, UnorderedElementsAreArray(described));
}

TEST(Routes, OnlyLoggingInWritesWithoutAToken) {
  for (const Route& route : routes()) {
    const bool reads = std::string(route.method) == "GET";
    EXPECT_EQ(route.csrf, !reads && route.least != Role::nobody) << route.method << route.path;
  }
}

TEST(Routes, WordsForProgramsAreThoseOfTheContract) {
  const auto words =
      contract().at("/components/schemas/Error/properties/error/properties/code/enum"_json_pointer);
  const std::set<std::string> known(words.begin(), words.end());
  for (int status = 400; status < 600; ++status)
    EXPECT_TRUE(known.contains(code_of(status))) << code_of(status);
}

TEST(Routes, APathWithoutAVariablePartComesFirst) {
  EXPECT_STREQ(find_route("GET", "/answers/mine").route->path, "/answers/mine");
  EXPECT_STREQ(find_route("HEAD", "/answers").route->path, "/answers");
  const Found found = find_route("DELETE", "/answers/mine");
  EXPECT_STREQ(found.route->path, "/answers/{uuid}");
  EXPECT_EQ(found.parts.at("uuid"), "mine");
}

TEST(Routes, WhatIsNotThereIsRefused) {
  const auto status = [](const std::string& method, const std::string& path) {
    try {
      find_route(method, path);
    } catch (const Refusal& refusal) {
      return refusal.status;
    }
    return 0;
  };
  EXPECT_EQ(status("GET", "/nothing"), 404);
  EXPECT_EQ(status("GET", "/items/1/why/more"), 404);
  EXPECT_EQ(status("GET", "/items//why"), 404);
  EXPECT_EQ(status("DELETE", "/items"), 405);
  EXPECT_EQ(status("TRACE", "/session"), 405);
}

TEST(PageFiles, AreThoseOfTheFolder) {
  const std::string folder = DISTAL_SOURCE_DIR "/src/distal/serve/page/";
  std::set<std::string> names;
  for (const PageFile& file : page_files()) {
    names.insert(std::string(file.name));
    if (file.name.starts_with("uplot.")) continue;  // from a package
    EXPECT_EQ(file.text, read_file(folder + std::string(file.name))) << file.name;
  }
  EXPECT_TRUE(names.contains("uplot.js"));
  EXPECT_THAT(page_reply("/uplot.js").body, HasSubstr("uPlot"));
  EXPECT_THAT(page_reply("/uplot.txt").body, HasSubstr("Permission is hereby granted"));
  EXPECT_TRUE(names.contains("index.html"));
  EXPECT_TRUE(names.contains("app.js"));
  EXPECT_TRUE(names.contains("style.css"));
  EXPECT_FALSE(names.contains("tsconfig.json"));
  EXPECT_THAT(page_reply("/").body, HasSubstr("<title>distal</title>"));
  EXPECT_THROW(page_reply("/../openapi.json"), Refusal);
}

}  // namespace
}  // namespace distal::serve
