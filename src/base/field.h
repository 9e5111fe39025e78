// Fields: what is said of a member of a struct that crosses an edge, and of what kind it is. Such a
// struct has one list of its fields, beside it:
//
//   struct Process {                                        // sandbox::fields
//     static constexpr std::string_view kSchema = "Process";
//     static void Of(const ProcessRecord& record, auto& visit) {
//       visit(About{"pid"}, field::Number{}, record.pid);
//       visit(About{"exit_code"}, field::Number{}, record.exit_code);    // an optional: or null
//     }
//   };
//
// A visitor is called for each field with what is said about it, its kind, and the member or what
// is told for it. Made of a list are its reader (json/field_reader.h), its writer
// (json/field_writer.h) and its schema (api/openapi/field_schema.h); what is special about a struct
// is an overload of a visitor that is derived from those.
//
// A list: kSchema, the name of its schema, unless it is described where it is used; kText, where
// the schema says what the whole is; Of; and, where its members must go together, Result<void>
// Check(const T&), which a reader asks at the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cay::field {

// A text in pieces, which is never there as a whole.
using TextPieces = std::array<std::string_view, 3>;

struct About {
  std::string_view name{};  // in the API; empty: not there
  // In the store's documents, where names are never changed and never reused; empty: not there.
  std::string_view kept{};
  std::string_view text{};  // for readers of the schema; empty: the name says it
  bool needed = false;      // of what is asked for: it cannot be left out
  bool sometimes = false;   // of what is told: where there is nothing to tell it is left out
};

inline constexpr std::string_view kWithoutNul = "^[^\\u0000]*$";

// Kinds. Of what is asked for an optional member is nothing, and any other as it was, where the
// field was left out.
struct Text {
  size_t max_bytes = 4096;     // more is refused
  std::string_view pattern{};  // a regular expression of JSON Schema; empty: any text
  size_t min_length = 0;       // in characters, for the schema
  size_t max_length = 0;       // the same; 0: nothing is said
  std::string_view alias{};    // an older name of it
  std::string_view example{};
};
struct Size {};      // Bytes: "512m", or a number
struct Cpus {};      // MilliCpus: "0.5", or a number
struct Duration {};  // Millis: "30s", or a number of seconds
struct Count {
  uint64_t min = 0;  // for the schema: a rule says why less or more is refused, …
  uint64_t max = UINT64_MAX;
  bool bounded = false;  // … unless `max` is the reader's own
};
struct Flag {
  bool otherwise = false;  // what it is where it was left out
};
// One of some words. Its reader is the struct's own.
struct Word {
  std::span<const std::string_view> words{};
  std::string_view schema{};  // that says which they are
};
// A map from text to text.
struct Strings {
  std::string_view names{};  // the pattern of its names, which are not empty; empty: any text
  size_t max_name = 0;       // characters of a name; 0: nothing is said
  std::string_view values{};
  size_t max = 0;      // entries; 0: nothing is said
  bool bytes = false;  // a value may be no text
};
inline constexpr Strings kEnvironment{.names = "^[^=\\u0000]*$", .values = kWithoutNul};
// A list of texts.
struct Texts {
  std::string_view pattern{};
  size_t max_length = 0;  // of each, in characters; 0: nothing is said
  size_t min = 0;
  size_t max = 0;  // how many; 0: nothing is said
};
// A text that may be no text, for a system call: without a NUL.
struct Argument {
  size_t max_bytes = 4096;
};
// Any bytes.
struct Content {
  size_t max_bytes = 0;
};

// Kinds of what is told beside those.
struct Number {};       // whole
struct Fraction {};     // a double
struct Seconds {};      // Millis
struct Time {           // of the Unix epoch, in milliseconds
  bool always = false;  // otherwise nothing or 0 is null
};
struct Base64 {};   // bytes
struct Numbers {};  // a list of whole numbers
struct Figures {};  // named whole numbers: pairs

// Kinds of both.
template <class List>
struct Object {};  // that has the fields of a list
template <class List>
struct Objects {
  size_t max = 0;       // for the schema; 0: nothing is said
  size_t max_read = 0;  // more are refused
};
// What its struct reads by itself, or is JSON already where it is told.
struct Own {
  std::string_view schema{};  // that says what it is; empty: some object
};

}  // namespace cay::field
