// An endpoint that speaks the Open Inference Protocol v2.

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/oracles/http_teacher.h"

namespace distal::kinds {

class Http final : public Oracle {
 public:
  using Options = HttpOptions;
  explicit Http(Options options) : options_(std::move(options)) {}

  OracleTraits traits() const override { return {}; }
  std::string missing() const override {
    if (!options_.url.empty()) return "";
    return "oracle.kind = http needs oracle.url, such as http://host:8000/v2/models/NAME";
  }
  std::string line() const override { return "endpoint " + options_.url; }
  std::string answer_options() const override {
    return fmt::format("{}|{}|{}|{}", options_.url, options_.input, options_.output,
                       options_.logits);
  }
  OpenedOracle open(const OracleSetup& setup) const override {
    auto teacher = http_teacher(options_, setup.labels(), setup.say, setup.classes.names);
    return {answers_at_once(std::move(teacher)), line()};
  }

 private:
  Options options_;
};

extern const Entry<Oracle> http;
const Entry<Oracle> http = entry<Oracle, Http>(
    "an HTTP endpoint of the Open Inference Protocol v2 (KServe, Triton, OpenVINO Model Server)",
    "KServe, Open Inference Protocol, https://github.com/kserve/open-inference-protocol");

}  // namespace distal::kinds
