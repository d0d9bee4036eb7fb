#include "distal/data/frame_view.h"

#include <cstring>

#include "distal/base/error.h"

namespace distal {

torch::Tensor FrameView::tensor() const {
  const std::vector<int64_t> shape = {size(), height, width, 3};
  bool contiguous = size() > 0;
  for (int64_t t = 1; t < size(); ++t)
    contiguous = contiguous && frames[t] == frames[t - 1] + frame_bytes();
  if (contiguous) {
    return torch::from_blob(
        const_cast<uint8_t*>(frames[0]), shape, [keep = keep](void*) {}, torch::kUInt8);
  }
  auto copy = torch::empty(shape, torch::kUInt8);
  for (int64_t t = 0; t < size(); ++t)
    std::memcpy(copy.mutable_data_ptr<uint8_t>() + t * frame_bytes(), frames[t], frame_bytes());
  return copy;
}

FrameView FrameView::of(const torch::Tensor& frames) {
  expect(frames.dim() == 4 && frames.size(3) == 3 && frames.scalar_type() == torch::kUInt8,
         "frames are uint8 [T, H, W, 3]");
  const bool usable =
      frames.stride(3) == 1 && frames.stride(2) == 3 && frames.stride(1) == 3 * frames.size(2);
  const auto kept = std::make_shared<const torch::Tensor>(usable ? frames : frames.contiguous());
  FrameView view{{}, kept->size(1), kept->size(2), kept};
  for (int64_t t = 0; t < kept->size(0); ++t)
    view.frames.push_back(kept->const_data_ptr<uint8_t>() + t * kept->stride(0));
  return view;
}

}  // namespace distal
