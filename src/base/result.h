// Result<T>: a value or an Error; and TRY, the one way of handing an error on.
//
//   Result<Fd> fd = OpenConfig();
//   auto text = TRY(ReadFile(fd));   // returns the error from this function, or yields the value
//   TRY(Validate(text));             // Result<void>
//
// TRY is a statement expression (GCC and clang). Do not use it in a coroutine around a co_await.
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace cay {

template <class T>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

}  // namespace cay

#define CAY_CONCAT_(a, b) a##b
#define CAY_CONCAT(a, b) CAY_CONCAT_(a, b)
#define CAY_TRY_(name, ...)                           \
  __extension__({                                     \
    auto name = (__VA_ARGS__);                        \
    if (!name) [[unlikely]]                           \
      return ::cay::Failure(std::move(name).error()); \
    *std::move(name);                                 \
  })
#define TRY(...) CAY_TRY_(CAY_CONCAT(cay_try_, __COUNTER__), __VA_ARGS__)
