#include "distal/oracles/zero_shot.h"

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/npy.h"
#include "distal/base/options.h"
#include "distal/video/probe.h"

namespace distal {
namespace {

constexpr double kLeastLength = 1e-12;

torch::Tensor of_length_1(const torch::Tensor& rows) {
  return rows / rows.norm(2, -1, /*keepdim=*/true).clamp_min(kLeastLength);
}

// float64 [C, D], of length 1.
torch::Tensor texts_of(const std::string& file, const std::string& place, int64_t width) {
  const torch::Tensor mapped = map_npy(file);
  const auto refuse = [&](const std::string& what) {
    fail("{}: oracle.zero_shot.embeddings {}: {}", place, file, what);
  };
  if (!mapped.is_floating_point() || mapped.dim() < 2 || mapped.dim() > 3 || mapped.numel() == 0)
    refuse(fmt::format("holds {} numbers of shape [{}]; it must hold embeddings of class texts, "
                       "float [classes, {}] or [classes, texts, {}]",
                       torch::toString(mapped.scalar_type()), fmt::join(mapped.sizes(), ", "),
                       width, width));
  if (mapped.size(-1) != width)
    refuse(fmt::format("its texts have {} numbers each, and the network gives {} a clip; take both "
                       "from one model, behind its projections",
                       mapped.size(-1), width));
  torch::Tensor texts = mapped.to(torch::kFloat64);
  if (!torch::isfinite(texts).all().item<bool>()) refuse("holds numbers that are not finite");
  if (!(texts.norm(2, -1) > kLeastLength).all().item<bool>())
    refuse("holds a text whose numbers are all 0");
  texts = of_length_1(texts);
  return texts.dim() == 3 ? of_length_1(texts.mean(1)) : texts;
}

}  // namespace

void ZeroShotOptions::visit(OptionVisitor& v) const {
  v("embeddings", embeddings,
    ".npy of the texts' embeddings, float [classes, D] or [classes, texts, D]; several texts a "
    "class are averaged");
  v("classes", classes,
    "names of its rows, in order, or a file with one a line; empty: those of the lists, on trust");
  v("temperature", temperature, "divides the cosines before softmax; CLIP's is 0.01",
    between(1e-6, 1e6));
}

ZeroShotHead::ZeroShotHead(const ZeroShotOptions& options, const std::string& place, int64_t width,
                           const std::vector<std::string>& classes, bool drop_others)
    : temperature_(options.temperature), id_(content_id(options.embeddings)) {
  const torch::Tensor texts = texts_of(options.embeddings, place, width);
  const std::string option = "oracle.zero_shot.classes";
  order_ = order_of_classes({.place = fmt::format("{}, texts {}", place, options.embeddings),
                             .count = texts.size(0),
                             .stated = class_names(options.classes, option),
                             .option = option,
                             .drop_others = drop_others},
                            classes);
  texts_ = in_order(texts.t(), order_).contiguous();
}

torch::Tensor ZeroShotHead::logits(const torch::Tensor& features) const {
  return of_length_1(features.to(torch::kFloat64)).matmul(texts_) / temperature_;
}

}  // namespace distal
