#include "base/npy.h"

#include <cstring>
#include <map>
#include <regex>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

namespace distal {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6, kAlignment = 64;

const std::map<std::string, torch::ScalarType>& types() {
  static const std::map<std::string, torch::ScalarType> table = {{"<f2", torch::kFloat16}, {"<f4", torch::kFloat32}, {"<f8", torch::kFloat64},
                                                                 {"<i4", torch::kInt32},   {"<i8", torch::kInt64},   {"|b1", torch::kBool},
                                                                 {"<V2", torch::kBFloat16}, {"|V2", torch::kBFloat16}};
  return table;
}

/// A file in memory, read-only, for as long as a tensor uses it.
struct Mapping {
  const char* bytes = nullptr;
  size_t size = 0;

  explicit Mapping(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("{}: {}", path, std::strerror(errno));
    struct stat status{};
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode)) size = static_cast<size_t>(status.st_size);
    void* base = size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    close(file);
    if (base == MAP_FAILED) fail("{}: is no .npy file; write one with numpy.save", path);
    bytes = static_cast<const char*>(base);
  }
  ~Mapping() { munmap(const_cast<char*>(bytes), size); }
  Mapping(const Mapping&) = delete;
};

struct Header {
  std::string type;
  bool fortran = false;
  std::vector<int64_t> sizes;
  size_t data_at = 0;
};

Header read_header(const Mapping& file, const std::string& path) {
  const auto refuse = [&] { fail("{}: is no .npy file; write one with numpy.save", path); };
  if (file.size < 12 || std::memcmp(file.bytes, kMagic, kMagicBytes) != 0) refuse();
  const bool narrow = file.bytes[6] == 1;  // the length of the header: two bytes in format 1, four since
  uint32_t length = 0;
  std::memcpy(&length, file.bytes + 8, narrow ? 2 : 4);
  Header header;
  header.data_at = (narrow ? 10 : 12) + static_cast<size_t>(length);
  if (header.data_at > file.size) refuse();
  const std::string text(file.bytes + (narrow ? 10 : 12), length);
  std::smatch type, order, shape;
  if (!std::regex_search(text, type, std::regex("'descr': *'([^']*)'")) || !std::regex_search(text, order, std::regex("'fortran_order': *(True|False)")) ||
      !std::regex_search(text, shape, std::regex("'shape': *\\(([0-9, ]*)\\)"))) {
    fail("{}: holds no plain array (its header is {}); save one array of numbers", path, text.substr(0, text.find_last_not_of(" \n") + 1));
  }
  header.type = type[1];
  header.fortran = order[1] == "True";
  const std::string sizes = shape[1];
  const std::regex number("[0-9]+");
  for (auto it = std::sregex_iterator(sizes.begin(), sizes.end(), number); it != std::sregex_iterator(); ++it) header.sizes.push_back(std::stoll(it->str()));
  return header;
}

}  // namespace

torch::Tensor map_npy(const std::string& path) {
  const auto file = std::make_shared<Mapping>(path);
  const Header header = read_header(*file, path);
  const auto type = types().find(header.type);
  if (type == types().end()) fail("{}: holds numbers of type {}; save them with .astype('float32')", path, header.type);
  if (header.fortran && header.sizes.size() > 1) fail("{}: is in Fortran order; save numpy.ascontiguousarray of it", path);
  size_t bytes = c10::elementSize(type->second);
  for (const int64_t size : header.sizes) {
    if (size > 0 && bytes > file->size / static_cast<size_t>(size)) fail("{}: is cut off: {} bytes do not hold an array of {}; copy or save it again", path, file->size, fmt::join(header.sizes, " x "));
    bytes *= static_cast<size_t>(size);
  }
  if (header.data_at + bytes > file->size) fail("{}: is cut off: {} of {} bytes are there; copy or save it again", path, file->size, header.data_at + bytes);
  return torch::from_blob(const_cast<char*>(file->bytes + header.data_at), header.sizes, [file](void*) {}, type->second);
}

void write_npy(const std::string& path, const torch::Tensor& array) {
  const auto values = array.to(torch::kCPU).contiguous();
  const auto* type = values.scalar_type() == torch::kFloat32 ? "<f4" : values.scalar_type() == torch::kFloat64 ? "<f8" : "<i8";
  expect(*type != 0 && (values.scalar_type() == torch::kInt64 || values.is_floating_point()), "write_npy takes float32, float64 and int64");
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", type, fmt::join(values.sizes(), ", "), values.dim() == 1 ? "," : "");
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
