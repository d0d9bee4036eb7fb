#include "distal/distill/features.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/ranges.h>

#include "distal/base/random.h"

namespace distal {
namespace {

// [N, C, T, H, W] of what a network calls [N, C, T, H, W], [N T, C, H, W] or [N, D].
torch::Tensor as_clips(const torch::Tensor& map, int64_t clips) {
  const auto x = at_least_float32(map);
  if (x.dim() == 5) return x;
  const bool fits =
      (x.dim() == 4 && x.size(0) % clips == 0) || (x.dim() == 2 && x.size(0) == clips);
  if (!fits) return {};
  if (x.dim() == 2) return x.view({clips, x.size(1), 1, 1, 1});
  return x.unflatten(0, {clips, x.size(0) / clips}).transpose(1, 2);
}

torch::Tensor one(const torch::Tensor& embedding, const Maps& maps, const std::string& name,
                  const char* loss, const char* side) {
  const int64_t clips = embedding.size(0);
  if (name == "embedding") return as_clips(embedding, clips);
  const auto found = maps.find(name);
  std::vector<std::string> known = {"embedding"};
  for (const auto& [other, map] : maps) {
    if (as_clips(map, clips).defined()) known.push_back(other);
  }
  const auto map = found == maps.end() ? torch::Tensor() : as_clips(found->second, clips);
  if (!map.defined())
    fail("loss {}: the {} has no map '{}'; it has: {}", loss, side, name, fmt::join(known, ", "));
  return map;
}

torch::Tensor ratio(const torch::Tensor& values, const torch::Tensor& weights) {
  const auto sum = weights.sum();
  return (weights * values).sum() / torch::where(sum > 0, sum, torch::ones_like(sum));
}

torch::Tensor pairs(const torch::Tensor& w) { return w.unsqueeze(0) * w.unsqueeze(1); }

}  // namespace

Features features(const Lesson& lesson, const FeatureNames& names, const char* loss) {
  expect(lesson.teacher_embedding.defined(),
         "a loss that needs the teacher's network gets its features");
  const auto& teacher = names.teacher.empty() ? names.student : names.teacher;
  return {one(lesson.student.embedding, lesson.student_maps, names.student, loss, "student"),
          one(lesson.teacher_embedding, lesson.teacher_maps, teacher, loss, "teacher").detach()};
}

Features of_one_size(const Features& features) {
  std::vector<int64_t> sizes;
  for (int64_t d = 2; d < 5; ++d)
    sizes.push_back(std::min(features.student.size(d), features.teacher.size(d)));
  const auto pooled = [&](const torch::Tensor& x) {
    return x.sizes().slice(2) == c10::IntArrayRef(sizes)
               ? x
               : at::adaptive_avg_pool3d(x.contiguous(), sizes);
  };
  return {pooled(features.student), pooled(features.teacher)};
}

Features embeddings(const Lesson& lesson) {
  expect(lesson.teacher_embedding.defined(),
         "a loss that needs the teacher's network gets its features");
  return {at_least_float32(lesson.student.embedding),
          at_least_float32(lesson.teacher_embedding).detach()};
}

torch::Tensor taught_weights(const Lesson& lesson, const torch::Tensor& like) {
  return lesson.weights.to(like.dtype()).detach() * known_rows(lesson.teacher);
}

torch::Tensor mean_over_pairs(const torch::Tensor& values, const torch::Tensor& weights) {
  return ratio(values, pairs(weights));
}

torch::Tensor mean_over_triples(const torch::Tensor& values, const torch::Tensor& weights) {
  return ratio(values, pairs(weights).unsqueeze(2) * weights);
}

torch::Tensor unit(const torch::Tensor& x, int64_t dim) {
  constexpr double kEpsilon = 1e-12;
  const auto squares = x.pow(2).sum(dim, /*keepdim=*/true);
  const auto length = squares.clamp_min(kEpsilon * kEpsilon).sqrt();
  return x / torch::where(squares > kEpsilon * kEpsilon, length, torch::ones_like(length));
}

std::shared_ptr<Linear> fresh_linear(int64_t in, int64_t out, Random random) {
  const torch::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(random());
  auto linear = std::make_shared<Linear>(in, out);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  linear->weight.uniform_(-bound, bound, generator);
  linear->bias.zero_();
  return linear;
}

}  // namespace distal
