// Who evaluates a network that lies on another device than the CPU.

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/infer/engine.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "support/fake_device.h"

namespace distal {
namespace {

TEST(EngineOnDevice, TakesClipsFromTheCpuAndGivesAnswersThere) {
  const Model net = make<Backbone>("resnet3d", "depth: 10, width: 4")->build(4, Random(1));
  const auto clips = at::randn({3, 3, 4, 32, 32});
  const Output expected = libtorch_engine(net)->run(clips);
  net->to(fake_device());
  std::string note;
  const auto engine =
      quicker_engine(net, {3, 4, 32, 32}, /*clips=*/1000, /*worth_freezing=*/1, &note);
  const Output output = engine->run(clips);
  EXPECT_EQ(note, "") << "a network on a device is not frozen, and that is nothing to remark on";
  EXPECT_TRUE(output.logits.is_cpu() && output.embedding.is_cpu());
  EXPECT_TRUE(at::allclose(output.logits, expected.logits, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(output.embedding, expected.embedding, 1e-4, 1e-5));
}

}  // namespace
}  // namespace distal
