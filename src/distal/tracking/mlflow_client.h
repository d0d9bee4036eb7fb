#pragma once
// MLflow's REST interface, as far as runs need it: experiments, runs, metrics, parameters, and
// artefacts through the server (mlflow-artifacts). https://mlflow.org/docs/latest/rest-api.html

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distal/base/error.h"

namespace distal {

/// Where a server is, and who asks.
struct MlflowSettings {
  std::string address;  // scheme://host:port
  std::string prefix;   // of its paths, without a slash at the end; often empty
  std::string user, password, token;
  std::string experiment_id;           // wins over `experiment`
  std::string experiment = "Default";  // by name; made when absent
  std::string shown() const { return address + prefix; }
};

/// Of the environment: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_ID, MLFLOW_EXPERIMENT_NAME,
/// MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN. nullopt: the first
/// is unset or empty. Throws Error: it is no address with http or https.
std::optional<MlflowSettings> mlflow_settings();

/// The server did not answer.
class MlflowUnreachable : public Error {
 public:
  using Error::Error;
};
/// It answered that it will not.
class MlflowRefused : public Error {
 public:
  MlflowRefused(const std::string& text, std::string code) : Error(text), code(std::move(code)) {}
  std::string code;  // RESOURCE_DOES_NOT_EXIST, ...; empty: it said none
};

struct MlflowMetric {
  std::string key;
  double value = 0;  // finite
  int64_t time_ms = 0;
  int64_t step = 0;
};
using MlflowPairs = std::vector<std::pair<std::string, std::string>>;

/// One thread at a time. Every call throws MlflowUnreachable, MlflowRefused or Interrupted.
class MlflowClient {
 public:
  explicit MlflowClient(MlflowSettings settings);
  ~MlflowClient();

  /// The id of the settings' experiment.
  std::string experiment();
  struct Run {
    std::string id, artifact_uri;
  };
  std::optional<Run> find_run(const std::string& experiment, const MlflowPairs& tags);
  Run create_run(const std::string& experiment, const std::string& name, const MlflowPairs& tags);
  /// In as many requests as the server's limits ask for. What keys may not hold becomes '_', values
  /// of parameters are cut at 500 bytes.
  void log(const std::string& run, const std::vector<MlflowMetric>& metrics,
           const MlflowPairs& params);
  /// RUNNING, FINISHED, FAILED or KILLED.
  void set_status(const std::string& run, const std::string& status);
  /// Whether artefacts of the run go through the server.
  static bool takes_artifacts(const Run& run);
  void put_artifact(const Run& run, const std::string& name, std::string bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
