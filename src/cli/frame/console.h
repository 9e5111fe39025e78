// What Cay itself says to the person at the terminal: whole lines, standard output for results,
// standard error for notes and errors. Plain write(2); no iostream, whose set-up every start of the
// program would pay for.
//
//   return Failure(...)  -> main prints  cay: WHAT: WHY (REMEDY)
//   Note("timed out after 2s");          // cay: timed out after 2s
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/result.h"

namespace cay::cli {

// All of it to standard output. kIo when that fails; a reader who went away is not an error
// (EPIPE).
Result<void> Print(std::string_view text);

// "cay: TEXT" as one line on standard error; control characters are shown as \xNN, so that a file
// name cannot forge a second line or an escape sequence. Failure to write is ignored.
void Note(std::string_view text);

// The line of an error, and the exit code that belongs to it: 125, 126 (kNotExecutable), 127
// (kCommandNotFound).
int Report(const Error& error);
int ExitCodeOf(const Error& error);

// `text` with control characters (those of ISO 6429 that UTF-8 encodes, too) and bytes that are no
// UTF-8 as \xNN.
std::string OneLine(std::string_view text);

// Columns padded to their widest cell, two spaces between; the first row is the heading. Cells must
// be one line each.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace cay::cli
