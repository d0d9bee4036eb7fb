// The teacher that the study trains first, on videos that are neither in the pool nor in the test
// set.

#include "distal/oracles/teacher.h"
#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/models/weights.h"

namespace distal::kinds {

class TrainedHere final : public Oracle {
 public:
  OracleTraits traits() const override {
    return {.at_hand = true, .bills_unusable = false, .network = true, .trained_here = true};
  }
  std::string line() const override { return "the teacher that the study trains"; }
  std::string network_file(const std::string& trained) const override { return trained; }
  OpenedOracle open(const OracleSetup& setup) const override {
    expect(setup.train != nullptr, "a teacher that is trained here comes from OracleSetup::train");
    const TrainedTeacher trained = setup.train();
    auto teacher = teacher_of(trained.net, content_id(trained.path), setup.labels());
    return {answers_at_once(std::move(teacher)), trained.line};
  }
};

extern const Entry<Oracle> teacher;
const Entry<Oracle> teacher = entry<Oracle, TrainedHere>(
    "the teacher that this study trains first (section `teacher`)",
    "G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015");

}  // namespace distal::kinds
