#include "distal/models/weights.h"

#include <cstring>

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/array_bytes.h"
#include "distal/base/checksum.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/fingerprint.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/models/device.h"
#include "distal/models/model.h"

namespace distal {
namespace {

using Json = nlohmann::json;

constexpr const char* kChecksum = "weights_checksum";  // among a file's metadata

struct DtypeName {
  const char* name;
  at::ScalarType type;
};
constexpr DtypeName kDtypes[] = {{"F64", at::kDouble},    {"F32", at::kFloat}, {"F16", at::kHalf},
                                 {"BF16", at::kBFloat16}, {"I64", at::kLong},  {"I32", at::kInt},
                                 {"I16", at::kShort},     {"I8", at::kChar},   {"U8", at::kByte},
                                 {"BOOL", at::kBool}};

// Bounds of a header. The format allows 100 MB (https://github.com/huggingface/safetensors); a
// tensor takes about 100 bytes and nine names and values, and so many are read in less than a
// second. Of dimensions LibTorch's.
constexpr uint64_t kMostHeaderBytes = uint64_t{16} << 20;
constexpr int64_t kMostHeaderValues = 1'000'000;
constexpr size_t kMostDimensions = 64;

struct Range {
  uint64_t begin, end;
};

struct Header {
  Json values;
  std::vector<std::string> names;  // in the order of the file
};

at::ScalarType dtype_of(const std::string& path, const std::string& name,
                        const std::string& dtype) {
  for (const auto& row : kDtypes) {
    if (dtype == row.name) return row.type;
  }
  fail("{}: tensor {} has dtype {}, which is not known here; convert the file to F32", path,
       excerpt(name), excerpt(dtype, 60));
}

void check_cover(const std::string& path, std::vector<Range> ranges, uint64_t bytes) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  for (const auto& range : ranges) {
    if (range.begin != at)
      fail("{}: tensors overlap or leave a hole at byte {}; the file is damaged", path, at);
    at = range.end;
  }
  if (at != bytes) fail("{}: tensors end at byte {} of {}; the file is damaged", path, at, bytes);
}

at::Tensor tensor_at(const std::shared_ptr<MappedFile>& file, uint64_t offset,
                     const std::vector<int64_t>& sizes, at::ScalarType type) {
  char* data = file->data() + offset;
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(type) == 0) {
    return at::from_blob(
        data, sizes, [file](void*) {}, at::TensorOptions(type));
  }
  const auto copy = at::empty(sizes, at::TensorOptions(type));
  if (copy.numel() > 0) std::memcpy(copy.mutable_data_ptr(), data, copy.nbytes());
  return copy;
}

template <class T>
T field(const std::string& path, const std::string& name, const Json& entry, const char* key) {
  const auto found = entry.is_object() ? entry.find(key) : entry.end();
  if (!entry.is_object() || found == entry.end())
    fail("{}: tensor {} of its header has no {}; the file is damaged or no safetensors", path,
         excerpt(name), key);
  const auto number = [](const Json& value) {
    return value.is_number_integer() &&
           (std::is_same_v<T, std::vector<int64_t>> || value.is_number_unsigned());
  };
  const bool right = std::is_same_v<T, std::string>
                         ? found->is_string()
                         : found->is_array() && std::all_of(found->begin(), found->end(), number);
  if (!right)
    fail("{}: {} of tensor {} in its header is of another type; the file is damaged or no "
         "safetensors",
         path, key, excerpt(name));
  return found->get<T>();
}

Tensors tensors_of(const std::string& path, const std::shared_ptr<MappedFile>& file,
                   const Header& header, uint64_t start) {
  const uint64_t bytes = file->size() - start;
  Tensors tensors;
  std::vector<Range> ranges;
  for (const std::string& name : header.names) {
    if (name == "__metadata__") continue;
    const Json& entry = header.values[name];
    const auto type = dtype_of(path, name, field<std::string>(path, name, entry, "dtype"));
    const auto sizes = field<std::vector<int64_t>>(path, name, entry, "shape");
    const auto offsets = field<std::vector<uint64_t>>(path, name, entry, "data_offsets");
    if (sizes.size() > kMostDimensions)
      fail("{}: tensor {} has {} dimensions, at most {} are read; the file is damaged", path,
           excerpt(name), sizes.size(), kMostDimensions);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > bytes ||
        array_bytes(sizes, static_cast<int64_t>(c10::elementSize(type))) !=
            static_cast<int64_t>(offsets[1] - offsets[0])) {
      fail("{}: tensor {} [{}] does not fit its bytes {} of {}; the file is cut or damaged: copy "
           "it again",
           path, excerpt(name), fmt::join(sizes, ", "),
           excerpt(fmt::format("{}", fmt::join(offsets, "..")), 60), bytes);
    }
    ranges.push_back({offsets[0], offsets[1]});
    tensors.emplace_back(name, tensor_at(file, start + offsets[0], sizes, type));
  }
  check_cover(path, ranges, bytes);
  return tensors;
}

// A header in one pass, at a cost that its length bounds: the library's own way with a filter looks
// at all of an object's values again wherever one of them ends.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}
  Header header;

  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(int64_t value) override { return add(value) != nullptr; }
  bool number_unsigned(uint64_t value) override { return add(value) != nullptr; }
  bool number_float(double value, const std::string&) override { return add(value) != nullptr; }
  bool string(std::string& value) override { return add(std::move(value)) != nullptr; }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    count();
    if (open_.back()->contains(name))
      fail("{}: '{}' stands twice in its header; the file is damaged", path_, excerpt(name));
    if (open_.size() == 1) header.names.push_back(name);
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  void count() {
    if (++values_ > kMostHeaderValues)
      fail("{}: more than {} names and values in its header; the file is damaged or no safetensors",
           path_, kMostHeaderValues);
  }
  Json* add(Json value) {
    count();
    if (open_.empty()) return &(header.values = std::move(value));
    Json& into = *open_.back();
    if (into.is_object()) return &(into[key_] = std::move(value));
    into.push_back(std::move(value));
    return &into.back();
  }
  bool open(Json value) {
    if (open_.size() >= kMostJsonDepth)
      fail("{}: its header is nested deeper than {} levels; the file is damaged or no safetensors",
           path_, kMostJsonDepth);
    open_.push_back(add(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& path_;
  std::vector<Json*> open_;  // the objects and arrays that have begun and not ended
  std::string key_;
  int64_t values_ = 0;
};

Header header_of(const std::string& path, std::string_view text) {
  // The parser would take one for the end of the text.
  if (const size_t at = text.find('\0'); at != std::string_view::npos)
    fail("{}: byte {} of its header is NUL, which JSON has none of; the file is damaged or no "
         "safetensors: copy it again, or give a .safetensors file",
         path, at);
  HeaderReader reader(path);
  if (!Json::sax_parse(text, &reader)) {
    parse_json(text, path + ": header");  // says where and why
    fail("{}: the header is no JSON; the file is no safetensors", path);
  }
  if (!reader.header.values.is_object())
    fail("{}: the header is no JSON object; the file is no safetensors", path);
  return std::move(reader.header);
}

Metadata metadata_of(const std::string& path, const Json& header) {
  const auto found = header.find("__metadata__");
  if (found == header.end()) return {};
  const bool texts =
      found->is_object() && std::all_of(found->begin(), found->end(),
                                        [](const Json& value) { return value.is_string(); });
  if (!texts)
    fail("{}: __metadata__ in its header holds more than texts; the file is damaged or no "
         "safetensors",
         path);
  return found->get<Metadata>();
}

std::string dtype_name(at::ScalarType type) {
  for (const auto& row : kDtypes) {
    if (row.type == type) return row.name;
  }
  expect(false, "weights have a dtype that safetensors knows");
  return "";
}

std::string shaped(const std::string& name, const at::Tensor& tensor) {
  return fmt::format("{} [{}]", name, fmt::join(tensor.sizes(), ", "));
}

int64_t not_finite(const at::Tensor& tensor) {
  return tensor.is_floating_point() ? tensor.numel() - at::isfinite(tensor).sum().item<int64_t>()
                                    : 0;
}

// Of a tensor from on_cpu, as long as that lives.
std::string_view bytes_of(const at::Tensor& plain) {
  return {static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()};
}

bool fits(const at::Tensor& ours, const at::Tensor& theirs) {
  auto sizes = theirs.sizes();
  while (sizes.size() > static_cast<size_t>(ours.dim()) && sizes.back() == 1)
    sizes = sizes.slice(0, sizes.size() - 1);
  return sizes == ours.sizes();
}

/// What a file is that begins so; empty: not known.
std::string kind_of(std::string_view start) {
  if (start.substr(4).starts_with("ftyp") || start.starts_with("\x1a\x45\xdf\xa3") ||
      (start.starts_with("RIFF") && start.substr(8).starts_with("AVI")))
    return "a video";
  const bool text = std::all_of(start.begin(), start.begin() + 8, [](char c) {
    return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t';
  });
  if (!text) return "";
  const size_t first = start.find_first_not_of(" \n\r\t");
  return first != std::string_view::npos && start[first] == '{' ? "JSON text" : "text";
}

/// Of a file whose header would end after the file.
[[noreturn]] void refuse_header(const std::string& path, std::string_view start, uint64_t length,
                                size_t size) {
  if (const std::string kind = kind_of(start); !kind.empty())
    fail("{}: {}, no safetensors; give a .safetensors file", path, kind);
  if (length > kMostHeaderBytes)
    fail("{}: no safetensors, for the header wants {} bytes of {}; give a .safetensors file", path,
         length, size);
  fail("{}: the header wants {} bytes of {}; the file is cut or no safetensors: copy it again, "
       "or give a .safetensors file",
       path, length, size);
}

Tensors read_tensors(const std::string& path, Metadata& metadata) {
  const auto file = std::make_shared<MappedFile>(path, /*writable=*/true);
  if (file->size() < 8)
    fail("{}: no safetensors file ({} bytes); give a .safetensors file", path, file->size());
  uint64_t length = 0;
  std::memcpy(&length, file->data(), 8);
  const std::string_view start(file->data(), std::min<size_t>(file->size(), 12));
  if (length > file->size() - 8 && (start.starts_with("PK\x03\x04") ||
                                    start.starts_with("\x80\x02") || start.starts_with("\x80\x04")))
    fail("{}: a ZIP archive or a pickle, as PyTorch writes (.pt, .pth), no safetensors; write it "
         "again with safetensors.torch.save_file",
         path);
  if (length > file->size() - 8) refuse_header(path, start, length, file->size());
  if (length > kMostHeaderBytes)
    fail("{}: a header of {} bytes, at most {} are read; the file is damaged or no safetensors",
         path, length, kMostHeaderBytes);
  const Header header = header_of(path, {file->data() + 8, length});
  metadata = metadata_of(path, header.values);
  return tensors_of(path, file, header, 8 + length);
}

void check_sum(const std::string& path, const Tensors& tensors, const Metadata& metadata,
               const std::string& written) {
  if (written == checksum_of(tensors, metadata)) return;
  require_finite(path, tensors);  // which says more
  fail("{}: not what was written, its checksum differs; the file is damaged: copy it or train it "
       "again. (Where the change was meant, leave {} out of "
       "its metadata)",
       path, kChecksum);
}

}  // namespace

std::string checksum_of(const Tensors& tensors, const Metadata& metadata) {
  uint64_t sum = 0;  // of parts that may stand in any order
  for (const auto& [name, text] : metadata)
    sum += checksum(fmt::format("remark {} {} {}", name.size(), name, text));
  for (const auto& [name, tensor] : tensors) {
    const auto plain = on_cpu(tensor);
    const uint64_t bytes = checksum(bytes_of(plain));
    sum += checksum(fmt::format("tensor {} {} [{}] {}", name, dtype_name(tensor.scalar_type()),
                                fmt::join(tensor.sizes(), ", "), bytes));
  }
  return fmt::format("{:016x}", sum);
}

void add_tensors(Fingerprint& print, const Tensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const auto plain = on_cpu(tensor);
    print.add(name).add(bytes_of(plain));
  }
}

void require_finite(const std::string& path, const Tensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (const int64_t bad = not_finite(tensor); bad > 0)
      fail("{}: tensor {} holds {} values of {} that are NaN or infinite; the file is damaged or "
           "its training failed: copy it or train it again",
           path, name, bad, tensor.numel());
  }
}

Tensors load_safetensors(const std::string& path, Metadata* metadata) {
  Metadata remarks;
  const Tensors tensors = read_tensors(path, remarks);
  if (const auto written = remarks.extract(kChecksum))
    check_sum(path, tensors, remarks, written.mapped());
  if (metadata) *metadata = remarks;
  return tensors;
}

Tensors load_checked(const std::string& path) {
  Metadata remarks;
  const Tensors tensors = read_tensors(path, remarks);
  const auto written = remarks.extract(kChecksum);
  if (!written) fail("{}: has no checksum; the file is damaged", path);
  check_sum(path, tensors, remarks, written.mapped());
  return tensors;
}

void save_checked(const std::string& path, const Tensors& tensors, Metadata metadata) {
  metadata[kChecksum] = checksum_of(tensors, metadata);
  save_safetensors(path, tensors, metadata);
}

void save_safetensors(const std::string& path, const Tensors& tensors, const Metadata& metadata) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    expect(!header.contains(name), "tensor names are distinct");
    header[name] = {{"dtype", dtype_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {at, at + tensor.nbytes()}}};
    at += tensor.nbytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  const uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, 8);
  bytes.reserve(8 + length + at);
  bytes += text;
  for (const auto& row : tensors) {
    const auto plain = on_cpu(row.second);
    bytes.append(bytes_of(plain));
  }
  write_atomically(path, bytes);
}

std::string our_name(const std::string& theirs) {
  std::string name = theirs;
  for (const std::string prefix : {"module.", "base_model."}) {
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  }
  if (const auto net = name.find(".net."); net != std::string::npos) name.erase(net, 4);
  for (const std::string last :
       {"new_fc.", "fc8.", "fc8N.", "blocks.5.proj.", "logits.", "classifier."}) {
    if (name.starts_with(last)) name.replace(0, last.size(), "fc.");
  }
  return name;
}

Account load_into(Net& net, const Tensors& tensors,
                  const std::map<std::string, std::string>& ours_from_theirs) {
  const torch::NoGradGuard no_grad;
  Account account;
  std::map<std::string, at::Tensor> missing;
  const auto ours = state(net);
  for (const auto& [name, tensor] : ours) missing.emplace(name, tensor);
  for (const auto& [theirs, tensor] : tensors) {
    if (theirs.ends_with("num_batches_tracked")) continue;
    const auto mapped = ours_from_theirs.find(theirs);
    const auto slot =
        missing.find(mapped == ours_from_theirs.end() ? our_name(theirs) : mapped->second);
    if (slot == missing.end() || !fits(slot->second, tensor)) {
      account.unused.push_back(shaped(theirs, tensor));
      continue;
    }
    slot->second.copy_(tensor.view(slot->second.sizes()));
    account.matched.push_back(slot->first);
    missing.erase(slot);
  }
  for (const auto& [name, tensor] : ours) {
    if (missing.contains(name)) account.missing.push_back(shaped(name, tensor));
  }
  return account;
}

std::string Account::text() const {
  const auto list = [](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return std::string();
    const size_t shown = std::min<size_t>(names.size(), 10);
    return fmt::format(
        "; {} {}: {}{}", names.size(), what,
        fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
        names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "");
  };
  return fmt::format("{} tensors loaded{}{}", matched.size(),
                     list("of the net not in the file", missing),
                     list("of the file not used", unused));
}

}  // namespace distal
