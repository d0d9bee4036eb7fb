#include "distal/learn/learner.h"

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/models/backbone.h"

namespace distal {

void Learner::visit(OptionVisitor& v) const {
  v("model", model, "the network");
  v("training", training, "how it is trained");
  v("augment", augment, "augmentation of training clips");
  v("pretext", pretext, "self-supervised pre-training on the pool first; absent: none");
  v("probe", probe,
    "fits the head of a frozen backbone by logistic regression instead of steps (linear probe)");
  if (probe && !backbone_frozen())
    throw UsageError(fmt::format(
        "{}: probe: true fits the head alone; add model.freeze: [backbone]", v.place()));
  if (probe && !model.backbone->linear_head())
    throw UsageError(fmt::format(
        "{}: probe: true fits one linear layer, and model.head has a hidden one; set model.head: "
        "probe, or leave probe out",
        v.place()));
}

bool Learner::backbone_frozen() const { return model.backbone_frozen(); }

bool Learner::fits_head() const { return probe || (model.backbone && model.backbone->probe()); }

}  // namespace distal
