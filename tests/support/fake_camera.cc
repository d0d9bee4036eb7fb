// A camera that is not there: preloaded into a program, it stands for the device file FAKE_CAMERA
// and speaks V4L2 as drivers do (linux/videodev2.h; memory-mapped buffers, YUYV). It shows the raw
// frames of the file FAKE_CAMERA_FRAMES again and again, FAKE_CAMERA_RATE a second. While a file
// FAKE_CAMERA_GONE exists it is unplugged. FAKE_CAMERA_LOG gets a line when it is closed: how many
// frames were taken.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <deque>
#include <vector>

namespace {

constexpr unsigned kWidth = 64;
constexpr unsigned kHeight = 48;
constexpr unsigned kFrameBytes = 2 * kWidth * kHeight;
constexpr unsigned kBuffers = 8;
constexpr unsigned kStride = 1 << 16;

struct Camera {
  int file = -1;
  int memory = -1;
  std::vector<char> frames;
  std::deque<unsigned> queued;
  double began_s = -1;
  long taken = 0;
  unsigned char* buffers = nullptr;
} camera;

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

const char* setting(const char* name, const char* otherwise = "") {
  const char* value = getenv(name);
  return value ? value : otherwise;
}
bool is_camera(const char* path) {
  return path && *setting("FAKE_CAMERA") && strcmp(path, setting("FAKE_CAMERA")) == 0;
}
bool gone() {
  return access(setting("FAKE_CAMERA_GONE", "/"), F_OK) == 0 && *setting("FAKE_CAMERA_GONE");
}
double now_s() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}
double rate() { return atof(setting("FAKE_CAMERA_RATE", "25")); }

int refuse(int code) {
  errno = code;
  return -1;
}

int open_camera() {
  if (gone()) return refuse(ENOENT);
  camera = {};
  FILE* const in = fopen(setting("FAKE_CAMERA_FRAMES"), "rb");
  if (!in) return refuse(ENODEV);
  char block[4096];
  while (const size_t count = fread(block, 1, sizeof block, in))
    camera.frames.insert(camera.frames.end(), block, block + count);
  fclose(in);
  camera.memory = memfd_create("camera", 0);
  if (ftruncate(camera.memory, kBuffers * kStride) != 0) return -1;
  camera.buffers = static_cast<unsigned char*>(real<void*(void*, size_t, int, int, int, off_t)>(
      "mmap")(nullptr, kBuffers * kStride, PROT_READ | PROT_WRITE, MAP_SHARED, camera.memory, 0));
  return camera.file = dup(camera.memory);
}

void fill(v4l2_pix_format& form) {
  form = {};
  form.width = kWidth;
  form.height = kHeight;
  form.pixelformat = V4L2_PIX_FMT_YUYV;
  form.field = V4L2_FIELD_NONE;
  form.bytesperline = 2 * kWidth;
  form.sizeimage = kFrameBytes;
  form.colorspace = V4L2_COLORSPACE_SMPTE170M;
}

int take_frame(v4l2_buffer& buffer) {
  if (gone()) return refuse(ENODEV);
  const double due_s = camera.began_s + static_cast<double>(camera.taken) / rate();
  if (camera.queued.empty() || now_s() < due_s) return refuse(EAGAIN);
  const unsigned index = camera.queued.front();
  camera.queued.pop_front();
  const size_t count = camera.frames.size() / kFrameBytes;
  const size_t shown = static_cast<size_t>(camera.taken) % count;
  memcpy(camera.buffers + index * kStride, camera.frames.data() + shown * kFrameBytes, kFrameBytes);
  buffer.index = index;
  buffer.bytesused = kFrameBytes;
  buffer.flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
  buffer.sequence = static_cast<unsigned>(camera.taken++);
  buffer.timestamp.tv_sec = static_cast<time_t>(due_s);
  buffer.timestamp.tv_usec =
      static_cast<suseconds_t>(1e6 * (due_s - static_cast<double>(static_cast<time_t>(due_s))));
  return 0;
}

int answer(unsigned long request, void* argument) {
  switch (request) {
    case VIDIOC_QUERYCAP: {
      auto& about = *static_cast<v4l2_capability*>(argument);
      about = {};
      strcpy(reinterpret_cast<char*>(about.driver), "fake");
      strcpy(reinterpret_cast<char*>(about.card), "fake camera");
      about.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
      return 0;
    }
    case VIDIOC_ENUMINPUT: {
      auto& input = *static_cast<v4l2_input*>(argument);
      if (input.index > 0) return refuse(EINVAL);
      input.type = V4L2_INPUT_TYPE_CAMERA;
      return 0;
    }
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_G_INPUT: *static_cast<int*>(argument) = 0; return 0;
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT:
    case VIDIOC_S_FMT: fill(static_cast<v4l2_format*>(argument)->fmt.pix); return 0;
    case VIDIOC_ENUM_FMT: {
      auto& form = *static_cast<v4l2_fmtdesc*>(argument);
      if (form.index > 0) return refuse(EINVAL);
      form.pixelformat = V4L2_PIX_FMT_YUYV;
      return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
      auto& capture = static_cast<v4l2_streamparm*>(argument)->parm.capture;
      capture = {};
      capture.capability = V4L2_CAP_TIMEPERFRAME;
      capture.timeperframe = {1000, static_cast<unsigned>(1000 * rate())};
      return 0;
    }
    case VIDIOC_REQBUFS: static_cast<v4l2_requestbuffers*>(argument)->count = kBuffers; return 0;
    case VIDIOC_QUERYBUF: {
      auto& buffer = *static_cast<v4l2_buffer*>(argument);
      if (buffer.index >= kBuffers) return refuse(EINVAL);
      buffer.length = kStride;
      buffer.m.offset = buffer.index * kStride;
      return 0;
    }
    case VIDIOC_QBUF: camera.queued.push_back(static_cast<v4l2_buffer*>(argument)->index); return 0;
    case VIDIOC_DQBUF: return take_frame(*static_cast<v4l2_buffer*>(argument));
    case VIDIOC_STREAMON: camera.began_s = now_s(); return 0;
    case VIDIOC_STREAMOFF: return 0;
    default: return refuse(ENOTTY);
  }
}

}  // namespace

// The functions of the C library that a program calls on a device file.
extern "C" {

__attribute__((visibility("default"))) int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (is_camera(path)) return open_camera();
  return real<int(const char*, int, ...)>("open")(path, flags, mode);
}

__attribute__((visibility("default"))) int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (is_camera(path)) return open_camera();
  return real<int(const char*, int, ...)>("open64")(path, flags, mode);
}

__attribute__((visibility("default"))) int stat(const char* path, struct stat* status) {
  if (!is_camera(path)) return real<int(const char*, struct stat*)>("stat")(path, status);
  if (gone()) return refuse(ENOENT);
  *status = {};
  status->st_mode = S_IFCHR | 0660;
  status->st_rdev = makedev(81, 0);
  return 0;
}

__attribute__((visibility("default"))) int stat64(const char* path, struct stat64* status) {
  return stat(path, reinterpret_cast<struct stat*>(status));  // the same on 64-bit systems
}

__attribute__((visibility("default"))) int ioctl(int file, unsigned long request, ...) {
  va_list more;
  va_start(more, request);
  void* const argument = va_arg(more, void*);
  va_end(more);
  if (file >= 0 && file == camera.file) return answer(static_cast<unsigned>(request), argument);
  return real<int(int, unsigned long, ...)>("ioctl")(file, request, argument);
}

__attribute__((visibility("default"))) int close(int file) {
  if (file >= 0 && file == camera.file) {
    if (FILE* const log = fopen(setting("FAKE_CAMERA_LOG", "/dev/null"), "a")) {
      fprintf(log, "%ld\n", camera.taken);
      fclose(log);
    }
    munmap(camera.buffers, kBuffers * kStride);
    const int memory = camera.memory;
    camera.file = camera.memory = -1;
    real<int(int)>("close")(memory);
  }
  return real<int(int)>("close")(file);
}
}
