// How message structs become CBOR and come back. A struct names its fields once:
//
//   struct SignalRequest {
//     uint64_t process = 0;
//     uint32_t signal = 0;
//     static auto Fields(auto& self, auto& codec) {
//       codec.Field(1, self.process);
//       codec.Field(2, self.signal, /*max=*/64);
//     }
//   };
//   std::string payload = Encode(request);
//   SignalRequest request = TRY(Decode<SignalRequest>(payload));
//
// A message is a map from the field numbers, ascending, to values. Every field is there, except a
// std::optional that is empty. The limits given to Field hold for decoding (kProtocol) and for
// encoding (CheckLimits: kInvalidArgument, for what a caller passed in).
//
// What is decoded may be another version's. A field that is missing keeps its default. One whose
// number is not known is refused: an older guest must not do half of a newer request; or it is
// skipped, where the reader asks for that (Unknown). A number is never used again for something
// else, and new fields get higher ones.
//
// A guest is as old as its sandbox, and refuses what it does not know. So a field that came with a
// later version of the protocol is declared with that version. It is not sent to a guest of an
// earlier version; unless it has its default, the request is refused then (CheckLimits:
// kNotSupported):
//
//       codec.FieldSince(2, 14, self.niceness);
//
// A type that cannot have Fields of its own gets them by a specialisation of FieldsOf, one that is
// no message but a value by one of WireForm.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "protocol/cbor.h"

namespace cay::protocol {

inline constexpr size_t kMaxFields = 64;

// What is made of a field that the reader does not know, at any depth.
enum class Unknown : uint8_t { kRefused, kSkipped };

// Fields that were skipped, as they came, so that a reader which writes the message again loses
// nothing of a newer program's: codec.Rest(self.rest), after all fields.
struct SkippedFields {
  size_t count = 0;
  std::string pairs;
};

template <class T>
struct FieldsOf {
  static void Visit(auto& self, auto& codec) { T::Fields(self, codec); }
};

// Type: what it is written as. Of: the value as that. From: Result of the way back.
template <class T>
struct WireForm;

namespace internal {

template <class T>
concept HasWireForm = requires { typename WireForm<T>::Type; };

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

// Limits are lengths and counts, or the last value of an enumeration.
template <class T>
auto AsLimit(T limit) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<uint64_t>(limit);
  } else {
    return limit;
  }
}

class FieldCounter {
 public:
  explicit FieldCounter(uint32_t version) : version_(version) {}
  void FieldSince(uint32_t since, uint64_t number, const auto& value, auto... limits) {
    if (since <= version_) Field(number, value, limits...);
  }
  template <class T, class... Limits>
  void Field(uint64_t, const T& value, Limits...) {
    if constexpr (IsOptional<T>::value) {
      count_ += value.has_value() ? 1 : 0;
    } else {
      ++count_;
    }
  }
  void Rest(const SkippedFields& rest) { count_ += rest.count; }
  size_t count() const { return count_; }

 private:
  uint32_t version_;
  size_t count_ = 0;
};

template <class T>
void EncodeStruct(CborWriter& writer, const T& message, uint32_t version);

class FieldEncoder {
 public:
  FieldEncoder(CborWriter& writer, uint32_t version) : writer_(writer), version_(version) {}

  void FieldSince(uint32_t since, uint64_t number, const auto& value, auto... limits) {
    if (since <= version_) Field(number, value, limits...);
  }

  template <class T, class... Limits>
  void Field(uint64_t number, const T& value, Limits...) {
    if constexpr (IsOptional<T>::value) {
      if (!value) return;
      writer_.Unsigned(number);
      Put(*value);
    } else {
      writer_.Unsigned(number);
      Put(value);
    }
  }
  void Rest(const SkippedFields& rest) { writer_.Encoded(rest.pairs); }

 private:
  void Put(bool value) { writer_.Bool(value); }
  void Put(const std::string& value) { writer_.Bytes(value); }
  template <std::unsigned_integral T>
  void Put(T value) {
    writer_.Unsigned(value);
  }
  template <std::signed_integral T>
  void Put(T value) {
    writer_.Signed(value);
  }
  template <class T>
    requires std::is_enum_v<T>
  void Put(T value) {
    writer_.Unsigned(static_cast<uint64_t>(value));
  }
  template <class T>
  void Put(const std::vector<T>& values) {
    writer_.Array(values.size());
    for (const T& value : values) Put(value);
  }
  template <HasWireForm T>
  void Put(const T& value) {
    Put(WireForm<T>::Of(value));
  }
  template <class T>
    requires(std::is_class_v<T> && !HasWireForm<T>)
  void Put(const T& value) {
    EncodeStruct(writer_, value, version_);
  }

  CborWriter& writer_;
  uint32_t version_;
};

// Checks values against the limits of their fields: for the side that encodes.
class FieldChecker {
 public:
  explicit FieldChecker(uint32_t version) : version_(version) {}

  template <class T>
  void FieldSince(uint32_t since, uint64_t number, const T& value, auto... limits) {
    if (since <= version_) {
      Field(number, value, limits...);
    } else if (value != T{} && !error_) {
      error_ =
          Error(ErrorCode::kNotSupported, Fault::kCaller,
                "the sandbox's guest was started by an older version of cay, which does not know "
                "all fields of this request")
              .WithRemedy("stop and start the sandbox, or create another");
    }
  }
  template <class T>
  void Field(uint64_t number, const std::optional<T>& value, auto... limits) {
    if (value) Field(number, *value, AsLimit(limits)...);
  }
  void Field(uint64_t, bool) {}
  void Field(uint64_t number, const std::string& value, size_t max_bytes) {
    if (value.size() > max_bytes) Fail(number, value.size(), max_bytes);
  }
  template <std::integral T>
  void Field(uint64_t number, T value, uint64_t max) {
    if (value > static_cast<T>(0) && static_cast<uint64_t>(value) > max) {
      Fail(number, static_cast<uint64_t>(value), max);
    }
  }
  template <std::integral T>
  void Field(uint64_t, T) {}
  template <class T>
    requires std::is_enum_v<T>
  void Field(uint64_t, T, T) {}
  template <class T>
  void Field(uint64_t number, const std::vector<T>& values, size_t max_count, auto... limits) {
    if (values.size() > max_count) Fail(number, values.size(), max_count);
    for (const T& value : values) Field(number, value, AsLimit(limits)...);
  }
  template <HasWireForm T>
  void Field(uint64_t number, const T& value, auto... limits) {
    Field(number, WireForm<T>::Of(value), AsLimit(limits)...);
  }
  template <class T>
    requires(std::is_class_v<T> && !HasWireForm<T>)
  void Field(uint64_t, const T& value) {
    FieldsOf<T>::Visit(value, *this);
  }
  void Rest(const SkippedFields&) {}

  const std::optional<Error>& error() const { return error_; }

 private:
  void Fail(uint64_t number, uint64_t value, uint64_t max) {
    if (error_) return;
    error_ = Error::Invalid("field " + std::to_string(number) + ": " + std::to_string(value) +
                            " is over the maximum of " + std::to_string(max));
  }
  uint32_t version_;
  std::optional<Error> error_;
};

template <class T>
Result<void> DecodeStruct(CborReader& reader, T& message, Unknown unknown);

// Offered each field in turn, takes the one whose number was read.
class FieldDecoder {
 public:
  FieldDecoder(CborReader& reader, uint64_t wanted, Unknown unknown)
      : reader_(reader), wanted_(wanted), unknown_(unknown) {}

  template <class T>
  void Field(uint64_t number, T& value, auto... limits) {
    if (number != wanted_ || found_) return;
    found_ = true;
    if (Result<void> got = Get(value, AsLimit(limits)...); !got) error_ = std::move(got).error();
  }

  void FieldSince(uint32_t, uint64_t number, auto& value, auto... limits) {
    Field(number, value, limits...);
  }
  void Rest(const SkippedFields&) {}

  bool found() const { return found_; }
  std::optional<Error>& error() { return error_; }

 private:
  Result<void> Get(bool& value) {
    value = TRY(reader_.Bool());
    return {};
  }
  Result<void> Get(std::string& value, size_t max_bytes) {
    value = TRY(reader_.Bytes(max_bytes));
    return {};
  }
  template <std::unsigned_integral T>
  Result<void> Get(T& value, uint64_t max = std::numeric_limits<T>::max()) {
    value = static_cast<T>(TRY(reader_.Unsigned(max)));
    return {};
  }
  template <std::signed_integral T>
  Result<void> Get(T& value) {
    const int64_t read = TRY(reader_.Signed());
    if (read < std::numeric_limits<T>::min() || read > std::numeric_limits<T>::max()) {
      return Failure(
          Error(ErrorCode::kProtocol, Fault::kMachine, "malformed message: a number out of range"));
    }
    value = static_cast<T>(read);
    return {};
  }
  template <class T>
    requires std::is_enum_v<T>
  Result<void> Get(T& value, T last) {
    value = static_cast<T>(TRY(reader_.Unsigned(static_cast<uint64_t>(last))));
    return {};
  }
  template <HasWireForm T>
  Result<void> Get(T& value, auto... limits) {
    typename WireForm<T>::Type wire{};
    TRY(Get(wire, limits...));
    value = TRY(WireForm<T>::From(wire));
    return {};
  }
  template <class T>
  Result<void> Get(std::optional<T>& value, auto... limits) {
    if constexpr (HasWireForm<T>) {
      typename WireForm<T>::Type wire{};
      TRY(Get(wire, limits...));
      value = TRY(WireForm<T>::From(wire));
    } else {
      T inner{};
      TRY(Get(inner, limits...));
      value = std::move(inner);
    }
    return {};
  }
  // An item takes at least a byte, so a count that passes is never far more than was sent; items
  // are still added one by one, as they are found to be there.
  template <class T>
  Result<void> Get(std::vector<T>& values, size_t max_count, auto... limits) {
    const size_t count = TRY(reader_.Array(max_count));
    values.clear();
    for (size_t i = 0; i < count; ++i) {
      T item{};
      TRY(Get(item, limits...));
      values.push_back(std::move(item));
    }
    return {};
  }
  template <class T>
    requires(std::is_class_v<T> && !HasWireForm<T>)
  Result<void> Get(T& value) {
    return DecodeStruct(reader_, value, unknown_);
  }

  CborReader& reader_;
  uint64_t wanted_;
  Unknown unknown_;
  bool found_ = false;
  std::optional<Error> error_;
};

// Offered all fields, takes none; keeps what was skipped where the message has a place for it.
class RestKeeper {
 public:
  explicit RestKeeper(std::string_view pair) : pair_(pair) {}
  void Field(uint64_t, const auto&, auto...) {}
  void FieldSince(uint32_t, uint64_t, const auto&, auto...) {}
  void Rest(SkippedFields& rest) {
    ++rest.count;
    rest.pairs += pair_;
  }

 private:
  std::string_view pair_;
};

template <class T>
void EncodeStruct(CborWriter& writer, const T& message, uint32_t version) {
  FieldCounter counter(version);
  FieldsOf<T>::Visit(message, counter);
  writer.Map(counter.count());
  FieldEncoder encoder(writer, version);
  FieldsOf<T>::Visit(message, encoder);
}

// Structs nest by type, so the depth of the recursion is that of the declaration.
template <class T>
Result<void> DecodeStruct(CborReader& reader, T& message, Unknown unknown) {
  const size_t pairs = TRY(reader.Map(kMaxFields));
  uint64_t last = 0;
  for (size_t i = 0; i < pairs; ++i) {
    const std::string_view from = reader.rest();
    const uint64_t number = TRY(reader.Unsigned());
    FieldDecoder decoder(reader, number, unknown);
    if (number > last) FieldsOf<T>::Visit(message, decoder);
    if (!decoder.found()) {
      if (number <= last || unknown == Unknown::kRefused) {
        return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                             "malformed message: field " + std::to_string(number) +
                                 " is unknown, repeated or out of order"));
      }
      TRY(reader.Skip());
      RestKeeper keeper(from.substr(0, from.size() - reader.rest().size()));
      FieldsOf<T>::Visit(message, keeper);
    }
    if (decoder.error()) return Failure(*std::move(decoder.error()));
    last = number;
  }
  return {};
}

}  // namespace internal

// For a reader of this same program, which cannot be an older guest.
inline constexpr uint32_t kEveryField = UINT32_MAX;

// kInvalidArgument when a field is over its limit; kNotSupported when one is used that a guest of
// protocol `version` does not know.
template <class T>
Result<void> CheckLimits(const T& message, uint32_t version = kEveryField) {
  internal::FieldChecker checker(version);
  FieldsOf<T>::Visit(message, checker);
  if (checker.error()) return Failure(*checker.error());
  return {};
}

template <class T>
std::string Encode(const T& message, uint32_t version = kEveryField) {
  CborWriter writer;
  internal::EncodeStruct(writer, message, version);
  return std::move(writer).Take();
}

// Into a message that is there; on an error it is half changed.
template <class T>
Result<void> DecodeInto(std::string_view payload, T& message, Unknown unknown = Unknown::kRefused) {
  CborReader reader(payload);
  TRY(internal::DecodeStruct(reader, message, unknown));
  return reader.End();
}

// kProtocol unless it is a well-formed message within its limits.
template <class T>
Result<T> Decode(std::string_view payload, Unknown unknown = Unknown::kRefused) {
  T message;
  TRY(DecodeInto(payload, message, unknown));
  return message;
}

}  // namespace cay::protocol
