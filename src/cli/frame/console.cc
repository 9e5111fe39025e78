#include "cli/frame/console.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/encoding.h"
#include "base/os/file.h"
#include "cli/frame/command.h"
#include "cli/frame/remedy_words.h"

namespace cay::cli {

Result<void> Print(std::string_view text) {
  Result<void> written = WriteAll(STDOUT_FILENO, text);
  if (!written && written.error().sys_errno() == EPIPE) return {};
  return written;
}

std::string OneLine(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    const std::string_view one = text.substr(0, std::max<size_t>(1, length));
    text.remove_prefix(one.size());
    const auto last = static_cast<unsigned char>(one.back());
    const bool control = (one.size() == 1 && (last < 0x20 || last == 0x7F)) ||
                         (one.size() == 2 && one.front() == '\xC2' && last < 0xA0);
    if (length != 0 && !control) {
      line.append(one);
      continue;
    }
    for (const char c : one) {
      const auto byte = static_cast<unsigned char>(c);
      line.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  return line;
}

void Note(std::string_view text) {
  std::string line = "cay: " + OneLine(text) + "\n";
  // Nobody is left to be told when this fails.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

int ExitCodeOf(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNotExecutable:
      return kExitNotExecutable;
    case ErrorCode::kCommandNotFound:
      return kExitNotFound;
    default:
      return kExitFailure;
  }
}

int Report(const Error& error) {
  Note(error.ToString(CommandFor));
  return ExitCodeOf(error);
}

namespace {

// Columns on a terminal, as far as one letter is one column: the bytes that do not continue a UTF-8
// sequence.
size_t ColumnsOf(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], ColumnsOf(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out.append(row[i]);
      if (i + 1 < row.size()) out.append(widths[i] - ColumnsOf(row[i]) + 2, ' ');
    }
    out.push_back('\n');
  }
  return out;
}

}  // namespace cay::cli
