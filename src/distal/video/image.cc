#include "distal/video/image.h"

#include "distal/video/ffmpeg.h"

namespace distal {

std::string encode_jpeg(const torch::Tensor& frame) {
  using namespace ffmpeg;
  const int height = static_cast<int>(frame.size(0));
  const int width = static_cast<int>(frame.size(1));
  // The scaler reads whole vectors, past the last row too.
  const torch::Tensor rgb = torch::cat(
      {frame.reshape({-1}), torch::zeros({AV_INPUT_BUFFER_PADDING_SIZE}, torch::kUInt8)});
  const AVCodec* jpeg = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (jpeg == nullptr) fail("this FFmpeg has no JPEG encoder; install one built with mjpeg");
  const Codec codec(avcodec_alloc_context3(jpeg));
  codec->width = width;
  codec->height = height;
  codec->pix_fmt = AV_PIX_FMT_YUVJ420P;
  codec->time_base = {1, 25};
  codec->flags |= AV_CODEC_FLAG_QSCALE;
  codec->global_quality = FF_QP2LAMBDA * 4;
  check(avcodec_open2(codec.get(), jpeg, nullptr), "opening the JPEG encoder");

  const Frame picture = make_frame();
  picture->width = width;
  picture->height = height;
  picture->format = codec->pix_fmt;
  picture->quality = codec->global_quality;
  check(av_frame_get_buffer(picture.get(), 0), "a picture's buffer");
  const Scaler scaler(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, codec->pix_fmt,
                                     SWS_BILINEAR, nullptr, nullptr, nullptr));
  const uint8_t* lines[] = {rgb.data_ptr<uint8_t>()};
  const int stride[] = {3 * width};
  sws_scale(scaler.get(), lines, stride, 0, height, picture->data, picture->linesize);

  check(avcodec_send_frame(codec.get(), picture.get()), "encoding a JPEG");
  const Packet packet = make_packet();
  check(avcodec_receive_packet(codec.get(), packet.get()), "encoding a JPEG");
  return {reinterpret_cast<const char*>(packet->data), static_cast<size_t>(packet->size)};
}

}  // namespace distal
