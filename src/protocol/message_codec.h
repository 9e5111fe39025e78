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
// A message is a map from the field numbers, ascending, to values. Every field is there, but for a
// std::optional that is empty. The limits given to Field hold for decoding (kProtocol) and for
// encoding (CheckLimits: kInvalidArgument, for what a caller passed in). A message with a field
// number that is not known is refused: an older guest must not do half of a newer request.
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

inline constexpr size_t kMaxFields = 32;

namespace internal {

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
  template <class T, class... Limits>
  void Field(uint64_t, const T& value, Limits...) {
    if constexpr (IsOptional<T>::value) {
      count_ += value.has_value() ? 1 : 0;
    } else {
      ++count_;
    }
  }
  size_t count() const { return count_; }

 private:
  size_t count_ = 0;
};

template <class T>
void EncodeStruct(CborWriter& writer, const T& message);

class FieldEncoder {
 public:
  explicit FieldEncoder(CborWriter& writer) : writer_(writer) {}

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
  template <class T>
    requires std::is_class_v<T>
  void Put(const T& value) {
    EncodeStruct(writer_, value);
  }

  CborWriter& writer_;
};

// Checks values against the limits of their fields: for the side that encodes.
class FieldChecker {
 public:
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
  template <class T>
    requires std::is_class_v<T>
  void Field(uint64_t, const T& value) {
    T::Fields(value, *this);
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  void Fail(uint64_t number, uint64_t value, uint64_t max) {
    if (error_) return;
    error_ = Error::Invalid("field " + std::to_string(number) + ": " + std::to_string(value) +
                            " is over the maximum of " + std::to_string(max));
  }
  std::optional<Error> error_;
};

template <class T>
Result<void> DecodeStruct(CborReader& reader, T& message);

// Offered each field in turn, takes the one whose number was read.
class FieldDecoder {
 public:
  FieldDecoder(CborReader& reader, uint64_t wanted) : reader_(reader), wanted_(wanted) {}

  template <class T>
  void Field(uint64_t number, T& value, auto... limits) {
    if (number != wanted_ || found_) return;
    found_ = true;
    if (Result<void> got = Get(value, AsLimit(limits)...); !got) error_ = std::move(got).error();
  }

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
  template <class T>
  Result<void> Get(std::optional<T>& value, auto... limits) {
    T inner{};
    TRY(Get(inner, limits...));
    value = std::move(inner);
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
    requires std::is_class_v<T>
  Result<void> Get(T& value) {
    return DecodeStruct(reader_, value);
  }

  CborReader& reader_;
  uint64_t wanted_;
  bool found_ = false;
  std::optional<Error> error_;
};

template <class T>
void EncodeStruct(CborWriter& writer, const T& message) {
  FieldCounter counter;
  T::Fields(message, counter);
  writer.Map(counter.count());
  FieldEncoder encoder(writer);
  T::Fields(message, encoder);
}

// Structs nest by type, so the depth of the recursion is that of the declaration.
template <class T>
Result<void> DecodeStruct(CborReader& reader, T& message) {
  const size_t pairs = TRY(reader.Map(kMaxFields));
  uint64_t last = 0;
  for (size_t i = 0; i < pairs; ++i) {
    const uint64_t number = TRY(reader.Unsigned());
    FieldDecoder decoder(reader, number);
    if (number > last) T::Fields(message, decoder);
    if (!decoder.found()) {
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                           "malformed message: field " + std::to_string(number) +
                               " is unknown, repeated or out of order"));
    }
    if (decoder.error()) return Failure(*std::move(decoder.error()));
    last = number;
  }
  return {};
}

}  // namespace internal

// kInvalidArgument when a field is over its limit.
template <class T>
Result<void> CheckLimits(const T& message) {
  internal::FieldChecker checker;
  T::Fields(message, checker);
  if (checker.error()) return Failure(*checker.error());
  return {};
}

template <class T>
std::string Encode(const T& message) {
  CborWriter writer;
  internal::EncodeStruct(writer, message);
  return std::move(writer).Take();
}

// kProtocol for anything but a well-formed message within its limits.
template <class T>
Result<T> Decode(std::string_view payload) {
  CborReader reader(payload);
  T message;
  TRY(internal::DecodeStruct(reader, message));
  TRY(reader.End());
  return message;
}

}  // namespace cay::protocol
