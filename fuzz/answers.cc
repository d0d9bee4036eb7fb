// people/answer_files.h: answers of people as CSV, Label Studio's and CVAT's exports.
#include "distal/people/answer_files.h"
#include "target.h"

using namespace distal;

namespace {

Questions questions_of(AskedKind kind) {
  Questions questions;
  questions.classes = {"cut", "rest"};
  for (const char* clip : {"aa@0-2000", "bb@0-inf"}) {
    AskedItem item;
    item.clip = clip;
    item.video = "a.mp4";
    item.kind = kind;
    item.frame_rate = 25;
    item.asked_ms = 1'767'300'000'000;
    questions.items.push_back(item);
  }
  return questions;
}

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  const std::string text(input);
  for (const AskedKind kind : {AskedKind::clip, AskedKind::ranges}) {
    const Questions questions = questions_of(kind);
    fuzz::attempt(input, [&] {
      const auto read = read_answers("", text, "answers", questions, {.person = "kim"});
      for (const GivenAnswer& answer : read.answers) {
        fuzz::require(!answer.person.empty(), "an answer names a person");
        fuzz::require(
            answer.clip == questions.items[0].clip || answer.clip == questions.items[1].clip,
            "an answer is about a clip that was asked");
        fuzz::require(kind == AskedKind::ranges || answer.skipped || answer.class_name == "cut" ||
                          answer.class_name == "rest",
                      "an answer says a class");
        fuzz::require(!answer.seconds || *answer.seconds >= 0, "seconds are a number from 0");
      }
      for (const RowRefusal& refusal : read.refusals)
        fuzz::require_own_words(refusal.text(), input);
      answer_file("csv", questions, read.answers);
      answer_file("label-studio", questions, read.answers);
    });
  }
}
