// networks/: what files of networks say beside their graph. The first byte says which reader:
// 'o' ONNX, 'p' the source in a .pt2, others names of classes.
#include "distal/networks/class_names.h"
#include "distal/networks/onnx_file.h"
#include "distal/networks/pt2_source.h"

#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const std::string rest(input.substr(1));
  fuzz::attempt(rest, [&] {
    if (input[0] == 'o') {
      const OnnxFile file = read_onnx(rest, "a.onnx");
      for (const auto& name : file.external)
        fuzz::require(!name.empty() && name[0] != '/', "weights lie in the folder of the file");
    } else if (input[0] == 'p') {
      for (const auto& port : read_pt2_source(rest).inputs)
        fuzz::require(port.shape.size() <= 8, "a shape has few dimensions");
    } else {
      for (const auto& names : {class_names_of(rest), class_names_of_json(rest)})
        fuzz::require(names.size() <= rest.size(), "a name takes a byte");
    }
  });
}
