#include "support/fake_device.h"

#include <map>
#include <mutex>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/detail/HPUHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>

// Why HPU: LibTorch's CPU build has its dispatch keys and no kernel for it. PrivateUse1 would not
// do, because Module::to gives parameters new memory in place and its list of kinds for which that
// is allowed (TensorImpl.h, has_compatible_shallow_copy_type) lacks it.
namespace distal {
namespace {

using std::optional;

constexpr at::DeviceType kType = at::kHPU;
constexpr size_t kPage = 4096;

at::Device the_device() { return {kType, 0}; }

// Blocks of whole pages that nobody may touch but while they are open.
class Memory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, the_device()};
    const size_t size = (bytes + kPage - 1) / kPage * kPage;
    void* block = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TORCH_CHECK(block != MAP_FAILED, "the fake device has no memory left");
    const std::lock_guard lock(mutex());
    sizes()[block] = size;
    return {block, block, &release, the_device()};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void*, const void*, size_t) const override {
    TORCH_CHECK(false, "copies go through tensors");
  }

  static void protect(void* block, int access) {
    const std::lock_guard lock(mutex());
    mprotect(block, sizes().at(block), access);
  }

 private:
  static void release(void* block) {
    if (!block) return;
    const std::lock_guard lock(mutex());
    munmap(block, sizes().at(block));
    sizes().erase(block);
  }
  static std::mutex& mutex() {
    static auto* mutex = new std::mutex;  // outlives every static tensor
    return *mutex;
  }
  static std::map<void*, size_t>& sizes() {
    static auto* sizes = new std::map<void*, size_t>;
    return *sizes;
  }
};

Memory& memory() {
  static auto* memory = new Memory;
  return *memory;
}

// While it lives, the CPU may touch the block of a tensor.
class Open {
 public:
  explicit Open(const at::Tensor& tensor) : block_(tensor.storage().mutable_data()) {
    if (block_) Memory::protect(block_, PROT_READ | PROT_WRITE);
  }
  ~Open() {
    if (block_) Memory::protect(block_, PROT_NONE);
  }
  Open(const Open&) = delete;

 private:
  void* block_;
};

// A CPU tensor over the same memory; to be used while that is open.
at::Tensor as_cpu(const at::Tensor& tensor) {
  if (tensor.is_cpu()) return tensor;
  char* const block = static_cast<char*>(tensor.storage().mutable_data());
  char* const first = block + tensor.storage_offset() * static_cast<int64_t>(tensor.element_size());
  return at::from_blob(first, tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  static auto* one_at_a_time = new std::mutex;  // two copies may share a block
  const std::lock_guard lock(*one_at_a_time);
  const at::NoGradGuard no_grad;
  const bool same_block = from.storage().data() == to.storage().data();
  optional<Open> source, target;
  if (!from.is_cpu()) source.emplace(from);
  if (!to.is_cpu() && !same_block) target.emplace(to);
  as_cpu(to).copy_(as_cpu(from));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copy_from(from, to, false);
}

at::Tensor empty(at::IntArrayRef sizes, optional<at::ScalarType> type, optional<at::Layout>,
                 optional<at::Device>, optional<bool>, optional<at::MemoryFormat> format) {
  const c10::DispatchKeySet keys(c10::DispatchKey::HPU);
  return at::detail::empty_generic(sizes, &memory(), keys, c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(at::IntArrayRef sizes, at::IntArrayRef strides,
                         optional<at::ScalarType> type, optional<at::Layout>, optional<at::Device>,
                         optional<bool>) {
  const c10::DispatchKeySet keys(c10::DispatchKey::HPU);
  return at::detail::empty_strided_generic(sizes, strides, &memory(), keys,
                                           c10::dtype_or_default(type));
}

const at::Tensor& resize(const at::Tensor& tensor, at::IntArrayRef sizes,
                         optional<at::MemoryFormat>) {
  auto* const impl = tensor.unsafeGetTensorImpl();
  impl->set_sizes_contiguous(sizes);
  const size_t needed = impl->storage_offset() * tensor.element_size() + tensor.nbytes();
  if (tensor.storage().nbytes() >= needed) return tensor;
  impl->unsafe_storage().set_data_ptr(memory().allocate(needed));
  impl->unsafe_storage().set_nbytes(needed);
  return tensor;
}

at::Scalar number(const at::Tensor& tensor) { return at::_local_scalar_dense(tensor.cpu()); }

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight,
                       const optional<at::Tensor>& bias, at::IntArrayRef stride,
                       at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                       at::IntArrayRef output_padding, int64_t groups) {
  optional<at::Tensor> b;
  if (bias && bias->defined()) b = bias->cpu();
  return at::convolution(x.cpu(), weight.cpu(), b, stride, padding, dilation, transposed,
                         output_padding, groups)
      .to(x.device());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
    at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
    at::IntArrayRef output_padding, int64_t groups, std::array<bool, 3> wanted) {
  at::OptionalIntArrayRef bias_sizes;
  const std::vector<int64_t> channels = {gradient.size(1)};
  if (wanted[2]) bias_sizes = channels;
  const auto [of_x, of_weight, of_bias] =
      at::convolution_backward(gradient.cpu(), x.cpu(), weight.cpu(), bias_sizes, stride, padding,
                               dilation, transposed, output_padding, groups, wanted);
  const auto back = [&](const at::Tensor& t) { return t.defined() ? t.to(x.device()) : t; };
  return {back(of_x), back(of_weight), back(of_bias)};
}

// By hand, because it changes the running statistics and its schema does not say so: the fallback
// would change copies.
std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm(
    const at::Tensor& x, const optional<at::Tensor>& weight, const optional<at::Tensor>& bias,
    const optional<at::Tensor>& mean, const optional<at::Tensor>& variance, bool training,
    double momentum, double epsilon) {
  const auto here = [](const optional<at::Tensor>& t) {
    return t && t->defined() ? t->cpu() : at::Tensor();
  };
  const at::Tensor mean_here = here(mean);
  const at::Tensor variance_here = here(variance);
  const auto [y, save_mean, save_inverse] = at::native_batch_norm(
      x.cpu(), here(weight), here(bias), mean_here, variance_here, training, momentum, epsilon);
  if (training && mean_here.defined()) mean->copy_(mean_here);
  if (training && variance_here.defined()) variance->copy_(variance_here);
  return {y.to(x.device()), save_mean.to(x.device()), save_inverse.to(x.device())};
}

void compute_on_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  at::native::cpu_fallback(op, stack);
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return the_device(); }
  c10::Device getDevice() const override { return the_device(); }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
};
C10_REGISTER_GUARD_IMPL(HPU, Guard);

TORCH_LIBRARY_IMPL(_, HPU, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&compute_on_cpu>());
}
TORCH_LIBRARY_IMPL(_, AutocastHPU, library) {
  library.fallback(torch::CppFunction::makeFallthrough());
}
TORCH_LIBRARY_IMPL(aten, HPU, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("resize_", resize);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
  library.impl("_local_scalar_dense", number);
  library.impl("native_batch_norm", batch_norm);
  library.impl("convolution_overrideable", convolution);
  library.impl("convolution_backward_overrideable", convolution_backward);
}

}  // namespace

torch::Device fake_device() { return the_device(); }

}  // namespace distal

namespace at {

// What LibTorch asks of a device beside its kernels: whether it is there, and its generator, which
// at::manual_seed sets. Its random operations fall back to the CPU and draw from the CPU's.
struct FakeHooks final : HPUHooksInterface {
  explicit FakeHooks(HPUHooksArgs) {}
  void init() const override {}
  bool hasHPU() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  DeviceIndex exchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override { return 0; }
  void setCurrentDevice(DeviceIndex) const override {}
  const Generator& getDefaultGenerator(DeviceIndex) const override {
    static const auto* generator = new Generator(make_generator<CPUGeneratorImpl>());
    return *generator;
  }
};
C10_REGISTER_CLASS(HPUHooksRegistry, HPUHooks, FakeHooks);

}  // namespace at
