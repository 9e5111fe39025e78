// Log: one line to standard error for each event, "cay: LEVEL: message". Set once at start.
// Thread-safe (one write(2) a line).
#pragma once

#include <string_view>

namespace cay {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

void SetLogLevel(LogLevel level);
void Log(LogLevel level, std::string_view message);

inline void LogError(std::string_view message) { Log(LogLevel::kError, message); }
inline void LogWarning(std::string_view message) { Log(LogLevel::kWarning, message); }
inline void LogInfo(std::string_view message) { Log(LogLevel::kInfo, message); }
inline void LogDebug(std::string_view message) { Log(LogLevel::kDebug, message); }

}  // namespace cay
