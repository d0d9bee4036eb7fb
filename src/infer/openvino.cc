#include "infer/openvino.h"

#include <condition_variable>
#include <mutex>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "base/error.h"

#ifdef DISTAL_OPENVINO
#include <openvino/core/graph_util.hpp>
#include <openvino/openvino.hpp>
#endif

namespace distal {

#ifdef DISTAL_OPENVINO
namespace {

ov::Core& core() {
  static ov::Core core;
  return core;
}

std::shared_ptr<ov::Model> read(const OnnxModel& model) { return core().read_model(model.serialised(), ov::Tensor()); }

// OpenVINO's exceptions carry lines of its sources; the first says enough.
template <class Work> auto guarded(const char* what, const Work& work) {
  try {
    return work();
  } catch (const ov::Exception& error) {
    fail("OpenVINO: {}: {}; use engine libtorch", what, error.what());
  }
}

ov::Shape with_batch(const OnnxModel& model, int64_t batch) {
  ov::Shape shape = {static_cast<size_t>(batch)};
  shape.insert(shape.end(), model.clip.begin(), model.clip.end());
  return shape;
}

ov::Tensor view_of(const at::Tensor& clips) {
  const auto sizes = clips.sizes();
  return {ov::element::f32, ov::Shape(sizes.begin(), sizes.end()), const_cast<float*>(clips.const_data_ptr<float>())};
}

at::Tensor copy_of(const ov::Tensor& tensor, int64_t rows) {
  const auto shape = tensor.get_shape();
  const std::vector<int64_t> sizes(shape.begin(), shape.end());
  return at::from_blob(const_cast<float*>(tensor.data<const float>()), sizes, at::kFloat).narrow(0, 0, rows).clone();
}

void require_precision(const OpenvinoOptions& options) {
  if (options.precision != "bf16") return;
  const auto capabilities = openvino_capabilities();
  if (std::find(capabilities.begin(), capabilities.end(), "BF16") != capabilities.end()) return;
  fail("precision bf16: this processor does not compute in bf16 (it has {}); use f32 or int8", fmt::join(capabilities, ", "));
}

class OpenvinoEngine final : public Engine {
 public:
  OpenvinoEngine(const std::shared_ptr<ov::Model>& model, const OpenvinoOptions& options) : batch_(options.batch) {
    const int64_t threads = options.threads > 0 ? options.threads : at::get_num_threads();
    auto shape = model->input().get_partial_shape();
    shape[0] = batch_;
    model->reshape(shape);
    compiled_ = core().compile_model(model, "CPU", ov::hint::inference_precision(options.precision == "bf16" ? ov::element::bf16 : ov::element::f32),
                                     ov::inference_num_threads(static_cast<int>(threads)), ov::num_streams(ov::streams::Num(static_cast<int>(threads))),
                                     ov::hint::enable_cpu_pinning(false));
    for (int64_t i = 0; i < threads + 1; ++i) slots_.push_back(std::make_unique<Slot>(compiled_.create_infer_request()));
    for (auto& slot : slots_) free_.push_back(slot.get());
  }
  ~OpenvinoEngine() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_.size() == slots_.size(); });
  }

  std::future<Output> submit(const at::Tensor& clips) override {
    expect(clips.size(0) <= batch_ && clips.scalar_type() == at::kFloat, "an engine gets at most its batch, in float32");
    Slot& slot = take();
    slot.rows = clips.size(0);
    slot.clips = clips.contiguous();
    if (slot.rows < batch_) {
      auto sizes = clips.sizes().vec();
      sizes[0] = batch_ - slot.rows;
      slot.clips = at::cat({slot.clips, at::zeros(sizes)});
    }
    slot.done = std::promise<Output>();
    auto answer = slot.done.get_future();
    slot.request.set_input_tensor(view_of(slot.clips));
    slot.request.set_callback([this, &slot](const std::exception_ptr& error) { finish(slot, error); });
    slot.request.start_async();
    return answer;
  }
  int64_t requests() const override { return std::ssize(slots_); }
  int64_t batch() const override { return batch_; }

 private:
  struct Slot {
    explicit Slot(ov::InferRequest request) : request(std::move(request)) {}
    ov::InferRequest request;
    at::Tensor clips;
    int64_t rows = 0;
    std::promise<Output> done;
  };
  Slot& take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !free_.empty(); });
    Slot* slot = free_.back();
    free_.pop_back();
    return *slot;
  }
  void finish(Slot& slot, const std::exception_ptr& error) {
    auto done = std::move(slot.done);
    Output output;
    if (!error) output = {copy_of(slot.request.get_tensor("logits"), slot.rows), copy_of(slot.request.get_tensor("embedding"), slot.rows)};
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(&slot);
      changed_.notify_all();
    }
    error ? done.set_exception(error) : done.set_value(std::move(output));
  }

  int64_t batch_;
  ov::CompiledModel compiled_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace

std::string openvino_line() {
  std::string line = ov::get_openvino_version().buildNumber;
  for (const auto& device : core().get_available_devices()) line += ", " + device + ": " + core().get_property(device, ov::device::full_name);
  return line;
}

bool openvino_present() {
  const auto devices = core().get_available_devices();
  return std::find(devices.begin(), devices.end(), "CPU") != devices.end();
}

std::vector<std::string> openvino_capabilities() { return core().get_property("CPU", ov::device::capabilities); }

std::unique_ptr<Engine> openvino_engine(const OnnxModel& model, const OpenvinoOptions& options) {
  require_precision(options);
  return guarded("cannot compile the model", [&] { return std::make_unique<OpenvinoEngine>(read(model), options); });
}

std::unique_ptr<Engine> openvino_file_engine(const std::string& path, const OpenvinoOptions& options) {
  require_precision(options);
  return guarded(path.c_str(), [&] { return std::make_unique<OpenvinoEngine>(core().read_model(path), options); });
}

void save_openvino(const OnnxModel& model, const std::string& path_xml) {
  guarded("cannot write the model", [&] { ov::save_model(read(model), path_xml, /*compress_to_fp16=*/false); });
}

std::function<Tensorwise(const at::Tensor&)> openvino_probe(const OnnxModel& model, const std::vector<std::string>& names, int64_t batch) {
  return guarded("cannot compile the model", [&]() -> std::function<Tensorwise(const at::Tensor&)> {
    const auto read_model = read(model);
    for (const auto& name : names) {
      if (name != "logits" && name != "embedding" && name != "clips") read_model->add_output(name);
    }
    read_model->reshape(ov::PartialShape(with_batch(model, batch)));
    const auto request = std::make_shared<ov::InferRequest>(
        core().compile_model(read_model, "CPU", ov::hint::inference_precision(ov::element::f32)).create_infer_request());
    return [request, names](const at::Tensor& clips) {
      const auto whole = clips.contiguous();
      request->set_input_tensor(view_of(whole));
      request->infer();
      Tensorwise tensors;
      for (const auto& name : names) tensors[name] = name == "clips" ? whole : copy_of(request->get_tensor(name), whole.size(0));
      return tensors;
    };
  });
}

#else

namespace {
[[noreturn]] void absent() { fail("distal was built without OpenVINO; set OpenVINO_DIR, or let make fetch its wheel, or use engine libtorch"); }
}  // namespace

std::string openvino_line() { return "not built in; set OpenVINO_DIR, or let make fetch its wheel"; }
bool openvino_present() { return false; }
std::vector<std::string> openvino_capabilities() { return {}; }
std::unique_ptr<Engine> openvino_engine(const OnnxModel&, const OpenvinoOptions&) { absent(); }
std::unique_ptr<Engine> openvino_file_engine(const std::string&, const OpenvinoOptions&) { absent(); }
void save_openvino(const OnnxModel&, const std::string&) { absent(); }
std::function<Tensorwise(const at::Tensor&)> openvino_probe(const OnnxModel&, const std::vector<std::string>&, int64_t) { absent(); }

#endif

}  // namespace distal
