#pragma once
// Options that make each backbone small, for the tests of this room and of infer/.

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "distal/base/catalogue.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"

namespace distal {

// Backbones that are not listed are tested with their default options.
inline std::vector<std::string> small_options(const std::string& name) {
  static const std::map<std::string, std::vector<std::string>> kSmall = {
      {"resnet3d", {"depth: 10, width: 4", "depth: 18, width: 4", "depth: 50, width: 4"}},
      {"btsnet_26",
       {"width: 0.05, cardinality: 8", "width: 0.05, cardinality: 8, fuse: c, branches: 2",
        "width: 0.125, cardinality: 16, ops: O1, alias_bug: true"}},
      {"btsnet_50", {"width: 0.05, cardinality: 8, branches: 3"}},
      {"btsnet_101", {"width: 0.05, cardinality: 8"}},
      {"eco_lite", {"width: 0.07"}},
      {"eco_full", {"width: 0.07"}},
      {"x3d_xs", {"width: 0.3"}},
      {"x3d_s", {"width: 0.3"}},
      {"x3d_m", {"width: 0.3"}},
      {"lenet5", {"width: 1", "width: 0.5"}},
      {"mc3_18", {"width: 4"}},
      {"r2plus1d_18", {"width: 4"}},
      {"r3d_18", {"width: 4"}},
      {"slow_r50", {"width: 4"}},
      {"tsn",
       {"base: mobilenet_v2, width: 0.2", "base: mobilenet_v1, width: 0.2, norm: batch",
        "base: resnet50, width: 0.1"}},
      {"tsm",
       {"base: mobilenet_v2, width: 0.2, norm: batch", "base: mobilenet_v1, width: 0.2",
        "base: resnet18, width: 0.1", "base: mobilenet_v2, width: 0.2, online: true"}},
  };
  const auto found = kSmall.find(name);
  return found == kSmall.end() ? std::vector<std::string>{""} : found->second;
}

/// A backbone with one of its small options. It is the parameter of EveryBackbone.
struct SmallBackbone {
  std::string name, options;
};
inline void PrintTo(const SmallBackbone& member, std::ostream* out) {
  *out << member.name << " {" << member.options << "}";
}

/// All but those of a file (backbones/network_test.cc).
inline std::vector<SmallBackbone> small_backbones() {
  std::vector<SmallBackbone> members;
  for (const auto& row : catalogue<Backbone>()) {
    const auto method = make<Backbone>(row.name);
    if (method->network() || method->feature_files()) continue;
    for (const auto& options : small_options(row.name)) members.push_back({row.name, options});
  }
  return members;
}

}  // namespace distal
