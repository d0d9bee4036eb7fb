#pragma once
// Names of classes as files of networks say them, and files beside them.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace distal {

/// Of a text: JSON or YAML, a list of names or a map from the number of each class to its name
/// (`{0: 'person', 1: 'car'}`, as Ultralytics writes it), or words between commas or line breaks.
/// In the order of the numbers, which must be 0 to K - 1. Empty: the text is none of these.
std::vector<std::string> class_names_of(const std::string& text);

/// Of a JSON description: under `classes`, `id2label` (Hugging Face), `names` or `labels`. Empty:
/// none of these, or no JSON.
std::vector<std::string> class_names_of_json(const std::string& text);

/// Of the metadata of a file: under `distal` (the description that distal export writes),
/// `classes`, `class_names`, `id2label`, `names` or `labels`. Empty: none of these.
std::vector<std::string> class_names_of(const std::map<std::string, std::string>& metadata);

/// Of the files beside it: FILE.json, the same name with the ending .json, config.json. Empty:
/// none says any.
std::vector<std::string> class_names_beside(const std::string& file);

}  // namespace distal
