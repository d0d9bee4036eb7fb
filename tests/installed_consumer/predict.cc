// Prints the class of a video and the probabilities of all classes, as `distal predict` does.
//   predict MODEL VIDEO       MODEL: a .safetensors of run or train, or an .onnx or .xml of export
#include <iostream>

#include <distal/data/batches.h>
#include <distal/deploy/model_file.h>

int main(int, char** argv) {
  const torch::NoGradGuard no_grad;
  const distal::OpenedModel model = distal::open_model(argv[1]);
  const auto engine = distal::engine_of(model, "", "auto", 1, 0, nullptr);
  distal::ClipReader reader(model.input, {});
  distal::Clip whole;  // start_s and end_s make it a part
  whole.video = std::string(argv[2]);
  distal::EvaluationBatches batches(reader, std::vector{whole}, std::ssize(model.saved.classes),
                                    engine->batch(), 0);
  const auto batch = batches.next();
  if (!batch) {
    std::cerr << reader.quarantined()[0].reason << "\n";
    return 1;
  }
  const torch::Tensor logits = engine->run(batch->clips).logits;
  const torch::Tensor found = model.task->probabilities(logits)[0];
  std::cout << model.saved.classes[model.task->predicted(found).item<int64_t>()];
  for (int64_t i = 0; i < found.size(0); ++i) std::cout << " " << found[i].item<float>();
  std::cout << "\n";
}
