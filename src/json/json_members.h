// Members of JSON that Cay's own programs wrote: rows and files of the disk, a server's answers.
// What is absent, null or of another kind is nothing, or empty: an older program did not write it.
// Clients' JSON is read by JsonFields, which refuses what is wrong and what is left over.
//
//   TextOf(sandbox, "name")                 -> "web", or ""
//   NumberOf<uint64_t>(limits, "memory")    -> 1073741824, or nothing
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cay {

// Nothing when the text is no JSON, or no object.
std::optional<boost::json::object> ParseObject(std::string_view text);

std::optional<std::string> FindText(const boost::json::object& object, std::string_view name);
std::string TextOf(const boost::json::object& object, std::string_view name);
std::optional<bool> FindFlag(const boost::json::object& object, std::string_view name);
bool FlagOf(const boost::json::object& object, std::string_view name);
const boost::json::object& ObjectOf(const boost::json::object& object, std::string_view name);
const boost::json::array& ArrayOf(const boost::json::object& object, std::string_view name);

// Nothing for a number that T cannot hold exactly, too.
template <class T = int64_t>
std::optional<T> NumberOf(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  boost::system::error_code inexact;
  const T number = value->to_number<T>(inexact);
  return inexact ? std::nullopt : std::optional<T>(number);
}

}  // namespace cay
