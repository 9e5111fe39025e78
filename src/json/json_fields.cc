#include "json/json_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/encoding.h"

namespace cay {
namespace {

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

Error TooLong(std::string_view what, size_t max_bytes) {
  return {ErrorCode::kLimitTooHigh, Fault::kCaller,
          std::string(what) + " is over the maximum of " + FormatBytes(max_bytes)};
}

// A number that is not negative and whole.
std::optional<uint64_t> Whole(const JsonValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value.value)) {
    if (*number >= 0) return static_cast<uint64_t>(*number);
  }
  if (const auto* number = std::get_if<uint64_t>(&value.value)) return *number;
  // JSON has one kind of number: 283.0 is 283 (RFC 8259, 6), as far as a double is exact.
  constexpr double kExact = 9007199254740992;
  const auto* number = std::get_if<double>(&value.value);
  if (number == nullptr || !(*number >= 0) || *number > kExact || std::trunc(*number) != *number) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(*number);
}

// A number as text with at most three decimals: what the parsers of units read. Nothing for one
// that has more.
std::optional<std::string> DecimalText(const JsonValue& value) {
  if (const auto whole = Whole(value)) return std::to_string(*whole);
  const auto* number = std::get_if<double>(&value.value);
  if (number == nullptr || !(*number >= 0) || *number > 1e12) return std::nullopt;
  const double thousandths = std::round(*number * 1000);
  // As near as a double can be to what was written.
  if (std::abs(*number * 1000 - thousandths) > std::max(1e-6, 1e-15 * thousandths)) {
    return std::nullopt;
  }
  const auto scaled = static_cast<uint64_t>(thousandths);
  std::string fraction = std::to_string(1000 + scaled % 1000).substr(1);
  return std::to_string(scaled / 1000) + "." + fraction;
}

}  // namespace

Error WrongKind(std::string_view what, std::string_view expected, const JsonValue& found) {
  return Error::Invalid(std::string(what) + " must be " + std::string(expected) + ", not " +
                        std::string(found.KindName()));
}

Result<JsonFields> JsonFields::Of(const JsonValue& value, std::string where) {
  const auto* object = value.AsObject();
  if (object == nullptr) {
    return Failure(
        WrongKind(where.empty() ? "the request body" : Quoted(where), "an object", value));
  }
  return JsonFields(*object, std::move(where));
}

std::string JsonFields::PathOf(std::string_view name) const {
  return Quoted(where_.empty() ? std::string(name) : where_ + "." + std::string(name));
}

Error JsonFields::Wrong(std::string_view name, std::string_view expected,
                        const JsonValue& found) const {
  return WrongKind(PathOf(name), expected, found);
}

Error JsonFields::Wrong(std::string_view name, const Error& why) const {
  return Error(why).WithContext(PathOf(name));
}

const JsonValue* JsonFields::Find(std::string_view name) {
  asked_.emplace(name);
  const auto found = std::ranges::find(*object_, name, &JsonMember::name);
  return found == object_->end() || found->value.is_null() ? nullptr : &found->value;
}

Result<std::optional<std::string>> JsonFields::String(std::string_view name, size_t max_bytes) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const std::string* text = value->AsString();
  if (text == nullptr) return Failure(Wrong(name, "a string", *value));
  if (text->size() > max_bytes) return Failure(TooLong(PathOf(name), max_bytes));
  return *text;
}

Result<std::string> JsonFields::RequiredString(std::string_view name, size_t max_bytes) {
  auto text = TRY(String(name, max_bytes));
  if (!text) return Failure(Error::Invalid(PathOf(name) + " is missing"));
  return *std::move(text);
}

Result<std::optional<bool>> JsonFields::Bool(std::string_view name) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->AsBool() == nullptr) return Failure(Wrong(name, "true or false", *value));
  return *value->AsBool();
}

Result<std::optional<uint64_t>> JsonFields::Number(std::string_view name, uint64_t max) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const auto number = Whole(*value);
  if (!number) {
    return Failure(Error::Invalid(PathOf(name) + " must be a whole number, and not negative"));
  }
  if (*number > max) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         PathOf(name) + " is over the maximum of " + std::to_string(max)));
  }
  return *number;
}

Result<std::optional<Bytes>> JsonFields::Size(std::string_view name) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const std::string* text = value->AsString();
  if (text == nullptr && !Whole(*value)) {
    return Failure(Wrong(name, "a size such as \"512m\" or a whole number of bytes", *value));
  }
  const auto bytes = ParseBytes(text != nullptr ? *text : std::to_string(*Whole(*value)));
  if (!bytes) return Failure(Wrong(name, bytes.error()));
  return *bytes;
}

Result<std::optional<Millis>> JsonFields::Duration(std::string_view name) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const std::string* text = value->AsString();
  const auto number = DecimalText(*value);
  if (text == nullptr && !number) {
    return Failure(Wrong(name, "a duration such as \"30s\" or a number of seconds", *value));
  }
  const auto duration = ParseDuration(text != nullptr ? *text : *number);
  if (!duration) return Failure(Wrong(name, duration.error()));
  return *duration;
}

Result<std::optional<MilliCpus>> JsonFields::Cpus(std::string_view name) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const std::string* text = value->AsString();
  const auto number = DecimalText(*value);
  if (text == nullptr && !number) {
    return Failure(Wrong(name, "a number of processors such as \"0.5\" or 0.5", *value));
  }
  const auto cpus = ParseCpus(text != nullptr ? *text : *number);
  if (!cpus) return Failure(Wrong(name, cpus.error()));
  return *cpus;
}

Result<std::optional<uint32_t>> JsonFields::Mode(std::string_view name) {
  const auto text = TRY(String(name, 16));
  if (!text) return std::nullopt;
  const auto mode = ParseMode(*text);
  if (!mode) return Failure(Wrong(name, mode.error()));
  return *mode;
}

template <class Read>
Result<std::optional<StringMap>> JsonFields::Map(std::string_view name, Read read) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const auto* object = value->AsObject();
  if (object == nullptr) return Failure(Wrong(name, "an object of strings", *value));
  StringMap strings;
  for (const auto& [key, member] : *object) {
    strings.emplace(key, TRY(read(member, PathOf(std::string(name) + "." + key))));
  }
  return strings;
}

Result<std::optional<StringMap>> JsonFields::Strings(std::string_view name) {
  return Map(name, [](const JsonValue& value, const std::string& path) -> Result<std::string> {
    if (value.AsString() == nullptr) return Failure(WrongKind(path, "a string", value));
    return *value.AsString();
  });
}

Result<std::optional<StringMap>> JsonFields::TextsOrBase64(std::string_view name) {
  return Map(name, [](const JsonValue& value, const std::string& path) {
    return TextOrBase64Of(value, path, kMaxText);
  });
}

Result<std::optional<std::string>> JsonFields::TextOrBase64(std::string_view name,
                                                            size_t max_bytes) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  return TRY(TextOrBase64Of(*value, PathOf(name), max_bytes));
}

Result<void> JsonFields::Finish() const {
  for (const auto& [name, value] : *object_) {
    if (asked_.contains(name)) continue;
    std::string known;
    for (const std::string& one : asked_) known += (known.empty() ? "" : ", ") + one;
    return Failure(
        Error::Invalid("unknown field " + PathOf(name)).WithRemedy("known here: " + known));
  }
  return {};
}

Result<std::string> TextOrBase64Of(const JsonValue& value, std::string_view what,
                                   size_t max_bytes) {
  std::string bytes;
  if (const std::string* text = value.AsString()) {
    bytes = *text;
  } else if (const auto* object = value.AsObject(); object != nullptr && object->size() == 1 &&
                                                    object->front().name == "base64" &&
                                                    object->front().value.AsString() != nullptr) {
    auto decoded = DecodeBase64(*object->front().value.AsString());
    if (!decoded) return Failure(std::move(decoded).error().WithContext(what));
    bytes = *std::move(decoded);
  } else {
    return Failure(WrongKind(what, "a string or {\"base64\": \"…\"}", value));
  }
  if (bytes.size() > max_bytes) return Failure(TooLong(what, max_bytes));
  return bytes;
}

Result<uint32_t> ParseMode(std::string_view text) {
  uint32_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || mode > 07777) {
    return Failure(Error::Invalid("not a file mode: \"" + std::string(text) + "\"")
                       .WithRemedy("write it in octal, as in 0644"));
  }
  return mode;
}

}  // namespace cay
