#include "distal/models/model_options.h"

#include <algorithm>
#include <set>

#include <ATen/ATen.h>

#include "distal/base/document.h"
#include "distal/base/error.h"
#include "distal/base/feature_files.h"
#include "distal/base/options.h"
#include "distal/base/pattern.h"
#include "distal/base/random.h"
#include "distal/base/text.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

struct KeyRule {
  Pattern pattern;
  std::string replacement;
};

// The last colon parts the two: a pattern may hold one, a tensor's name does not.
KeyRule key_rule(const std::string& text, const std::string& place) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    throw UsageError(fmt::format("{}: init_keys: '{}' is no 'pattern:replacement'; for example "
                                 "'^encoder\\.:' takes \"encoder.\" away",
                                 place, text));
  return {Pattern(text.substr(0, colon), place + ": init_keys"), text.substr(colon + 1)};
}

std::map<std::string, std::string> ours_from_theirs(const Tensors& tensors,
                                                    const std::vector<std::string>& init_keys,
                                                    const std::string& place) {
  std::vector<KeyRule> rules;
  for (const auto& text : init_keys) rules.push_back(key_rule(text, place));
  std::map<std::string, std::string> names;
  for (const auto& [theirs, tensor] : tensors) {
    std::string name = theirs;
    for (const auto& rule : rules) name = rule.pattern.replaced(name, rule.replacement);
    names[theirs] = our_name(name);
  }
  return names;
}

bool of_head(const std::string& name) { return name.starts_with("fc."); }

// Of the net before its classifier. Vectors (norms and biases) count only where the file has as
// much left over: published weights often have the norms folded away, and norms that a file knows
// nothing of start as the identity.
double share_filled(const Net& net, const Account& account) {
  const bool with_vectors = 2 * account.unused.size() > account.matched.size();
  const std::set<std::string> matched(account.matched.begin(), account.matched.end());
  int64_t filled = 0;
  int64_t wanted = 0;
  for (const auto& [name, tensor] : state(net)) {
    if (of_head(name) || (tensor.dim() < 2 && !with_vectors)) continue;
    ++wanted;
    filled += matched.contains(name) ? 1 : 0;
  }
  return wanted == 0 ? 1 : static_cast<double>(filled) / static_cast<double>(wanted);
}

void freeze_matching(Net& net, const std::string& prefix) {
  int64_t found = 0;
  for (const auto& row : net.named_parameters()) {
    const bool head = of_head(row.key());
    if (prefix == "backbone" ? head : !row.key().starts_with(prefix)) continue;
    row.value().set_requires_grad(false);
    ++found;
  }
  if (found > 0) return;
  std::string names;
  for (const auto& row : net.named_children()) names += (names.empty() ? "" : ", ") + row.key();
  fail("freeze: no parameter begins with \"{}\"; there are backbone (all but the classifier), {}",
       prefix, names);
}

}  // namespace

void ModelOptions::visit(OptionVisitor& v) const {
  v("init", init,
    "safetensors file with initial weights; tensors must match by name and shape, and less than "
    "half of the network is refused; empty: random weights");
  v("init_keys", init_keys,
    "'pattern:replacement', regular expressions that translate the names of tensors in init, "
    "applied in order");
  for (const auto& rule : init_keys) key_rule(rule, v.place());
  v("freeze", freeze,
    "prefixes of the names of parameters that stay fixed; backbone: all but the classifier");
  backbone.visit(v);  // last: it closes the section
}

bool ModelOptions::operator==(const ModelOptions& other) const {
  return backbone == other.backbone && init == other.init && init_keys == other.init_keys &&
         freeze == other.freeze;
}

Model ModelOptions::build(int64_t classes, Random random) const {
  expect(static_cast<bool>(backbone), "the backbone was read from options before it is built");
  auto net = backbone->build(classes, random);
  account.clear();
  if (!init.empty()) {
    const auto tensors = load_safetensors(init);
    require_finite(init, tensors);
    const auto loaded = load_into(*net, tensors, ours_from_theirs(tensors, init_keys, init));
    account = loaded.text();
    const double share = share_filled(*net, loaded);
    if (loaded.matched.empty() || share < 0.5) {
      fail("init: {} fills {:.0f} % of {} before its classifier ({}); give weights of this "
           "backbone and width, or turn their names into "
           "ours with init_keys",
           init, std::floor(100 * share), backbone.name, account);
    }
  }
  for (const auto& prefix : freeze) {
    if (prefix != "backbone" || !head_alone()) freeze_matching(*net, prefix);
  }
  return net;
}

bool ModelOptions::backbone_frozen() const {
  return head_alone() || std::find(freeze.begin(), freeze.end(), "backbone") != freeze.end();
}

const NetworkOptions* ModelOptions::network() const {
  return backbone ? backbone->network() : nullptr;
}

const FeatureFiles* ModelOptions::feature_files() const {
  return backbone ? backbone->feature_files() : nullptr;
}

ModelOptions ModelOptions::with_feature_files(const FeatureFiles& files) const {
  ModelOptions other;
  Document::text(resolved(*this), "model")
      .with(
          {{"features", files.features, /*literal=*/true}, {"list", files.list, /*literal=*/true}})
      .read(other);
  return other;
}

ModelOptions ModelOptions::with_network_file(const std::string& file) const {
  ModelOptions other;
  Document::text(resolved(*this), "model")
      .with({{"network.file", file, /*literal=*/true}})
      .read(other);
  return other;
}

}  // namespace distal
