#include "models/model.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "models/weights.h"

namespace distal {
namespace {

void freeze_matching(Net& net, const std::string& prefix) {
  int64_t found = 0;
  for (const auto& row : net.named_parameters()) {
    const bool head = row.key().starts_with("fc.");
    if (prefix == "backbone" ? head : !row.key().starts_with(prefix)) continue;
    row.value().set_requires_grad(false);
    ++found;
  }
  if (found > 0) return;
  std::string names;
  for (const auto& row : net.named_children()) names += (names.empty() ? "" : ", ") + row.key();
  fail("freeze: no parameter begins with \"{}\"; there are backbone (all but the classifier), {}", prefix, names);
}

}  // namespace

std::vector<std::pair<std::string, at::Tensor>> state(const Net& net) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& row : net.named_parameters()) tensors.emplace_back(row.key(), row.value());
  for (const auto& row : net.named_buffers()) tensors.emplace_back(row.key(), row.value());
  return tensors;
}

int64_t parameter_count(const Net& net) {
  int64_t count = 0;
  for (const auto& parameter : net.parameters()) count += parameter.numel();
  return count;
}

void ModelOptions::visit(OptionVisitor& v) {
  v("init", init, "safetensors to start from; what fits by name and shape is taken; empty: random");
  v("freeze", freeze, "prefixes of parameter names that are not trained; backbone: all but the classifier");
  backbone.visit(v);  // last: it closes the section
}

Model ModelOptions::build(int64_t classes, Random random) const {
  expect(static_cast<bool>(backbone), "the backbone was read from options before it is built");
  auto net = backbone->build(classes, random);
  account.clear();
  if (!init.empty()) {
    const auto loaded = load_into(*net, load_safetensors(init));
    account = loaded.text();
    if (loaded.matched.empty()) fail("{}: none of its tensors fits {}; {}", init, backbone.name, account);
  }
  for (const auto& prefix : freeze) freeze_matching(*net, prefix);
  return net;
}

}  // namespace distal
