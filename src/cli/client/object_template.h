// ObjectTemplate: the small language of --format and inspect -f, in which an object of the server's
// becomes a line of text.
//
//   TRY(ObjectTemplate::Parse("{{.id}}\t{{.metadata.run}}")).Render(sandbox)   -> "abc…\t17"
//
// Supported are: text as it is, with \t and \n for a tab and a new line; {{.name}} and
// {{.name.of.something.inside}}, whose case does not count; {{json .name}}, as JSON; {{.}} and
// {{json .}} for the whole object; and "json" alone for the same. Nothing else of Go's templates:
// no functions, conditions or loops. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::cli {

class ObjectTemplate {
 public:
  // kInvalidArgument, with what is supported.
  static Result<ObjectTemplate> Parse(std::string_view text);

  // Without a newline at the end. Text as it is, numbers and flags in their JSON form, objects and
  // lists as JSON; null, and metadata that is not there, as nothing. Control characters are shown
  // as \xNN. kInvalidArgument for an unknown field, with the known ones.
  Result<std::string> Render(const boost::json::object& object) const;

 private:
  struct Part {
    std::string text{};     // before the field
    bool is_field = false;  // otherwise only text
    bool as_json = false;
    std::vector<std::string> path{};  // empty: the whole
  };
  static Result<Part> ParseField(std::string_view inside);

  std::vector<Part> parts_;
};

}  // namespace cay::cli
