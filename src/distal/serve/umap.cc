// The only source that sees umappp and what it builds on.

#include "distal/serve/projection.h"

#ifdef DISTAL_UMAP
#include <knncolle/knncolle.hpp>
#include <umappp/umappp.hpp>
#endif

#include "distal/base/error.h"

namespace distal::serve {

#ifdef DISTAL_UMAP

namespace {

constexpr int kEpochsAtOnce = 10;  // between two questions whether to stop

}  // namespace

bool has_umap() { return true; }

std::optional<torch::Tensor> umap(const torch::Tensor& rows, const std::function<bool()>& stop) {
  expect(rows.size(0) >= kFewestForUmap, "UMAP has more rows than neighbours");
  const torch::Tensor values = rows.contiguous();
  torch::Tensor places = torch::zeros({rows.size(0), 2});
  auto* const at = places.mutable_data_ptr<float>();
  const knncolle::VptreeBuilder<int, float, float> neighbours(
      std::make_shared<knncolle::EuclideanDistance<float, float>>());
  auto status =
      umappp::initialize(static_cast<size_t>(rows.size(1)), static_cast<int>(rows.size(0)),
                         values.const_data_ptr<float>(), neighbours, 2, at, umappp::Options());
  while (status.epoch() < status.num_epochs()) {
    if (stop()) return std::nullopt;
    status.run(at, std::min(status.epoch() + kEpochsAtOnce, status.num_epochs()));
  }
  return places;
}

#else

bool has_umap() { return false; }

std::optional<torch::Tensor> umap(const torch::Tensor&, const std::function<bool()>&) {
  expect(false, "a build without UMAP is not asked for it");
  return std::nullopt;
}

#endif

}  // namespace distal::serve
