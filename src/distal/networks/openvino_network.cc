#include "distal/networks/openvino_network.h"

#include <cstring>
#include <set>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/in_our_words.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"
#include "distal/networks/input_form.h"

#ifdef DISTAL_OPENVINO
#include <openvino/core/preprocess/pre_post_process.hpp>
#include <openvino/op/result.hpp>
#include <openvino/openvino.hpp>
#endif

namespace distal {

#ifdef DISTAL_OPENVINO
namespace {

ov::Core& networks_core() {
  static ov::Core core;
  return core;
}

std::shared_ptr<ov::Model> model_of(const std::string& file) {
  return in_our_words(
      fmt::format("{}: OpenVINO cannot read it: an operation is beyond it, or the file is damaged; "
                  "export the network again, with another opset",
                  file),
      [&] { return networks_core().read_model(file); });
}

std::string name_of(const ov::Output<const ov::Node>& port) {
  const std::set<std::string> names(port.get_names().begin(), port.get_names().end());
  return names.empty() ? port.get_node()->get_friendly_name() : *names.begin();
}

NetworkPort port_of(const ov::Output<const ov::Node>& port) {
  NetworkPort found{name_of(port), port.get_element_type().get_type_name(), {}};
  const auto& shape = port.get_partial_shape();
  if (shape.rank().is_dynamic()) return found;
  for (const auto& size : shape) found.shape.push_back(size.is_static() ? size.get_length() : -1);
  return found;
}

// Texts of rt_info, which nest, under dotted keys.
void add_texts(const ov::AnyMap& values, const std::string& prefix,
               std::map<std::string, std::string>& texts) {
  constexpr size_t kMostTexts = 1000;
  for (const auto& [key, value] : values) {
    if (texts.size() >= kMostTexts) return;
    if (value.is<ov::AnyMap>())
      add_texts(value.as<ov::AnyMap>(), prefix + key + ".", texts);
    else if (value.is<std::string>())
      texts[prefix + key] = value.as<std::string>();
  }
}

/// The part of a model between one input and one output.
std::shared_ptr<ov::Model> between(const std::shared_ptr<ov::Model>& model,
                                   const ItemNetworkSetup& setup) {
  if (model->inputs().size() == 1 && model->outputs().size() == 1) return model;
  const auto called = [](const auto& nodes, const std::string& name) {
    return *std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) {
      return name_of({node.get(), 0}) == name;
    });
  };
  const auto result = called(model->get_results(), setup.output.name);
  const auto wanted = called(model->get_parameters(), setup.input.name);
  std::set<const ov::Node*> seen;
  std::vector<ov::Node*> open = {result.get()};
  while (!open.empty()) {
    ov::Node* node = open.back();
    open.pop_back();
    if (!seen.insert(node).second) continue;
    for (const auto& input : node->inputs()) open.push_back(input.get_source_output().get_node());
  }
  ov::ParameterVector parameters;
  std::vector<std::string> others;
  for (const auto& parameter : model->get_parameters()) {
    if (!seen.contains(parameter.get())) continue;
    if (parameter == wanted)
      parameters.push_back(parameter);
    else
      others.push_back(name_of({parameter.get(), 0}));
  }
  if (!others.empty())
    fail("{}: output {} of {} needs the input {} too; choose an output that {} alone decides, or "
         "export the network with the other input fixed",
         setup.place, excerpt(setup.output.name), setup.options.file,
         excerpt(fmt::format("{}", fmt::join(others, ", "))), excerpt(setup.input.name));
  if (parameters.empty())
    fail("{}: output {} of {} does not depend on the input {}; choose another output", setup.place,
         excerpt(setup.output.name), setup.options.file, excerpt(setup.input.name));
  return std::make_shared<ov::Model>(ov::ResultVector{result}, parameters);
}

/// Float32 or uint8 in, float32 out, whatever the file has.
std::shared_ptr<ov::Model> with_plain_ports(const std::shared_ptr<ov::Model>& model,
                                            bool as_bytes) {
  ov::preprocess::PrePostProcessor ports(model);
  ports.input().tensor().set_element_type(as_bytes ? ov::element::u8 : ov::element::f32);
  ports.output().tensor().set_element_type(ov::element::f32);
  return ports.build();
}

// A request of 224x224 pixels is as fast a frame as one of eight. Smaller inputs need more of them.
int64_t fitting_batch(int64_t item_numbers) {
  constexpr int64_t kNumbers = 2 * 3 * 224 * 224;
  return std::clamp<int64_t>(kNumbers / item_numbers, 1, 32);
}

bool computes_bf16() {
  const auto has = networks_core().get_property("CPU", ov::device::capabilities);
  return std::find(has.begin(), has.end(), "BF16") != has.end();
}

/// Requests of a fixed batch, several in flight. Fewer items are filled up with zeros.
class Requests {
 public:
  Requests(std::shared_ptr<ov::Model> model, const ItemNetworkSetup& setup, int64_t batch)
      : batch_(batch), item_bytes_(static_cast<size_t>(setup.form.item_bytes())) {
    ov::PartialShape shape{batch};
    for (const int64_t size : setup.form.item()) shape.push_back(size);
    model = model->clone();
    model->reshape(shape);
    model = with_plain_ports(model, setup.form.as_bytes());
    const int threads = at::get_num_threads();
    auto compiled = networks_core().compile_model(
        model, "CPU",
        ov::hint::inference_precision(setup.options.precision == "bf16" ? ov::element::bf16
                                                                        : ov::element::f32),
        ov::inference_num_threads(threads), ov::num_streams(ov::streams::Num(threads)),
        ov::hint::enable_cpu_pinning(false));
    for (int i = 0; i < threads + 1; ++i) slots_.push_back({compiled.create_infer_request()});
  }

  int64_t batch() const { return batch_; }

  at::Tensor run(int64_t count, const std::function<void(int64_t, void*)>& write) {
    at::Tensor all;
    const Finish finish{this};
    size_t next = 0;
    for (int64_t first = 0; first < count; first += batch_) {
      check_interrupted();
      Slot& slot = slots_[next++ % slots_.size()];
      take(slot, all, count);
      slot.first = first;
      slot.rows = std::min(batch_, count - first);
      auto* to = static_cast<char*>(slot.request.get_input_tensor().data());
      for (int64_t i = 0; i < slot.rows; ++i)
        write(first + i, to + static_cast<size_t>(i) * item_bytes_);
      std::memset(to + static_cast<size_t>(slot.rows) * item_bytes_, 0,
                  static_cast<size_t>(batch_ - slot.rows) * item_bytes_);
      slot.request.start_async();
      slot.busy = true;
    }
    for (size_t i = 0; i < slots_.size(); ++i) take(slots_[next++ % slots_.size()], all, count);
    return all;
  }

 private:
  struct Slot {
    ov::InferRequest request;
    bool busy = false;
    int64_t first = 0;
    int64_t rows = 0;
  };
  // Whatever throws, no request is left at work.
  struct Finish {
    Requests* requests;
    ~Finish() {
      for (auto& slot : requests->slots_) {
        if (!std::exchange(slot.busy, false)) continue;
        try {
          slot.request.wait();
        } catch (const std::exception&) {  // what threw first is what is said
        }
      }
    }
  };

  void take(Slot& slot, at::Tensor& all, int64_t count) {
    if (!slot.busy) return;
    slot.request.wait();
    slot.busy = false;
    const ov::Tensor answer = slot.request.get_output_tensor();
    const auto shape = answer.get_shape();
    std::vector<int64_t> sizes(shape.begin(), shape.end());
    if (sizes.size() < 2 || sizes[0] != batch_)
      fail("gives {} for {} of them, where a row each is needed", shape_text(sizes), batch_);
    if (!all.defined()) {
      sizes[0] = count;
      all = at::empty(sizes, at::kFloat);
    }
    const auto row_bytes = answer.get_byte_size() / static_cast<size_t>(batch_);
    if (row_bytes * static_cast<size_t>(count) != all.nbytes())
      fail("gives rows of different sizes");
    std::memcpy(static_cast<char*>(all.data_ptr()) + row_bytes * static_cast<size_t>(slot.first),
                answer.data(), row_bytes * static_cast<size_t>(slot.rows));
  }

  int64_t batch_;
  size_t item_bytes_;
  std::vector<Slot> slots_;
};

// Any pixels that differ, for items in a form: the same in each run.
void write_noise(const InputForm& form, int64_t i, void* to) {
  uint32_t state = 2463534242U + 40503U * static_cast<uint32_t>(i + 1);
  const auto next = [&] {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
  };
  const int64_t numbers = form.item_bytes() / (form.as_bytes() ? 1 : 4);
  for (int64_t k = 0; k < numbers; ++k) {
    if (form.as_bytes())
      static_cast<uint8_t*>(to)[k] = static_cast<uint8_t>(next() >> 24);
    else
      static_cast<float*>(to)[k] = static_cast<float>(next() >> 8) / (1 << 23) - 1;
  }
}

class OpenvinoNetwork final : public ItemNetwork {
 public:
  explicit OpenvinoNetwork(const ItemNetworkSetup& setup)
      : file_(setup.options.file), place_(setup.place) {
    require_precision(setup);
    const auto model =
        in_our_words(not_compiled(setup), [&] { return between(model_of(file_), setup); });
    const int64_t numbers = setup.form.item_bytes() / (setup.form.as_bytes() ? 1 : 4);
    const int64_t fixed = setup.form.batch();
    const int64_t batch = fixed > 0 ? fixed : fitting_batch(numbers);
    if (batch > 1 && try_batch(model, setup, batch)) return;
    if (fixed > 1)
      fail("{}: {} takes {}, and the answer for a row depends on the others; export it for one row",
           place_, file_, port_text(setup.input));
    requests_ = in_our_words(not_compiled(setup),
                             [&] { return std::make_unique<Requests>(model, setup, 1); });
  }

  at::Tensor run(int64_t count, const std::function<void(int64_t, void*)>& write) override {
    try {
      return in_our_words(
          fmt::format(
              "{}: OpenVINO cannot evaluate {}, as where memory is short; end some programs",
              place_, file_),
          [&] { return requests_->run(count, write); });
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      const std::string text = error.what();
      if (text.starts_with("gives ")) fail("{}: {} {}", place_, file_, text);
      throw;
    }
  }

 private:
  static void require_precision(const ItemNetworkSetup& setup) {
    if (setup.options.precision == "bf16" && !computes_bf16())
      fail("{}.precision: this processor does not compute in bf16; say f32", setup.place);
  }

  std::string not_compiled(const ItemNetworkSetup& setup) const {
    std::vector<int64_t> shape = setup.form.item();
    shape.insert(shape.begin(), -1);
    return fmt::format(
        "{}: {} takes {} and cannot be evaluated on {}; look at size_px, frames and layout, or "
        "export it for these",
        place_, file_, port_text(setup.input), shape_text(shape));
  }

  // Whether it takes several rows and a row's answer is the same in any company; it stays open
  // then.
  bool try_batch(const std::shared_ptr<ov::Model>& model, const ItemNetworkSetup& setup,
                 int64_t batch) {
    const auto aside = [&](const std::string& why) {
      if (setup.say)
        setup.say(fmt::format("{}: {} {}; it is asked one by one", place_, file_, why));
      return false;
    };
    try {
      requests_ = std::make_unique<Requests>(model, setup, batch);
      const auto noise = [&](int64_t i, void* to) { write_noise(setup.form, i, to); };
      const at::Tensor together = requests_->run(batch, noise);
      const at::Tensor alone =
          requests_->run(1, [&](int64_t, void* to) { write_noise(setup.form, batch - 1, to); });
      const double far = (together[batch - 1] - alone[0]).abs().max().item<double>();
      const double size = std::max(together.abs().max().item<double>(), 1e-30);
      const double most = setup.options.precision == "bf16" ? 3e-2 : 1e-4;
      if (!(far <= most * size)) return aside("answers otherwise about an input in company");
      return true;
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception&) {
      return aside(fmt::format("cannot take {} inputs at a time", batch));
    }
  }

  std::string file_, place_;
  std::unique_ptr<Requests> requests_;
};

}  // namespace

NetworkDescription openvino_description(const std::string& file) {
  const auto model = model_of(file);
  NetworkDescription description;
  for (const auto& port : model->inputs())
    description.inputs.push_back(port_of({port.get_node(), port.get_index()}));
  for (const auto& port : model->outputs())
    description.outputs.push_back(port_of({port.get_node(), port.get_index()}));
  add_texts(model->get_rt_info(), "", description.metadata);
  return description;
}

std::unique_ptr<ItemNetwork> openvino_network(const ItemNetworkSetup& setup) {
  return std::make_unique<OpenvinoNetwork>(setup);
}

#else

namespace {
[[noreturn]] void openvino_is_absent(const std::string& file) {
  fail("{}: this distal was built without OpenVINO, which reads it; set OpenVINO_DIR, or let make "
       "fetch its wheel, and build again",
       file);
}
}  // namespace

NetworkDescription openvino_description(const std::string& file) { openvino_is_absent(file); }
std::unique_ptr<ItemNetwork> openvino_network(const ItemNetworkSetup& setup) {
  openvino_is_absent(setup.options.file);
}

#endif

}  // namespace distal
