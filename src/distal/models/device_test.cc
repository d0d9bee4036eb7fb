// Devices by name, and the fake one that the tests of other rooms stand on: it must betray whoever
// reads its memory as the CPU's, or those tests would show nothing.

#include "distal/models/device.h"

#include <csignal>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/fingerprint.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/models/testing.h"
#include "distal/models/weights.h"
#include "support/fake_device.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The nets of these tests are small: on a busy machine threads that wait for each other cost
// tenfold.
[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);

TEST(Device, NamesAreTakenWhetherOrNotTheMachineHasThem) {
  for (const char* name : {"auto", "cpu", "cuda", "cuda:1", "xpu:0"}) {
    EXPECT_NO_THROW(require_device_name(name, "r.yaml:3:5")) << name;
  }
  for (const char* name : {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "meta", "Cuda"}) {
    EXPECT_THROW(require_device_name(name, "r.yaml:3:5"), UsageError) << name;
  }
  EXPECT_EQ(error_of([] { require_device_name("gpu", "r.yaml:3:5"); }),
            "r.yaml:3:5: 'gpu' names no device; write auto, cpu, cuda, or cuda:1 for the second");
}

TEST(Device, AutoIsTheCpuWhereThereIsNoCuda) {
  if (at::globalContext().hasCUDA()) GTEST_SKIP() << "this machine has CUDA";
  EXPECT_EQ(device_for("auto", "here"), at::Device(at::kCPU));
  EXPECT_EQ(device_for("cpu", "here"), at::Device(at::kCPU));
}

TEST(Device, ADeviceOfTheMachineIsTheFirstOfItsKindUnlessANumberIsGiven) {
  EXPECT_EQ(device_for("hpu", "here"), fake_device());
  EXPECT_EQ(device_for("hpu:0", "here"), fake_device());
}

TEST(Device, OneThatIsNotThereIsRefusedWithPlaceAndCure) {
  if (at::globalContext().hasCUDA()) GTEST_SKIP() << "this machine has CUDA";
  EXPECT_THAT(error_of([] { device_for("cuda:1", "r.yaml: student.training.device"); }),
              AllOf(StartsWith("r.yaml: student.training.device: cuda:1 is not there"),
                    HasSubstr("no"), HasSubstr("cuda device; write auto or cpu")));
  EXPECT_EQ(error_of([] { device_for("hpu:1", "here"); }),
            "here: hpu:1 is not there, the last hpu device of this machine is hpu:0; write that "
            "one, or auto");
}

TEST(FakeDeviceDeathTest, ReadingItsMemoryAsTheCpusKills) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto numbers = torch::ones({4}).to(fake_device());
  EXPECT_EQ(on_cpu(numbers).const_data_ptr<float>()[0], 1.f);
  EXPECT_EXIT(std::exit(static_cast<int>(numbers.const_data_ptr<float>()[0])),
              ::testing::KilledBySignal(SIGSEGV), "");
}

TEST(FakeDevice, MixingItsTensorsWithTheCpusThrows) {
  EXPECT_THROW(torch::ones({4}).to(fake_device()) + torch::ones({4}), c10::Error);
}

TEST(OnCpu, KeepsValuesAndCopiesOnlyWhatLiesElsewhere) {
  const auto numbers = torch::arange(6).view({2, 3});
  EXPECT_EQ(on_cpu(numbers).const_data_ptr(), numbers.const_data_ptr());
  const auto turned = on_cpu(numbers.to(fake_device()).t());
  EXPECT_TRUE(turned.is_cpu() && turned.is_contiguous());
  EXPECT_TRUE(at::equal(turned, numbers.t()));
}

class NetsOnDevice : public ::testing::TestWithParam<SmallBackbone> {
 protected:
  Model net = make<Backbone>(GetParam().name, GetParam().options)->build(5, Random(1));
};

TEST_P(NetsOnDevice, AnswerAsOnTheCpuAndLeaveTheirGradientsThere) {
  const auto clips = torch::randn({2, 3, 4, 48, 48});
  const auto labels = torch::tensor({0, 1}, torch::kInt64);
  net->eval();
  const auto expected = [&] {
    const torch::NoGradGuard no_grad;
    return net->forward(clips);
  }();
  net->to(fake_device());
  EXPECT_EQ(device_of(*net), fake_device());
  const Output output = net->forward(clips.to(fake_device()));
  EXPECT_EQ(output.logits.device(), fake_device());
  EXPECT_TRUE(at::allclose(on_cpu(output.logits), expected.logits, 1e-3, 1e-4));
  EXPECT_TRUE(at::allclose(on_cpu(output.embedding), expected.embedding, 1e-3, 1e-4));
  net->train();
  at::cross_entropy_loss(net->forward(clips.to(fake_device())).logits, labels.to(fake_device()))
      .backward();
  for (const auto& row : net->named_parameters()) {
    ASSERT_TRUE(row.value().grad().defined()) << row.key();
    EXPECT_EQ(row.value().grad().device(), fake_device()) << row.key();
  }
}

INSTANTIATE_TEST_SUITE_P(Backbones, NetsOnDevice, ::testing::ValuesIn(small_backbones()));

std::string fingerprint_of(const Tensors& tensors) {
  Fingerprint print;
  add_tensors(print, tensors);
  return print.hex();
}

TEST(WeightsOnDevice, HaveTheFingerprintAndTheFileThatTheyHaveOnTheCpu) {
  const TemporaryFolder folder;
  const Model net = make<Backbone>("resnet3d", "depth: 10, width: 4")->build(4, Random(1));
  const std::string print = fingerprint_of(state(*net));
  const std::string sum = checksum_of(state(*net), {});
  const std::string here = folder / "here.safetensors";
  const std::string there = folder / "there.safetensors";
  save_checked(here, state(*net));
  net->to(fake_device());
  EXPECT_EQ(fingerprint_of(state(*net)), print);
  EXPECT_EQ(checksum_of(state(*net), {}), sum);
  save_checked(there, state(*net));
  EXPECT_EQ(checksum_of(load_checked(there), {}), sum);

  const Model other = make<Backbone>("resnet3d", "depth: 10, width: 4")->build(4, Random(2));
  other->to(fake_device());
  EXPECT_NE(fingerprint_of(state(*other)), print);
  load_into(*other, load_checked(here));
  EXPECT_EQ(device_of(*other), fake_device());
  EXPECT_EQ(fingerprint_of(state(*other)), print);
}

TEST(WeightsFingerprint, DependsOnNamesValuesAndOrder) {
  const Tensors one = {{"a", torch::ones({2})}, {"b", torch::zeros({2})}};
  const Tensors renamed = {{"c", torch::ones({2})}, {"b", torch::zeros({2})}};
  const Tensors turned = {{"b", torch::zeros({2})}, {"a", torch::ones({2})}};
  const Tensors changed = {{"a", torch::ones({2})}, {"b", torch::ones({2})}};
  EXPECT_EQ(fingerprint_of(one), fingerprint_of(one));
  for (const auto& other : {renamed, turned, changed})
    EXPECT_NE(fingerprint_of(one), fingerprint_of(other));
}

}  // namespace
}  // namespace distal
