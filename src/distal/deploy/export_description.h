#pragma once
// What stands beside an exported graph: its description for programs (JSON), its model card for
// people (Markdown), and a program in Python that reads a video and runs the graph on it. The
// description says what is outside the graph to the last digit.

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "distal/data/clip_reader.h"
#include "distal/models/saved_model.h"

namespace distal {

struct ExportReport;

/// The description of the model with a section `export`: form, format, precision, input, outputs,
/// which frames, decoding, scaling, crop, values, softmax, distal's revision. Of `report`: form,
/// clip, int8.
nlohmann::ordered_json describe_export(const SavedModel& saved, const InputOptions& input,
                                       const ExportReport& report, const std::string& title);

/// The section `export.read_back`, of a report that has one.
void describe_read_back(nlohmann::ordered_json& description, const ExportReport& report);

/// Markdown. `name`: of the exported file, without its folder. What the description does not know
/// is called unknown.
std::string model_card(const nlohmann::ordered_json& description, const std::string& name);

/// The program for the file NAME goes into NAME.py.
std::string reader_program();

}  // namespace distal
