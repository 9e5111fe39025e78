// JsonWriter: JSON as text, written front to back. The order of calls is the program's own, and
// only its tests check it. Strings may have any bytes: those that are not UTF-8 become U+FFFD.
//
//   JsonWriter json;
//   json.BeginObject().Member("id", id).Member("limit", std::optional<int>()).EndObject();
//   std::move(json).Take()      // {"id":"x","limit":null}
#pragma once

#include <charconv>
#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace cay {

// Takes JSON while it is written, so that it is never there as a whole.
class JsonSink {
 public:
  virtual ~JsonSink() = default;
  // What has been written since the last time; empties it.
  virtual void Take(std::string& text) = 0;
};

class JsonWriter {
 public:
  // With a sink, text() is only what it has not taken: at most this, and a little.
  static constexpr size_t kPieceBytes = size_t{64} * 1024;

  JsonWriter() = default;
  // Appends to `text`, which may be anything. `sink` outlives it.
  explicit JsonWriter(std::string text, JsonSink* sink = nullptr)
      : text_(std::move(text)), sink_(sink) {}

  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view name);

  JsonWriter& Value(std::string_view text);
  JsonWriter& Value(const char* text) { return Value(std::string_view(text)); }
  JsonWriter& Value(const std::string& text) { return Value(std::string_view(text)); }
  JsonWriter& Value(std::same_as<bool> auto value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Value(std::integral auto value)
    requires(!std::same_as<decltype(value), bool> && !std::same_as<decltype(value), char>)
  {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return Raw({text, static_cast<size_t>(end - text)});
  }
  JsonWriter& Value(double value);  // finite
  JsonWriter& Null() { return Raw("null"); }
  JsonWriter& Base64(std::string_view bytes);                          // as a string
  JsonWriter& Joined(std::initializer_list<std::string_view> pieces);  // one string of them all
  template <class T>
  JsonWriter& Value(const std::optional<T>& value) {
    return value ? Value(*value) : Null();
  }
  // What is JSON already: a whole value.
  JsonWriter& Raw(std::string_view json);

  template <class T>
  JsonWriter& Member(std::string_view name, const T& value) {
    return Key(name).Value(value);
  }

  const std::string& text() const { return text_; }
  std::string Take() && { return std::move(text_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();
  void AppendEscaped(std::string_view text);
  void AppendString(std::string_view text);
  void GiveToSink() {
    if (sink_ != nullptr && text_.size() >= kPieceBytes) sink_->Take(text_);
  }

  std::string text_;
  JsonSink* sink_ = nullptr;
  bool comma_ = false;  // before the next value or key
};

}  // namespace cay
