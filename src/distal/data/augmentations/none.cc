// Nothing beyond what `augment` says itself (crop, flip, colour).

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/data/augmentation.h"
#include "distal/data/batches.h"

namespace distal::augmentations {

class None final : public Augmentation {
 public:
  Batch apply(const Batch& batch, Random) const override { return batch; }
};

extern const Entry<Augmentation> none;
const Entry<Augmentation> none = entry<Augmentation, None>(
    "nothing beyond crop, flip and colour: the control", "the control of every comparison");

}  // namespace distal::augmentations
