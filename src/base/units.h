// Units: sizes, durations and processor shares, as people write them and as code holds them.
//
//   ParseBytes("512m")   -> 536870912   suffixes b, k, m, g, t (powers of 1024), also "MiB", "Mi"
//   ParseDuration("2s")  -> 2000 ms     suffixes ms, s, m, h, d; a bare number is seconds
//   ParseCpus("0.5")     -> 500         thousandths of one processor
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay {

using Bytes = uint64_t;
using Millis = std::chrono::milliseconds;
using MilliCpus = uint32_t;

inline constexpr Bytes kKiB = 1024;
inline constexpr Bytes kMiB = 1024 * kKiB;
inline constexpr Bytes kGiB = 1024 * kMiB;

// kInvalidArgument for what is not a size, is negative, has a fraction without a unit, or overflows
// 2^63-1. What is between two bytes ("0.1g") is rounded down.
Result<Bytes> ParseBytes(std::string_view text);

// "512m", "1g", "1536k", "100b": the largest unit that gives a whole number.
std::string FormatBytes(Bytes bytes);

// "1.5 GiB": for people, one decimal.
std::string HumanBytes(Bytes bytes);

// kInvalidArgument for what is not a duration, is negative, or is over 100 years.
Result<Millis> ParseDuration(std::string_view text);

// "2s", "1h30m", "250ms", "1.003s".
std::string FormatDuration(Millis duration);

// kInvalidArgument below 0.01 or above 1000 processors, or with more than three decimals.
Result<MilliCpus> ParseCpus(std::string_view text);
std::string FormatCpus(MilliCpus cpus);
// "1.5 times" as thousandths: "1.5" is 1500, and back. kInvalidArgument above "1000" times, or with
// more than three decimals.
Result<uint32_t> ParseMultiple(std::string_view text);
std::string FormatMultiple(uint32_t thousandths);

// Decimal digits only, whole text, no sign.
Result<uint64_t> ParseUnsigned(std::string_view text, uint64_t max = UINT64_MAX);

}  // namespace cay
