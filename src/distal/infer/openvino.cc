#include "distal/infer/openvino.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include <sched.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/in_our_words.h"

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

// Puts the network of an .xml file into its place in `ours`.
std::shared_ptr<ov::Model> with_part(const std::shared_ptr<ov::Model>& ours,
                                     const OnnxModel& model) {
  const auto place = std::find_if(model.nodes.begin(), model.nodes.end(),
                                  [](const OnnxNode& node) { return node.type == kOnnxPart; });
  const auto theirs = core().read_model(model.part_xml);
  const auto value_of = [](const ov::Output<ov::Node>& result) {
    return result.get_node()->input_value(0);
  };
  const auto wanted = ours->output(place->inputs[0]);
  const auto given = ours->input(place->output);
  theirs->input().replace(value_of(wanted));
  given.get_node_shared_ptr()->output(0).replace(value_of(theirs->output(model.part_xml_output)));
  ov::ResultVector results = ours->get_results();
  std::erase_if(results, [&](const auto& one) { return one.get() == wanted.get_node(); });
  ov::ParameterVector parameters = ours->get_parameters();
  std::erase_if(parameters, [&](const auto& one) { return one.get() == given.get_node(); });
  return std::make_shared<ov::Model>(results, parameters);
}

std::shared_ptr<ov::Model> read(const OnnxModel& model) {
  const auto ours = core().read_model(model.serialised(), ov::Tensor());
  return model.part_xml.empty() ? ours : with_part(ours, model);
}

constexpr const char* kNotCompiled =
    "OpenVINO cannot compile the model: an operation of it, or the memory that takes, is beyond "
    "it; --engine libtorch does without OpenVINO";
constexpr const char* kNotEvaluated =
    "OpenVINO cannot evaluate the clips, as where memory is short; end some programs, or use "
    "--engine libtorch, which does without OpenVINO";

// That this process may run on.
int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0
             ? CPU_COUNT(&set)
             : static_cast<int>(std::thread::hardware_concurrency());
}

// OpenVINO tries one reader after the other on what it does not know, and they print.
void require_readable(const std::string& path) {
  const MappedFile file(path);
  const std::string_view bytes(file.data(), file.size());
  if (std::filesystem::path(path).extension() == ".onnx") {
    if (!is_onnx(bytes))
      fail("{}: no ONNX file, or cut off; copy it again, or export the model again with distal "
           "export",
           path);
    return;
  }
  constexpr size_t kHead = 1 << 16;
  const std::string_view head = bytes.substr(0, kHead);
  const size_t first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string_view::npos || head[first] != '<' ||
      head.find("<net") == std::string_view::npos)
    fail("{}: no model of OpenVINO (no <net> in it); give the .xml that distal export wrote", path);
  const std::string weights = std::filesystem::path(path).replace_extension(".bin").string();
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(weights, unknown))
    fail("{}: its weights, {}, are missing; copy both files", path, weights);
}

int threads_of(int64_t threads) {
  return threads > 0 ? static_cast<int>(threads) : at::get_num_threads();
}

ov::Tensor view_of(const at::Tensor& clips) {
  const auto sizes = clips.sizes();
  return {ov::element::f32, ov::Shape(sizes.begin(), sizes.end()),
          const_cast<float*>(clips.const_data_ptr<float>())};
}

at::Tensor view_of(const ov::Tensor& tensor) {
  const auto shape = tensor.get_shape();
  return at::from_blob(const_cast<float*>(tensor.data<const float>()),
                       std::vector<int64_t>(shape.begin(), shape.end()), at::kFloat);
}

bool computes_in_bf16() {
  const auto capabilities = openvino_capabilities();
  return std::find(capabilities.begin(), capabilities.end(), "BF16") != capabilities.end();
}

void require_precision(const OpenvinoOptions& options) {
  if (options.precision == "bf16" && !computes_in_bf16())
    fail("precision bf16: this processor does not compute in bf16 (it has {}); use f32 or int8",
         fmt::join(openvino_capabilities(), ", "));
}

void require_processor() {
  if (!openvino_present())
    fail("OpenVINO finds no processor to compute on (of devices it has: {}); install it whole, "
         "with its plugin for processors, or use --engine libtorch with the .safetensors",
         fmt::join(core().get_available_devices(), ", "));
}

// Where its only input and its outputs are those of OnnxModel, which exports write; else what they
// are.
std::string unlike_ours(const ov::Model& model) {
  std::vector<std::string> takes, gives;
  for (const auto& input : model.inputs())
    takes.push_back(fmt::format("{} {}", input.get_element_type().get_type_name(),
                                input.get_partial_shape().to_string()));
  std::set<std::string> named;
  for (const auto& output : model.outputs()) {
    named.insert(output.get_names().begin(), output.get_names().end());
    gives.push_back(output.get_names().empty() ? "an output without a name"
                                               : *output.get_names().begin());
  }
  const auto ours = [](const ov::PartialShape& shape) {
    return shape.rank().is_static() && shape.size() == 5 &&
           std::all_of(shape.begin() + 1, shape.end(),
                       [](const auto& size) { return size.is_static(); }) &&
           shape[1] == 3;
  };
  const bool clips = takes.size() == 1 && model.input().get_element_type() == ov::element::f32 &&
                     ours(model.input().get_partial_shape());
  if (clips && named.contains("logits") && named.contains("embedding")) return "";
  return fmt::format("takes {} and gives {}", fmt::join(takes, ", "), fmt::join(gives, ", "));
}

bool is_named(const ov::Output<ov::Node>& output, const char* name) {
  return output.get_names().count(name) > 0;
}

// A model that takes frames, from its clips on; any other as it is.
std::shared_ptr<ov::Model> entered_at_clips(const std::shared_ptr<ov::Model>& model) {
  if (model->inputs().size() != 1 || model->input().get_element_type() != ov::element::u8)
    return model;
  for (const auto& node : model->get_ordered_ops()) {
    for (ov::Output<ov::Node> output : node->outputs()) {
      if (!is_named(output, "clips")) continue;
      const auto clips = std::make_shared<ov::op::v0::Parameter>(output.get_element_type(),
                                                                 output.get_partial_shape());
      output.replace(clips->output(0));
      ov::ResultVector results;
      for (const auto& result : model->get_results()) {
        const auto source = result->input_value(0);
        if (is_named(source, "logits") || is_named(source, "embedding")) results.push_back(result);
      }
      return std::make_shared<ov::Model>(results, ov::ParameterVector{clips});
    }
  }
  return model;
}

std::shared_ptr<ov::Model> model_in(const std::string& path) {
  require_readable(path);
  return in_our_words(
      fmt::format("{}: OpenVINO cannot read it; give the .onnx, or the .xml with its "
                  ".bin, as distal export wrote it",
                  path),
      [&] { return core().read_model(path); });
}

bool in_eight_bits(const ov::Model& model) {
  const auto operations = model.get_ops();
  return std::any_of(operations.begin(), operations.end(), [](const auto& node) {
    return std::string_view(node->get_type_name()) == "FakeQuantize";
  });
}

ov::element::Type precision_of(const ov::Model& model, const OpenvinoOptions& options) {
  return options.precision == "bf16" ||
                 (options.precision == "auto" && in_eight_bits(model) && computes_in_bf16())
             ? ov::element::bf16
             : ov::element::f32;
}

// Clips of one question. Its slot is its own until the answer is copied out.
struct Slot;
struct Question {
  Slot* slot = nullptr;
  int64_t rows = 0;
  Output answer;
  std::exception_ptr error;
};
struct Slot {
  ov::InferRequest request;
  at::Tensor clips;
  std::shared_ptr<Question> question;

  // Waits for the answer and is free again.
  void finish() {
    if (!question) return;
    const auto done = std::exchange(question, nullptr);
    done->slot = nullptr;
    try {
      request.wait();
      const auto copy = [&](const char* name) {
        return view_of(request.get_tensor(name)).narrow(0, 0, done->rows).clone();
      };
      done->answer = {copy("logits"), copy("embedding")};
    } catch (const std::exception&) {
      done->error = std::make_exception_ptr(Error(kNotEvaluated));
    }
    clips.reset();
  }
};

class OpenvinoEngine final : public Engine {
 public:
  OpenvinoEngine(const std::shared_ptr<ov::Model>& model, const OpenvinoOptions& options)
      : batch_(options.batch) {
    if (options.clips > 0) batch_ = std::min(batch_, options.clips);
    const int threads = threads_of(options.threads);
    const auto streams = options.clips > 0
                             ? std::min<int64_t>(threads, (options.clips + batch_ - 1) / batch_)
                             : threads;
    auto shape = model->input().get_partial_shape();
    shape[0] = batch_;
    model->reshape(shape);
    sizes_ = {shape[1].get_length(), shape[2].get_length(), shape[3].get_length(),
              shape[4].get_length()};
    const bool whole_machine = threads >= processors();  // else another process may have been given
                                                         // the rest, and be pinned to the same
    auto compiled = core().compile_model(
        model, "CPU", ov::hint::inference_precision(precision_of(*model, options)),
        ov::inference_num_threads(threads),
        ov::num_streams(ov::streams::Num(static_cast<int>(streams))),
        ov::hint::enable_cpu_pinning(whole_machine));
    for (int64_t i = 0; i < streams + 1; ++i)
      slots_.push_back({compiled.create_infer_request(), {}, nullptr});
  }
  ~OpenvinoEngine() override {
    for (auto& slot : slots_) slot.finish();
  }

  std::future<Output> submit(const at::Tensor& clips) override {
    expect(clips.size(0) <= batch_ && clips.scalar_type() == at::kFloat,
           "an engine gets at most its batch, in float32");
    if (clips.sizes().slice(1) != at::IntArrayRef(sizes_))
      fail("the model takes clips [{}] and gets [{}]; freeze or export it again for these",
           fmt::join(sizes_, ", "), fmt::join(clips.sizes().slice(1), ", "));
    Slot& slot = slots_[next_++ % slots_.size()];
    slot.finish();
    slot.clips = filled_up(clips);
    in_our_words(kNotEvaluated, [&] {
      slot.request.set_input_tensor(view_of(slot.clips));
      slot.request.start_async();
    });
    slot.question = std::make_shared<Question>(Question{&slot, clips.size(0), {}, nullptr});
    return std::async(std::launch::deferred, [question = slot.question] {
      if (question->slot) question->slot->finish();
      if (question->error) std::rethrow_exception(question->error);
      return std::move(question->answer);
    });
  }
  int64_t requests() const override { return std::ssize(slots_); }
  int64_t batch() const override { return batch_; }
  bool company_counts() const override { return false; }

 private:
  at::Tensor filled_up(const at::Tensor& clips) const {
    if (clips.size(0) == batch_) return clips.contiguous();
    auto sizes = clips.sizes().vec();
    sizes[0] = batch_ - clips.size(0);
    return at::cat({clips, at::zeros(sizes)});
  }

  int64_t batch_;
  std::vector<int64_t> sizes_;  // 3, T, H, W
  std::vector<Slot> slots_;
  size_t next_ = 0;
};

}  // namespace

std::string openvino_line() {
  std::string line = ov::get_openvino_version().buildNumber;
  for (const auto& device : core().get_available_devices())
    line += ", " + device + ": " + core().get_property(device, ov::device::full_name);
  return line;
}

bool openvino_present() {
  const auto devices = core().get_available_devices();
  return std::find(devices.begin(), devices.end(), "CPU") != devices.end();
}

std::vector<std::string> openvino_capabilities() {
  return core().get_property("CPU", ov::device::capabilities);
}

std::unique_ptr<Engine> openvino_engine(const OnnxModel& model, const OpenvinoOptions& options) {
  require_processor();
  require_precision(options);
  return in_our_words(kNotCompiled,
                      [&] { return std::make_unique<OpenvinoEngine>(read(model), options); });
}

std::unique_ptr<Engine> openvino_file_engine(const std::string& path,
                                             const OpenvinoOptions& options) {
  require_processor();
  require_precision(options);
  const auto model = in_our_words(kNotCompiled, [&] { return entered_at_clips(model_in(path)); });
  if (const std::string is = unlike_ours(*model); !is.empty())
    fail("{}: {}, where a model of distal takes f32 [N, 3, T, H, W], or frames, and gives logits, "
         "embedding; give a file that distal export wrote",
         path, is);
  const auto failure = fmt::format(
      "{}: OpenVINO reads it but cannot compile it for this processor, with precision {} on {} "
      "threads; try --precision f32 and fewer --threads, or give the .safetensors",
      path, options.precision, threads_of(options.threads));
  return in_our_words(failure, [&] { return std::make_unique<OpenvinoEngine>(model, options); });
}

at::Tensor openvino_probabilities(const std::string& path, const at::Tensor& frames) {
  require_processor();
  expect(frames.dim() == 5 && frames.scalar_type() == at::kByte,
         "frames are uint8 [N, T, H, W, 3]");
  const auto model = model_in(path);
  if (model->inputs().size() != 1 || model->input().get_element_type() != ov::element::u8)
    fail("{}: takes clips, and not frames; export it again", path);
  const at::Tensor whole = frames.contiguous();
  const ov::Shape shape(whole.sizes().begin(), whole.sizes().end());
  return in_our_words(kNotEvaluated, [&] {
    model->reshape(ov::PartialShape(shape));
    auto request = core()
                       .compile_model(model, "CPU", ov::hint::inference_precision(ov::element::f32),
                                      ov::inference_num_threads(threads_of(0)))
                       .create_infer_request();
    request.set_input_tensor(
        {ov::element::u8, shape, const_cast<uint8_t*>(whole.const_data_ptr<uint8_t>())});
    request.infer();
    return view_of(request.get_tensor("probabilities")).clone();
  });
}

void save_openvino(const OnnxModel& model, const std::string& path_xml) {
  in_our_words(
      fmt::format("{}: OpenVINO cannot write it and the .bin beside it; check its folder and "
                  "the space on the disk",
                  path_xml),
      [&] {
        const auto written = read(model);
        for (const auto& [name, text] : model.metadata) written->set_rt_info(text, name);
        ov::save_model(written, path_xml, /*compress_to_fp16=*/false);
      });
}

std::function<void(const at::Tensor&, const SeeTensor&)> openvino_probe(
    const OnnxModel& model, const std::vector<std::string>& names, int64_t threads) {
  const auto request = in_our_words(kNotCompiled, [&] {
    const auto read_model = read(model);
    for (const auto& name : names) {
      if (name != "logits" && name != "embedding" && name != "clips") read_model->add_output(name);
    }
    auto shape = read_model->input().get_partial_shape();
    shape[0] = 1;
    read_model->reshape(shape);
    auto compiled =
        core().compile_model(read_model, "CPU", ov::hint::inference_precision(ov::element::f32),
                             ov::inference_num_threads(threads_of(threads)));
    return std::make_shared<ov::InferRequest>(compiled.create_infer_request());
  });
  return [request, names](const at::Tensor& clip, const SeeTensor& see) {
    const auto whole = clip.contiguous();
    in_our_words(kNotEvaluated, [&] {
      request->set_input_tensor(view_of(whole));
      request->infer();
    });
    for (const auto& name : names)
      see(name, name == "clips" ? whole : view_of(request->get_tensor(name)));
  };
}

#else

namespace {
[[noreturn]] void absent() {
  fail("distal was built without OpenVINO; set OpenVINO_DIR, or let make fetch its wheel, and "
       "build again");
}
}  // namespace

std::string openvino_line() {
  return "not built in; set OpenVINO_DIR, or let make fetch its wheel";
}
bool openvino_present() { return false; }
std::vector<std::string> openvino_capabilities() { return {}; }
std::unique_ptr<Engine> openvino_engine(const OnnxModel&, const OpenvinoOptions&) { absent(); }
std::unique_ptr<Engine> openvino_file_engine(const std::string&, const OpenvinoOptions&) {
  absent();
}
torch::Tensor openvino_probabilities(const std::string&, const torch::Tensor&) { absent(); }
void save_openvino(const OnnxModel&, const std::string&) { absent(); }
std::function<void(const at::Tensor&, const SeeTensor&)> openvino_probe(
    const OnnxModel&, const std::vector<std::string>&, int64_t) {
  absent();
}

#endif

}  // namespace distal
