#include "distal/tracking/mlflow.h"

#include <cstdlib>

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// Sets variables of the environment for as long as it lives.
class Environment {
 public:
  explicit Environment(MlflowPairs pairs) : pairs_(std::move(pairs)) {
    for (const auto& [name, value] : pairs_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : pairs_) ::unsetenv(name.c_str());
  }

 private:
  MlflowPairs pairs_;
};

TEST(Mlflow, FlattensOptions) {
  EXPECT_THAT(
      flat_options("a: {b: 1, c: [x, y]}\nd: text\narms: {e: 1}\nf: [{g: 2}]\n", {"arms"}),
      ElementsAre(Pair("a.b", "1"), Pair("a.c", "[x, y]"), Pair("d", "text"), Pair("f.0.g", "2")));
}

TEST(Mlflow, ReadsWhereTheServerIsAndWhoAsks) {
  ::unsetenv("MLFLOW_TRACKING_URI");
  EXPECT_FALSE(mlflow_settings());
  const Environment environment(
      MlflowPairs{{"MLFLOW_TRACKING_URI", "https://ann:pa:s%73@host:5000/under/it/"},
                  {"MLFLOW_EXPERIMENT_NAME", "trials"}});
  const auto settings = mlflow_settings();
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->address, "https://host:5000");
  EXPECT_EQ(settings->prefix, "/under/it");
  EXPECT_EQ(settings->user, "ann");
  EXPECT_EQ(settings->password, "pa:ss");
  EXPECT_EQ(settings->experiment, "trials");
  EXPECT_EQ(settings->shown(), "https://host:5000/under/it") << "without the password";
}

TEST(Mlflow, SpeaksToServersAlone) {
  const Environment environment(MlflowPairs{{"MLFLOW_TRACKING_URI", "sqlite:///runs.db"}});
  EXPECT_THAT(error_of([] { mlflow_settings(); }), HasSubstr("mlflow server"));
}

TEST(Mlflow, KnowsWhetherArtefactsGoThroughTheServer) {
  EXPECT_TRUE(MlflowClient::takes_artifacts({"", "mlflow-artifacts:/1/abc/artifacts"}));
  EXPECT_TRUE(MlflowClient::takes_artifacts({"", "mlflow-artifacts://host:1/1/abc/artifacts"}));
  EXPECT_TRUE(MlflowClient::takes_artifacts(
      {"", "http://host/api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts"}));
  EXPECT_FALSE(MlflowClient::takes_artifacts({"", "file:///srv/mlruns/1/abc/artifacts"}));
  EXPECT_FALSE(MlflowClient::takes_artifacts({"", "s3://bucket/1/abc/artifacts"}));
}

}  // namespace
}  // namespace distal
