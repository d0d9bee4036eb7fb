// oracles/protocol.h: what a server answers. The first byte says how long the JSON is, in 16ths of
// the message; 'J': all of it.
#include "distal/oracles/protocol.h"

#include "distal/oracles/teacher.h"
#include "target.h"

using namespace distal;

namespace {

constexpr int64_t kClips = 2;
constexpr int64_t kClasses = 3;

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const std::string body(input.substr(1));
  fuzz::attempt(input, [&] { protocol::parse_url(body); });
  std::optional<size_t> json_bytes;
  if (input[0] != 'J') json_bytes = body.size() * (static_cast<unsigned char>(input[0]) % 18) / 16;
  fuzz::attempt(input, [&] {
    const auto message = protocol::parse(body, json_bytes);
    protocol::text_of(message.json, "model_version");
    const auto answer = protocol::tensor(message, "outputs", "probabilities");
    for (const bool logits : {false, true}) {
      fuzz::attempt(input, [&] {
        fuzz::require(
            checked_answer(answer, logits, kClips, kClasses, "teacher").size(1) == kClasses,
            "an answer has a column a class");
      });
    }
  });
}
