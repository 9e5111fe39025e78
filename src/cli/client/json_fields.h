// Options that become fields of a request as they were typed: how OptionSpec::apply puts one into
// the `request` of a struct of options.
//
//   struct UpdateOptions : ServerOptions { boost::json::object request; };
//   {.name = "memory", …, .apply = &Into<UpdateOptions, PutText<UpdateOptions, "memory_limit">>},
#pragma once

#include <algorithm>
#include <boost/json/object.hpp>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "cli/frame/option_tables.h"

namespace cay::cli {

// A field's name as a template argument.
template <size_t kSize>
struct FieldName {
  // NOLINTNEXTLINE(google-explicit-constructor): written as a literal
  consteval FieldName(const char (&name)[kSize]) { std::copy_n(name, kSize, text); }
  char text[kSize]{};
};

template <class Options, FieldName kField>
Result<void> PutText(Options& options, std::string_view value) {
  if (value.empty()) return Failure(Error::Invalid("the value is empty"));
  options.request[kField.text] = value;
  return {};
}

// As it was typed, if the server can only understand it so.
template <class Options, FieldName kField, auto kParse>
Result<void> PutParsed(Options& options, std::string_view value) {
  TRY(kParse(value));
  options.request[kField.text] = value;
  return {};
}

template <class Options, FieldName kField>
Result<void> PutNumber(Options& options, std::string_view value) {
  options.request[kField.text] = TRY(ParseUnsigned(value));
  return {};
}

template <class Options, FieldName kField>
Result<void> PutTrue(Options& options, std::string_view) {
  options.request[kField.text] = true;
  return {};
}

}  // namespace cay::cli
