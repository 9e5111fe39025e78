#include <boost/json/basic_parser_impl.hpp>
#include <optional>
#include <set>

#include "json/json_value.h"

namespace cay {
namespace {

namespace json = boost::json;
using Code = json::error_code;

// Builds the tree from the parser's events. What it refuses itself is in `problem_`.
class TreeHandler {
 public:
  // Boost.JSON asks for these names.
  // NOLINTBEGIN(readability-identifier-naming)
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;
  // NOLINTEND(readability-identifier-naming)

  explicit TreeHandler(const JsonLimits& limits) : limits_(limits) {}

  JsonValue TakeRoot() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

  bool on_document_begin(Code& /*code*/) { return true; }
  bool on_document_end(Code& /*code*/) { return true; }
  bool on_array_begin(Code& code) { return Open(JsonValue{JsonValue::Array()}, code); }
  bool on_array_end(size_t /*count*/, Code& /*code*/) { return Close(); }
  bool on_object_begin(Code& code) { return Open(JsonValue{JsonValue::Object()}, code); }
  bool on_object_end(size_t /*count*/, Code& /*code*/) {
    names_.pop_back();
    return Close();
  }
  bool on_string_part(json::string_view part, size_t /*size*/, Code& /*code*/) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, size_t /*size*/, Code& code) {
    text_.append(part.data(), part.size());
    return Add(JsonValue{std::exchange(text_, {})}, code) != nullptr;
  }
  bool on_key_part(json::string_view part, size_t /*size*/, Code& code) {
    text_.append(part.data(), part.size());
    return text_.size() <= limits_.name_bytes || Refuse("a name that is too long", code);
  }
  bool on_key(json::string_view part, size_t size, Code& code) {
    if (!on_key_part(part, size, code)) return false;
    if (!names_.back().insert(text_).second)
      return Refuse("the name \"" + text_ + "\" twice", code);
    key_ = std::exchange(text_, {});
    return true;
  }
  bool on_number_part(json::string_view /*part*/, Code& /*code*/) { return true; }
  bool on_int64(int64_t number, json::string_view /*text*/, Code& code) {
    return Add(JsonValue{number}, code) != nullptr;
  }
  bool on_uint64(uint64_t number, json::string_view /*text*/, Code& code) {
    return Add(JsonValue{number}, code) != nullptr;
  }
  bool on_double(double number, json::string_view /*text*/, Code& code) {
    return Add(JsonValue{number}, code) != nullptr;
  }
  bool on_bool(bool value, Code& code) { return Add(JsonValue{value}, code) != nullptr; }
  bool on_null(Code& code) { return Add(JsonValue{nullptr}, code) != nullptr; }
  bool on_comment_part(json::string_view /*part*/, Code& /*code*/) { return true; }
  bool on_comment(json::string_view /*text*/, Code& /*code*/) { return true; }

 private:
  bool Refuse(std::string problem, Code& code) {
    problem_ = std::move(problem);
    code = json::error::syntax;
    return false;
  }

  JsonValue* Add(JsonValue value, Code& code) {
    if (++values_ > limits_.values) {
      Refuse("more than " + std::to_string(limits_.values) + " values", code);
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* array = std::get_if<JsonValue::Array>(&open_.back()->value)) {
      return &array->emplace_back(std::move(value));
    }
    auto& object = std::get<JsonValue::Object>(open_.back()->value);
    return &object.emplace_back(JsonMember{std::move(key_), std::move(value)}).value;
  }

  // While a container is open nothing is added to the one around it: the pointers stay valid.
  bool Open(JsonValue container, Code& code) {
    const bool is_object = container.AsObject() != nullptr;
    JsonValue* added = Add(std::move(container), code);
    if (added == nullptr) return false;
    open_.push_back(added);
    if (is_object) names_.emplace_back();
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  JsonValue root_{nullptr};
  std::vector<JsonValue*> open_;
  std::vector<std::set<std::string>> names_;  // of the open objects
  std::string text_;
  std::string key_;
  size_t values_ = 0;
  std::string problem_;
};

}  // namespace

std::string_view JsonValue::KindName() const {
  static constexpr std::string_view kNames[] = {"null",     "a boolean", "a number", "a number",
                                                "a number", "a string",  "an array", "an object"};
  return kNames[value.index()];
}

Result<JsonValue> ParseJson(std::string_view text, const JsonLimits& limits) {
  json::parse_options options;
  options.max_depth = limits.depth;
  json::basic_parser<TreeHandler> parser(options, limits);
  Code code;
  const size_t used = parser.write_some(false, text.data(), text.size(), code);
  if (!code && used < text.size()) code = json::error::extra_data;
  if (code) {
    std::string what = parser.handler().problem();
    if (what.empty()) what = code.message();
    return Failure(
        Error::Invalid("the JSON is malformed at byte " + std::to_string(used) + ": " + what));
  }
  return parser.handler().TakeRoot();
}

}  // namespace cay
