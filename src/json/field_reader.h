// FieldReader: reads what is asked for, by a list of fields (base/field.h). The first that is wrong
// is the error.
//
//   auto size = TRY(ReadObject<fields::TerminalSize, protocol::TerminalSize>(body));
//
// A field that is special to a struct is read by an overload of a derived reader:
//
//   class SpecReader : public FieldReader {
//    public:
//     using FieldReader::FieldReader;
//     using FieldReader::operator();
//     void operator()(const About& about, field::Word, std::optional<OnTimeout>& member) {
//       Read([&](JsonFields& fields) { return ReadOnTimeout(fields, about.name, member); });
//     }
//   };
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/field.h"
#include "base/result.h"
#include "json/json_fields.h"

namespace cay {

class FieldReader {
 public:
  using About = field::About;

  explicit FieldReader(JsonFields& fields) : fields_(fields) {}

  template <class Kind, class Member>
  void operator()(const About& about, Kind kind, Member& member) {
    if (done_ && !about.name.empty()) done_ = Take(about, kind, member);
  }

  // What was wrong first, or that something is left over.
  Result<void> Finish() {
    TRY(std::move(done_));
    return fields_.Finish();
  }

 protected:
  // Unless something was wrong before.
  void Read(auto read) {
    if (done_) done_ = read(fields_);
  }

 private:
  template <class T, class Member>
  static Result<void> Put(Result<std::optional<T>> found, Member& member) {
    if (!found) return Failure(std::move(found).error());
    if (!*found) return {};
    if constexpr (std::is_same_v<Member, std::optional<T>>) {
      member = *std::move(found);
    } else {
      member = **std::move(found);
    }
    return {};
  }

  Result<void> Take(const About& about, const field::Text& kind, auto& member) {
    return Put(ReadText(about, kind), member);
  }
  Result<void> Take(const About& about, field::Size, auto& member) {
    return Put(fields_.Size(about.name), member);
  }
  Result<void> Take(const About& about, field::Cpus, auto& member) {
    return Put(fields_.Cpus(about.name), member);
  }
  Result<void> Take(const About& about, field::Duration, auto& member) {
    return Put(fields_.Duration(about.name), member);
  }
  template <std::integral T>
  Result<void> Take(const About& about, field::Count kind, T& member) {
    const auto max = kind.bounded ? kind.max : uint64_t{std::numeric_limits<T>::max()};
    if (const auto number = TRY(fields_.Number(about.name, max))) member = static_cast<T>(*number);
    return {};
  }
  template <std::integral T>
  Result<void> Take(const About& about, field::Count kind, std::optional<T>& member) {
    if (fields_.Find(about.name) == nullptr) return {};
    return Take(about, kind, member.emplace());
  }
  Result<void> Take(const About& about, field::Flag kind, bool& member) {
    member = TRY(fields_.Bool(about.name)).value_or(kind.otherwise);
    return {};
  }
  Result<void> Take(const About& about, const field::Strings& kind, auto& member) {
    return Put(kind.bytes ? fields_.TextsOrBase64(about.name) : fields_.Strings(about.name),
               member);
  }
  Result<void> Take(const About& about, field::Argument kind, auto& member) {
    return Put(fields_.TextOrBase64(about.name, kind.max_bytes), member);
  }
  Result<void> Take(const About& about, field::Content kind, auto& member) {
    return Put(fields_.TextOrBase64(about.name, kind.max_bytes), member);
  }
  Result<void> Take(const About& about, const field::Texts&, std::vector<std::string>& member) {
    return Put(ReadTexts(about.name), member);
  }
  template <class List, class T>
  Result<void> Take(const About& about, field::Object<List>, std::optional<T>& member);
  template <class List, class T>
  Result<void> Take(const About& about, field::Objects<List> kind, std::vector<T>& member);

  Result<std::optional<std::string>> ReadText(const About& about, const field::Text& kind);
  Result<std::optional<std::vector<std::string>>> ReadTexts(std::string_view name);
  // Null when it is not there.
  Result<const JsonValue::Array*> ReadArray(std::string_view name, size_t max);

  JsonFields& fields_;
  Result<void> done_;
};

// An object that has the fields of a list and no other; `where`: its name in messages. What is left
// out is as in `found`.
template <class List, class T>
Result<T> ReadObject(const JsonValue& value, std::string where = {}, T found = {}) {
  auto fields = TRY(JsonFields::Of(value, std::move(where)));
  FieldReader reader(fields);
  List::Of(found, reader);
  TRY(reader.Finish());
  if constexpr (requires { List::Check(found); }) TRY(List::Check(found));
  return found;
}

template <class List, class T>
Result<void> FieldReader::Take(const About& about, field::Object<List>, std::optional<T>& member) {
  const JsonValue* value = fields_.Find(about.name);
  if (value != nullptr) member = TRY((ReadObject<List, T>(*value, std::string(about.name))));
  return {};
}

template <class List, class T>
Result<void> FieldReader::Take(const About& about, field::Objects<List> kind,
                               std::vector<T>& member) {
  const auto* array = TRY(ReadArray(about.name, kind.max_read));
  if (array == nullptr) return {};
  member.clear();
  for (const JsonValue& item : *array) {
    std::string where = std::string(about.name) + "[" + std::to_string(member.size()) + "]";
    member.push_back(TRY((ReadObject<List, T>(item, std::move(where)))));
  }
  return {};
}

}  // namespace cay
