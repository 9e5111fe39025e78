#include "base/os/log.h"
#include "base/clock.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace cay {
namespace {

std::atomic<LogLevel> g_level = LogLevel::kWarning;
std::atomic<LogFormat> g_format = LogFormat::kText;

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "error";
}

// Within quotes: what would end them, or the line, is escaped as JSON does it (RFC 8259, 7).
void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

bool NeedsQuotes(std::string_view text) {
  return text.empty() || std::ranges::any_of(text, [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '\\' || c == '=' ||
                  c == 0x7f;
         });
}

void AppendJsonField(std::string& out, const LogField& field) {
  out.append(",\"").append(field.name).append("\":");
  if (const auto* number = std::get_if<int64_t>(&field.value)) {
    out += std::to_string(*number);
  } else {
    AppendQuoted(out, std::get<std::string>(field.value));
  }
}

void AppendTextField(std::string& out, const LogField& field) {
  out.append(" ").append(field.name).append("=");
  if (const auto* number = std::get_if<int64_t>(&field.value)) {
    out += std::to_string(*number);
    return;
  }
  const auto& text = std::get<std::string>(field.value);
  if (NeedsQuotes(text)) {
    AppendQuoted(out, text);
  } else {
    out += text;
  }
}

}  // namespace

void SetLogLevel(LogLevel level) { g_level = level; }
void SetLogFormat(LogFormat format) { g_format = format; }
LogLevel CurrentLogLevel() { return g_level; }
LogFormat CurrentLogFormat() { return g_format; }
bool LogEnabled(LogLevel level) { return level <= g_level.load(); }

std::string FormatTimestamp(int64_t unix_ms) {
  const time_t seconds = unix_ms / 1000;
  struct tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "-";
  char text[32];
  const size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  char milliseconds[8];
  std::snprintf(milliseconds, sizeof milliseconds, ".%03dZ", static_cast<int>(unix_ms % 1000));
  return std::string(text, length) + milliseconds;
}

std::string FormatLogLine(LogFormat format, LogLevel level, std::string_view message,
                          std::span<const LogField> fields, int64_t unix_ms) {
  std::string line;
  if (format == LogFormat::kJson) {
    line = R"({"time":")" + FormatTimestamp(unix_ms) + R"(","level":")";
    line.append(Name(level)).append(R"(","message":)");
    AppendQuoted(line, message);
    for (const LogField& field : fields) AppendJsonField(line, field);
    return line + "}\n";
  }
  if (format == LogFormat::kTimedText) line = FormatTimestamp(unix_ms) + " ";
  line += "cay: ";
  line.append(Name(level)).append(": ");
  for (const char c : message) line += (c == '\n' || c == '\r') ? ' ' : c;
  for (const LogField& field : fields) AppendTextField(line, field);
  return line + "\n";
}

namespace {

void WriteLine(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  const LogFormat format = g_format.load();
  const int64_t now = format == LogFormat::kText ? 0 : UnixMs();
  const std::string line = FormatLogLine(format, level, message, fields, now);
  // A log line that cannot be written has nowhere else to go.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void LogEvent(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (LogEnabled(level)) WriteLine(level, message, fields);
}

void LogAlways(std::string_view message) { WriteLine(LogLevel::kInfo, message, {}); }

void Log(LogLevel level, std::string_view message) { LogEvent(level, message, {}); }

}  // namespace cay
