#include "json/json_members.h"

#include <boost/json/parse.hpp>
#include <utility>

namespace cay {
namespace {

namespace json = boost::json;

}  // namespace

std::optional<json::object> ParseObject(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::optional<std::string> FindText(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

std::string TextOf(const json::object& object, std::string_view name) {
  return FindText(object, name).value_or("");
}

std::optional<bool> FindFlag(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

bool FlagOf(const json::object& object, std::string_view name) {
  return FindFlag(object, name).value_or(false);
}

const json::object& ObjectOf(const json::object& object, std::string_view name) {
  static const json::object kNone;
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

const json::array& ArrayOf(const json::object& object, std::string_view name) {
  static const json::array kNone;
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

}  // namespace cay
