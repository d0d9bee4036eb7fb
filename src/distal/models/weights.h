#pragma once
// Weight files in the format of huggingface/safetensors: 8-byte little-endian header length, JSON
// header, raw little-endian tensors. A write is atomic: temporary file, fsync, rename.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace distal {

class Fingerprint;
class Net;

using Tensors = std::vector<std::pair<std::string, torch::Tensor>>;
using Metadata = std::map<std::string, std::string>;  // a file's own remarks, name to text

/// Maps the tensors into memory, in the order of the file. Pages are read on access. Writing to a
/// tensor does not change the file. If the file has a checksum, all tensors are read and compared
/// with it. `metadata` does not contain the checksum. Throws Error: missing, truncated, header not
/// JSON, unknown dtype, inconsistent sizes, gaps, overlaps, or wrong checksum.
Tensors load_safetensors(const std::string& path, Metadata* metadata = nullptr);
void save_safetensors(const std::string& path, const Tensors& tensors,
                      const Metadata& metadata = {});

/// Saves and loads with checksum_of(tensors, metadata) in the metadata. load_checked also throws
/// Error for a file without a checksum.
void save_checked(const std::string& path, const Tensors& tensors, Metadata metadata = {});
Tensors load_checked(const std::string& path);

/// The checksum of the names, dtypes, shapes and bytes of the tensors, and of the metadata: 16
/// hexadecimal digits. It does not depend on the order.
std::string checksum_of(const Tensors& tensors, const Metadata& metadata);

/// Adds the names and the bytes of the tensors, in order. Does not depend on their device, and
/// neither does checksum_of.
void add_tensors(Fingerprint& print, const Tensors& tensors);

/// Throws Error if a tensor contains NaN or infinity. The message names the first such tensor.
void require_finite(const std::string& path, const Tensors& tensors);

/// Translates the name of a published tensor to the name in distal. Removes the prefixes `module.`
/// and `base_model.`, and the `.net` of a shifted convolution. A last layer named `new_fc`, `fc8`,
/// `fc8N`, `blocks.5.proj`, `logits` or `classifier` becomes `fc`.
std::string our_name(const std::string& theirs);

/// load_into copies tensors into the network by name. `ours_from_theirs` translates the names that
/// it contains, our_name all others. Shapes must be equal up to trailing dimensions of 1: [1001,
/// 1280, 1, 1] fits [1001, 1280]. The Account lists tensors that did not match.
/// `num_batches_tracked` is ignored.
struct Account {
  // names, with shapes in brackets; missing: tensors of the network without a source; unused:
  // tensors of the file without a target
  std::vector<std::string> matched, missing, unused;
  std::string text() const;  // counts, and the first ten names of each list
};
Account load_into(Net& net, const Tensors& tensors,
                  const std::map<std::string, std::string>& ours_from_theirs = {});

}  // namespace distal
