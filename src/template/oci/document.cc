#include "template/oci/document.h"

#include <algorithm>

#include "archive/safe_path.h"
#include "base/text.h"

namespace cay::templates::oci {
namespace {

// What Go's encoding/json compares names by: besides ASCII's letters, two others have a counterpart
// in ASCII.
std::string Folded(std::string_view name) {
  static constexpr std::string_view kLongS = "\xc5\xbf";           // U+017F, as s
  static constexpr std::string_view kKelvinSign = "\xe2\x84\xaa";  // U+212A, as k
  std::string folded;
  while (!name.empty()) {
    if (name.starts_with(kLongS)) {
      folded += 's';
      name.remove_prefix(kLongS.size());
    } else if (name.starts_with(kKelvinSign)) {
      folded += 'k';
      name.remove_prefix(kKelvinSign.size());
    } else {
      folded += name.front();
      name.remove_prefix(1);
    }
  }
  return Lower(folded);
}

std::string Quoted(std::string_view path) { return "\"" + std::string(path) + "\""; }

bool IsDigit(char letter) { return letter >= '0' && letter <= '9'; }

// Takes two digits from `text`: nothing unless they are a number of at most `max`.
bool TakePair(std::string_view& text, unsigned max) {
  if (text.size() < 2 || !IsDigit(text[0]) || !IsDigit(text[1])) return false;
  const auto number = static_cast<unsigned>((text[0] - '0') * 10 + (text[1] - '0'));
  text.remove_prefix(2);
  return number <= max;
}

bool Take(std::string_view& text, char letter) {
  if (!text.starts_with(letter)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Error OverLimit(std::string message) {
  return {ErrorCode::kLimitTooHigh, Fault::kCaller, std::move(message)};
}

Result<JsonValue> ParseJsonOfAtMost(std::string_view json, Bytes max) {
  if (json.size() > max) {
    return Failure(OverLimit("the document is over the maximum of " + FormatBytes(max)));
  }
  return ParseJson(json);
}

Result<JsonValue> ParseDocument(std::string_view json, Bytes max) {
  auto root = TRY(ParseJsonOfAtMost(json, max));
  if (root.AsObject() == nullptr) {
    return Failure(WrongKind("the document", "a JSON object", root));
  }
  return root;
}

std::string TimestampOf(int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

bool IsTimestamp(std::string_view text) {
  static constexpr size_t kMaxDecimals = 9;
  static constexpr size_t kYear = 4;
  if (text.size() < kYear || !std::ranges::all_of(text.substr(0, kYear), IsDigit)) return false;
  text.remove_prefix(kYear);
  if (!Take(text, '-')) return false;
  // Month, day, hour, minute, second (60: a leap second).
  if (text.starts_with("00") || !TakePair(text, 12) || !Take(text, '-')) return false;
  if (text.starts_with("00") || !TakePair(text, 31) || !Take(text, 'T')) return false;
  if (!TakePair(text, 23) || !Take(text, ':') || !TakePair(text, 59)) return false;
  if (!Take(text, ':') || !TakePair(text, 60)) return false;
  if (Take(text, '.')) {
    const auto decimals =
        static_cast<size_t>(std::ranges::find_if_not(text, IsDigit) - text.begin());
    if (decimals == 0 || decimals > kMaxDecimals) return false;
    text.remove_prefix(decimals);
  }
  if (text == "Z") return true;
  if (!Take(text, '+') && !Take(text, '-')) return false;
  return TakePair(text, 23) && Take(text, ':') && TakePair(text, 59) && text.empty();
}

Result<DocumentFields> DocumentFields::Of(const JsonValue& value, std::string where) {
  const auto* object = value.AsObject();
  if (object == nullptr) {
    return Failure(WrongKind(where.empty() ? "the document" : Quoted(where), "an object", value));
  }
  JsonFields fields = TRY(JsonFields::Of(value, where));
  return DocumentFields(std::move(fields), *object, std::move(where));
}

bool DocumentFields::Has(std::string_view name) {
  asked_.emplace(name);
  return std::ranges::find(*object_, name, &JsonMember::name) != object_->end();
}

const JsonValue* DocumentFields::Find(std::string_view name) {
  asked_.emplace(name);
  return fields_.Find(name);
}

std::string DocumentFields::Inside(std::string_view name) const {
  return where_.empty() ? std::string(name) : where_ + "." + std::string(name);
}

std::string DocumentFields::Inside(std::string_view name, size_t index) const {
  return Inside(name) + "[" + std::to_string(index) + "]";
}

Error DocumentFields::Missing(std::string_view name) const {
  return Error::Invalid(PathOf(name) + " is missing");
}

Error DocumentFields::Wrong(std::string_view name, std::string_view why) const {
  return Error::Invalid(PathOf(name) + " " + std::string(why));
}

Result<std::string> DocumentFields::TextOf(const JsonValue& value, const std::string& path,
                                           Bytes max_bytes) const {
  const std::string* text = value.AsString();
  if (text == nullptr) return Failure(WrongKind(path, "a string", value));
  if (text->size() > max_bytes) {
    return Failure(OverLimit(path + " is over the maximum of " + FormatBytes(max_bytes)));
  }
  if (text->contains('\0')) return Failure(Error::Invalid(path + " has a NUL byte"));
  return *text;
}

Result<std::string> DocumentFields::Text(std::string_view name, Bytes max_bytes) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::string();
  return TextOf(*value, PathOf(name), max_bytes);
}

Result<std::vector<std::string>> DocumentFields::Texts(std::string_view name, size_t max,
                                                       Bytes max_bytes) {
  std::vector<std::string> texts;
  const auto* array = TRY(Array(name, max));
  if (array == nullptr) return texts;
  for (const JsonValue& value : *array) {
    texts.push_back(TRY(TextOf(value, Quoted(Inside(name, texts.size())), max_bytes)));
  }
  return texts;
}

Result<StringMap> DocumentFields::TextMap(std::string_view name, size_t max, Bytes max_bytes) {
  StringMap map;
  const JsonValue* value = Find(name);
  if (value == nullptr) return map;
  const auto* object = value->AsObject();
  if (object == nullptr) return Failure(fields_.Wrong(name, "an object of strings", *value));
  if (object->size() > max) {
    return Failure(OverLimit(PathOf(name) + " has more than " + std::to_string(max) + " members"));
  }
  Bytes left = max_bytes;
  for (const auto& [key, member] : *object) {
    const std::string path = Quoted(Inside(name) + "." + archive::Printable(key));
    if (key.contains('\0')) return Failure(Error::Invalid(path + " has a NUL byte in its name"));
    std::string text = TRY(TextOf(member, path, max_bytes));
    if (key.size() > left || text.size() > left - key.size()) {
      return Failure(OverLimit(PathOf(name) + " is over the maximum of " + FormatBytes(max_bytes)));
    }
    left -= key.size() + text.size();
    map.emplace(key, std::move(text));
  }
  return map;
}

Result<std::vector<std::string>> DocumentFields::NameSet(std::string_view name, size_t max,
                                                         Bytes max_bytes) {
  std::vector<std::string> names;
  const JsonValue* value = Find(name);
  if (value == nullptr) return names;
  const auto* object = value->AsObject();
  if (object == nullptr) return Failure(fields_.Wrong(name, "an object", *value));
  if (object->size() > max) {
    return Failure(OverLimit(PathOf(name) + " has more than " + std::to_string(max) + " members"));
  }
  for (const auto& [key, member] : *object) {
    const std::string path = Quoted(Inside(name) + "." + archive::Printable(key));
    if (member.AsObject() == nullptr && !member.is_null()) {
      return Failure(WrongKind(path, "an object", member));
    }
    if (key.empty()) return Failure(Error::Invalid(PathOf(name) + " has an empty name"));
    if (key.contains('\0')) return Failure(Error::Invalid(path + " has a NUL byte in its name"));
    if (key.size() > max_bytes) {
      return Failure(OverLimit(path + " is over the maximum of " + FormatBytes(max_bytes)));
    }
    names.push_back(key);
  }
  return names;
}

Result<std::string> DocumentFields::Timestamp(std::string_view name) {
  static constexpr Bytes kMaxBytes = 64;
  if (Find(name) == nullptr) return std::string();
  std::string text = TRY(Text(name, kMaxBytes));
  if (!IsTimestamp(text)) {
    return Failure(Wrong(name, "is no time of RFC 3339: \"" + archive::Printable(text) + "\""));
  }
  return text;
}

Result<std::optional<uint64_t>> DocumentFields::Number(std::string_view name, uint64_t max) {
  asked_.emplace(name);
  return fields_.Number(name, max);
}

Result<bool> DocumentFields::Flag(std::string_view name) {
  asked_.emplace(name);
  return TRY(fields_.Bool(name)).value_or(false);
}

Result<Digest> DocumentFields::RequiredDigest(std::string_view name) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return Failure(Missing(name));
  auto digest = Digest::Parse(TRY(TextOf(*value, PathOf(name), Digest::kMaxText)));
  if (!digest) return Failure(Wrong(name, digest.error()));
  return digest;
}

Result<std::vector<Digest>> DocumentFields::Digests(std::string_view name, size_t max) {
  std::vector<Digest> digests;
  const std::vector<std::string> texts = TRY(Texts(name, max, Digest::kMaxText));
  for (const std::string& text : texts) {
    auto digest = Digest::Parse(text);
    if (!digest) {
      return Failure(std::move(digest).error().WithContext(Quoted(Inside(name, digests.size()))));
    }
    digests.push_back(*std::move(digest));
  }
  return digests;
}

Result<const JsonValue::Array*> DocumentFields::Array(std::string_view name, size_t max) {
  const JsonValue* value = Find(name);
  if (value == nullptr) return nullptr;
  const auto* array = value->AsArray();
  if (array == nullptr) return Failure(fields_.Wrong(name, "an array", *value));
  if (array->size() > max) {
    return Failure(OverLimit(PathOf(name) + " has more than " + std::to_string(max) + " entries"));
  }
  return array;
}

Result<void> DocumentFields::Finish() const {
  std::set<std::string, std::less<>> folded;
  for (const std::string& name : asked_) folded.insert(Folded(name));
  for (const auto& [name, value] : *object_) {
    if (asked_.contains(name) || !folded.contains(Folded(name))) continue;
    return Failure(Error::Invalid(Quoted(Inside(archive::Printable(name))) +
                                  " differs from a known member only in upper and lower case"));
  }
  return {};
}

}  // namespace cay::templates::oci
