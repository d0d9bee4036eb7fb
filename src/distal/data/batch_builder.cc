#include "distal/data/batch_builder.h"

#include <algorithm>
#include <limits>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/data/cache_error.h"

namespace distal {

torch::Tensor Buffers::take(at::IntArrayRef sizes) {
  torch::Tensor buffer;
  {
    const std::lock_guard lock(free_->mutex);
    const auto at =
        std::find_if(free_->tensors.rbegin(), free_->tensors.rend(),
                     [&](const torch::Tensor& tensor) { return tensor.sizes() == sizes; });
    if (at != free_->tensors.rend()) {
      buffer = std::move(*at);
      free_->tensors.erase(std::next(at).base());
    }
  }
  if (!buffer.defined()) buffer = torch::empty(sizes, torch::kFloat32);
  const auto give_back = [free = free_, buffer](void*) {
    const std::lock_guard lock(free->mutex);
    free->tensors.push_back(buffer);
  };
  return torch::from_blob(buffer.mutable_data_ptr(), sizes, give_back, torch::kFloat32);
}

Batch empty_batch(int64_t rows, int64_t outputs, const InputOptions& options, Buffers& buffers) {
  Batch batch;
  batch.clips = buffers.take({rows, 3, options.sampling.frames, options.size_px, options.size_px});
  batch.targets = torch::empty({rows, outputs}, torch::kFloat32);
  batch.rows = torch::empty({rows}, torch::kInt64);
  batch.weights = torch::empty({rows}, torch::kFloat32);
  batch.teacher = torch::empty({rows, outputs}, torch::kFloat32);
  for (auto* known : {&batch.targets, &batch.teacher})
    std::fill_n(known->mutable_data_ptr<float>(), rows * outputs,
                std::numeric_limits<float>::quiet_NaN());
  std::fill_n(batch.weights.mutable_data_ptr<float>(), rows, 1.f);
  return batch;
}

Batch Batch::to(const torch::Device& device) const {
  Batch moved = *this;
  for (auto* tensor : {&moved.clips, &moved.targets, &moved.rows, &moved.weights, &moved.teacher,
                       &moved.second, &moved.transform}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return moved;
}

Batch first_rows(const Batch& batch, int64_t rows) {
  if (rows == batch.rows.size(0)) return batch;
  return {batch.clips.narrow(0, 0, rows), batch.targets.narrow(0, 0, rows),
          batch.rows.narrow(0, 0, rows), batch.weights.narrow(0, 0, rows),
          batch.teacher.narrow(0, 0, rows)};
}

int64_t Sample::likely(const Task& task) const {
  return known().empty() ? -1 : task.predicted(known());
}

float* clip_at(Batch& batch, int64_t row) {
  return batch.clips.mutable_data_ptr<float>() + row * batch.clips.stride(0);
}

std::optional<FrameView> view_or_reason(ClipReader& reader, const Clip& clip, Random* random,
                                        bool training, std::string& reason) {
  try {
    return reader.view(clip, random, training);
  } catch (const CacheError&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    if (reason.empty()) reason = error.what();
    return std::nullopt;
  }
}

}  // namespace distal
