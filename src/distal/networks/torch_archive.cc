#include "distal/networks/torch_archive.h"

#include <filesystem>

#include <caffe2/serialize/inline_container.h>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/in_our_words.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr size_t kMostUnpackedOfByte = 100;

template <class Work>
auto of_archive(const std::string& path, const Work& work) {
  return in_our_words(
      fmt::format("{}: no archive of PyTorch, or damaged; write it again with torch.jit.save or "
                  "torch._inductor.aoti_compile_and_package",
                  path),
      work);
}

}  // namespace

struct TorchArchive::Reader {
  explicit Reader(const std::string& path) : archive(path) {}
  caffe2::serialize::PyTorchStreamReader archive;
};

TorchArchive::TorchArchive(const std::string& path) : path_(path) {
  if (MappedFile(path).size() < 4 || std::string_view(MappedFile(path).data(), 4) != "PK\x03\x04")
    fail("{}: no archive of PyTorch; write it with torch.jit.save or "
         "torch._inductor.aoti_compile_and_package",
         path);
  of_archive(path, [&] {
    reader_ = std::make_unique<Reader>(path);
    names_ = reader_->archive.getAllRecords();
  });
}

TorchArchive::~TorchArchive() = default;

std::string TorchArchive::record(const std::string& name, size_t most_bytes) const {
  return of_archive(path_, [&] {
    const size_t bytes = reader_->archive.getRecordSize(name);
    if (bytes > most_bytes) fail("{}: '{}' in it is too large", path_, excerpt(name));
    const auto [data, size] = reader_->archive.getRecord(name);
    return std::string(static_cast<const char*>(data.get()), size);
  });
}

void TorchArchive::unpack(const std::string& prefix, const std::string& folder) const {
  const size_t most = kMostUnpackedOfByte * std::filesystem::file_size(path_);
  size_t all = 0;
  for (const auto& name : names_) {
    if (!name.starts_with(prefix)) continue;
    const std::filesystem::path inside(name);
    if (inside.is_absolute() || std::find(inside.begin(), inside.end(), "..") != inside.end())
      fail("{}: '{}' in it leads out of the archive", path_, excerpt(name));
    const std::string bytes = record(name, most);
    all += bytes.size();
    if (all > most) fail("{}: holds far more than its size; it is damaged or harmful", path_);
    const std::filesystem::path to = std::filesystem::path(folder) / inside;
    make_folder(to.parent_path().string());
    write_atomically(to.string(), bytes);
  }
}

}  // namespace distal
