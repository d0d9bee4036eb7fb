#include "distal/serve/projection.h"

namespace distal::serve {
namespace {

constexpr int64_t kBeside = 8;  // components beside those that are wanted, for their accuracy
constexpr int kIterations = 12;
constexpr uint64_t kStart = 1;  // of the random numbers

// The largest absolute value of each column becomes positive.
torch::Tensor with_signs(const torch::Tensor& scores) {
  const torch::Tensor largest = scores.abs().argmax(0, /*keepdim=*/true);
  return scores * scores.gather(0, largest).sign();
}

}  // namespace

torch::Tensor principal_components(const torch::Tensor& rows, int64_t count) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor finite = at::nan_to_num(rows);  // of float16 what is too large is infinite
  const torch::Tensor centred = finite - finite.mean(0, /*keepdim=*/true);
  const int64_t kept = std::min({count + kBeside, rows.size(0), rows.size(1)});
  const torch::Generator random = at::detail::createCPUGenerator(kStart);
  torch::Tensor basis = std::get<0>(at::linalg_qr(at::randn({rows.size(1), kept}, random)));
  for (int i = 0; i < kIterations; ++i)
    basis = std::get<0>(at::linalg_qr(centred.t().mm(centred.mm(basis))));
  const auto [left, values, right] =
      at::linalg_svd(centred.mm(basis), /*full_matrices=*/false, std::nullopt);
  const int64_t found = std::min(count, values.size(0));
  const torch::Tensor scores = with_signs(left.narrow(1, 0, found) * values.narrow(0, 0, found));
  return torch::cat({scores, torch::zeros({rows.size(0), count - found})}, 1).contiguous();
}

}  // namespace distal::serve
