// Every frame of every video of a list as RGB by libavformat, libavcodec and libswscale alone, one thread; prints seconds, frames and the mean pixel of each video as JSON.
//
//     cc -O3 bench/peers/decode_libav.c -o PLACE/decode_libav $(pkg-config --cflags --libs libavformat libavcodec libswscale libavutil)
//     PLACE/decode_libav FOLDER LIST
//
// LIST is a CSV in FOLDER whose first column is the path, without quotes. Each frame is converted at its own size into one and the same buffer. Each video is decoded
// twice: first for its mean, which also brings the file into memory, then for the seconds, from opening the file to closing it.
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
#include <libavutil/time.h>
#include <libswscale/swscale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kAlign = 64, kPath = 4096 };

static struct SwsContext* scaler;
static uint8_t* rgb;
static unsigned rgb_size;

static void require(int holds, const char* path, const char* what) {
  if (holds) return;
  fprintf(stderr, "decode_libav: %s: %s\n", path, what);
  exit(1);
}

static double now_s(void) { return 1e-6 * (double)av_gettime_relative(); }

// Rows lie `stride` apart and begin where vectors like to; swscale may write a little past the end of a row.
static int convert(const AVFrame* frame, const char* path) {
  const int width = frame->width, height = frame->height, stride = (3 * width + kAlign - 1) / kAlign * kAlign;
  scaler = sws_getCachedContext(scaler, width, height, frame->format, width, height, AV_PIX_FMT_RGB24, SWS_POINT, NULL, NULL, NULL);
  require(scaler != NULL, path, "no conversion to RGB");
  av_fast_malloc(&rgb, &rgb_size, (size_t)stride * (size_t)(height + 1));
  require(rgb != NULL, path, "out of memory");
  uint8_t* const planes[4] = {rgb};
  const int strides[4] = {stride};
  require(sws_scale(scaler, (const uint8_t* const*)frame->data, frame->linesize, 0, height, planes, strides) == height, path, "conversion failed");
  return stride;
}

static double sum_of(int height, int width, int stride) {
  uint64_t sum = 0;
  for (int row = 0; row < height; ++row) {
    for (int i = 0; i < 3 * width; ++i) sum += rgb[(size_t)row * (size_t)stride + (size_t)i];
  }
  return (double)sum;
}

// The number of frames. `mean` may be null: then pixels are only converted.
static long decode(const char* path, double* mean) {
  AVFormatContext* format = NULL;
  const AVCodec* codec = NULL;
  require(avformat_open_input(&format, path, NULL, NULL) == 0, path, "cannot be opened");
  require(avformat_find_stream_info(format, NULL) >= 0, path, "has no streams");
  const int video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
  require(video >= 0, path, "no video that can be decoded");
  for (unsigned i = 0; i < format->nb_streams; ++i) format->streams[i]->discard = (int)i == video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  AVCodecContext* decoder = avcodec_alloc_context3(codec);
  AVPacket* packet = av_packet_alloc();
  AVFrame* frame = av_frame_alloc();
  require(decoder && packet && frame, path, "out of memory");
  require(avcodec_parameters_to_context(decoder, format->streams[video]->codecpar) >= 0, path, "unknown parameters");
  decoder->thread_count = 1;
  require(avcodec_open2(decoder, codec, NULL) == 0, path, "the decoder does not open");

  long frames = 0;
  double sum = 0, pixels = 0;
  for (int more = 1; more;) {
    more = av_read_frame(format, packet) >= 0;
    if (!more) avcodec_send_packet(decoder, NULL);
    else if (packet->stream_index == video) avcodec_send_packet(decoder, packet);  // damage shows as frames that do not come
    av_packet_unref(packet);
    while (avcodec_receive_frame(decoder, frame) == 0) {
      const int stride = convert(frame, path);
      ++frames;
      if (mean == NULL) continue;
      sum += sum_of(frame->height, frame->width, stride);
      pixels += 3.0 * frame->height * frame->width;
    }
  }
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&decoder);
  avformat_close_input(&format);
  require(frames > 0, path, "no frame can be decoded");
  if (mean != NULL) *mean = sum / pixels;
  return frames;
}

int main(int count, char** arguments) {
  require(count == 3, "FOLDER LIST", "two arguments are wanted");
  av_log_set_level(AV_LOG_QUIET);
  char path[kPath], line[kPath], last[kPath] = "";
  snprintf(path, sizeof path, "%s/%s", arguments[1], arguments[2]);
  FILE* list = fopen(path, "r");
  require(list != NULL, path, "cannot be opened");
  require(fgets(line, sizeof line, list) != NULL && strncmp(line, "path", 4) == 0, path, "the first column is not path");

  double seconds = 0;
  long frames = 0;
  printf("{\"means\": {");
  while (fgets(line, sizeof line, list) != NULL) {
    line[strcspn(line, ",\r\n")] = '\0';
    if (line[0] == '\0' || strcmp(line, last) == 0) continue;  // parts of one video stand together
    require(snprintf(path, sizeof path, "%s/%s", arguments[1], line) < (int)sizeof path, line, "too long");
    double mean = 0;
    decode(path, &mean);
    const double began = now_s();
    frames += decode(path, NULL);
    seconds += now_s() - began;
    printf("%s\"%s\": %.6f", last[0] == '\0' ? "" : ", ", line, mean);
    strcpy(last, line);
  }
  fclose(list);
  printf("}, \"frames\": %ld, \"seconds\": %.6f}\n", frames, seconds);
  sws_freeContext(scaler);
  av_free(rgb);
  return 0;
}
