#include "distal/base/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>

#include <fmt/ranges.h>

#include "distal/base/array_bytes.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
constexpr size_t kAlignment = 64;
constexpr size_t kMostHeaderBytes = 64 << 10;
constexpr size_t kMostDimensions = 64;

const std::map<std::string, torch::ScalarType>& types() {
  static const std::map<std::string, torch::ScalarType> table = {
      {"<f2", torch::kFloat16}, {"<f4", torch::kFloat32},  {"<f8", torch::kFloat64},
      {"<i4", torch::kInt32},   {"<i8", torch::kInt64},    {"|b1", torch::kBool},
      {"|u1", torch::kUInt8},   {"<V2", torch::kBFloat16}, {"|V2", torch::kBFloat16}};
  return table;
}

struct Header {
  std::string type;
  bool fortran = false;
  std::vector<int64_t> sizes;
};

// The literal of a Python dictionary that numpy.save writes: {'descr': '<f4', 'fortran_order':
// False, 'shape': (2, 3), }, its keys in any order. Nothing where it is anything else, such as a
// structure of several fields.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : rest_(text) {}

  std::optional<Header> read() {
    Header header;
    bool type = false;
    bool order = false;
    bool shape = false;
    if (!take("{")) return std::nullopt;
    while (!take("}")) {
      const auto key = quoted();
      if (!key || !take(":")) return std::nullopt;
      if (*key == "descr" && !type)
        type = read_type(header);
      else if (*key == "fortran_order" && !order)
        order = read_order(header);
      else if (*key == "shape" && !shape)
        shape = read_sizes(header);
      else
        return std::nullopt;
      if (!take(",") && !rest_.starts_with('}')) return std::nullopt;
    }
    skip_spaces();
    if (!type || !order || !shape || !rest_.empty()) return std::nullopt;
    return header;
  }

 private:
  void skip_spaces() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size()));
  }
  bool take(std::string_view word) {
    skip_spaces();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    skip_spaces();
    return true;
  }
  std::optional<std::string> quoted() {
    skip_spaces();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return std::nullopt;
    const size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }
  bool read_type(Header& header) {
    const auto type = quoted();
    if (type) header.type = *type;
    return type.has_value();
  }
  bool read_order(Header& header) {
    header.fortran = take("True");
    return header.fortran || take("False");
  }
  bool read_sizes(Header& header) {
    if (!take("(")) return false;
    while (!take(")")) {
      int64_t size = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc() || size < 0) return false;
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      header.sizes.push_back(size);
      if (!take(",") && !rest_.starts_with(')')) return false;
    }
    return true;
  }

  std::string_view rest_;
};

Header read_header(std::string_view text, const std::string& path) {
  if (text.size() > kMostHeaderBytes)
    fail("{}: a header of {} bytes, at most {} are read; save one array of numbers with numpy.save",
         path, text.size(), kMostHeaderBytes);
  const auto header = HeaderText(text).read();
  if (!header)
    fail("{}: holds no plain array (its header is {}); save one array of numbers", path,
         excerpt(text.substr(0, text.find_last_not_of(" \n") + 1)));
  if (header->sizes.size() > kMostDimensions)
    fail("{}: an array of {} dimensions, at most {} are read; reshape it", path,
         header->sizes.size(), kMostDimensions);
  return *header;
}

// Format 1 gives its length in two bytes, later ones in four.
std::string_view header_text(const MappedFile& file, const std::string& path) {
  const auto refuse = [&] { fail("{}: is no .npy file; write one with numpy.save", path); };
  if (file.size() < 12 || std::memcmp(file.data(), kMagic, kMagicBytes) != 0) refuse();
  const int version = static_cast<unsigned char>(file.data()[6]);
  if (version < 1 || version > 3)
    fail("{}: .npy format {}, and 1 to 3 are known; write it with numpy.save", path, version);
  uint32_t length = 0;
  std::memcpy(&length, file.data() + 8, version == 1 ? 2 : 4);
  const size_t at = version == 1 ? 10 : 12;
  if (length > file.size() - at)
    fail("{}: is cut off within its header; copy or save it again", path);
  return {file.data() + at, length};
}

}  // namespace

torch::Tensor map_npy(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  const std::string_view text = header_text(*file, path);
  const Header header = read_header(text, path);
  const auto type = types().find(header.type);
  if (type == types().end())
    fail("{}: holds numbers of type {}; save them with .astype('float32')", path,
         excerpt(header.type, 60));
  if (header.fortran && header.sizes.size() > 1)
    fail("{}: is in Fortran order; save numpy.ascontiguousarray of it", path);
  char* const data = const_cast<char*>(text.data() + text.size());
  const int64_t there = file->data() + file->size() - data;
  const auto bytes =
      array_bytes(header.sizes, static_cast<int64_t>(c10::elementSize(type->second)));
  if (!bytes || *bytes > there)
    fail("{}: is cut off: {} bytes do not hold an array of {}; copy or save it again", path, there,
         fmt::join(header.sizes, " x "));
  if (*bytes < there)
    fail("{}: {} bytes follow its array of {}; save one array a file", path, there - *bytes,
         fmt::join(header.sizes, " x "));
  return torch::from_blob(
      data, header.sizes, [file](void*) {}, type->second);
}

void write_npy(const std::string& path, const torch::Tensor& array) {
  const auto values = array.to(torch::kCPU).contiguous();
  const auto* type = values.scalar_type() == torch::kFloat16   ? "<f2"
                     : values.scalar_type() == torch::kFloat32 ? "<f4"
                     : values.scalar_type() == torch::kFloat64 ? "<f8"
                     : values.scalar_type() == torch::kUInt8   ? "|u1"
                                                               : "<i8";
  expect(values.scalar_type() == torch::kInt64 || values.scalar_type() == torch::kUInt8 ||
             (values.is_floating_point() && values.scalar_type() != torch::kBFloat16),
         "write_npy takes float16, float32, float64, int64 and uint8");
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", type,
                  fmt::join(values.sizes(), ", "), values.dim() == 1 ? "," : "");
  text.append(kAlignment - 1 - (kMagicBytes + 4 + text.size()) % kAlignment, ' ');
  text += '\n';
  const auto length = static_cast<uint16_t>(text.size());
  std::string bytes(kMagic, kMagicBytes);
  bytes += {'\x01', '\x00', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  bytes += text;
  bytes.append(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
  write_atomically(path, bytes);
}

}  // namespace distal
