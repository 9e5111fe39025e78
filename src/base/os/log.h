// Log: one line to standard error for each event. Set once at start; thread-safe (one write(2) a
// line).
//
//   LogWarning("the store is read-only");            // cay: warning: the store is read-only
//   LogEvent(LogLevel::kInfo, "request", {{{"status", 200}, {"path", "/a b"}}});
//                                                    // cay: info: request status=200 path="/a b"
//
// With times it begins with one: 2026-01-31T12:00:00.123Z cay: info: request … In JSON a line is
// {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"request","status":200,…}.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace cay {

enum class LogLevel : uint8_t { kError, kWarning, kInfo, kDebug };
enum class LogFormat : uint8_t {
  kText,       // for a terminal
  kTimedText,  // the same behind the time, for a file
  kJson,
};

struct LogField {
  std::string_view name;  // [a-z_]+
  std::variant<std::string, int64_t> value;
};

void SetLogLevel(LogLevel level);
void SetLogFormat(LogFormat format);
LogLevel CurrentLogLevel();
LogFormat CurrentLogFormat();
bool LogEnabled(LogLevel level);

void Log(LogLevel level, std::string_view message);
// An info line that is written whatever the level is: that a server listens, for instance.
void LogAlways(std::string_view message);
// A message with values that a program can pick out. Values may come from a client or a sandbox:
// they are quoted.
void LogEvent(LogLevel level, std::string_view message, std::span<const LogField> fields);
// The line that LogEvent writes, with its newline.
std::string FormatLogLine(LogFormat format, LogLevel level, std::string_view message,
                          std::span<const LogField> fields, int64_t unix_ms);

// "2026-01-31T12:00:00.123Z" (RFC 3339, UTC).
std::string FormatTimestamp(int64_t unix_ms);

inline void LogError(std::string_view message) { Log(LogLevel::kError, message); }
inline void LogWarning(std::string_view message) { Log(LogLevel::kWarning, message); }
inline void LogInfo(std::string_view message) { Log(LogLevel::kInfo, message); }
inline void LogDebug(std::string_view message) { Log(LogLevel::kDebug, message); }

}  // namespace cay
