#include "cli/client/object_template.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "cli/frame/console.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";

Failure NotTaken(std::string_view inside) {
  return Failure(Error::Invalid("\"{{" + OneLine(inside) + "}}\" is not understood")
                     .WithRemedy("as in '{{.id}} {{.metadata.run}}', '{{json .}}', or json"));
}

std::string WithEscapes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    if (next == 't' || next == 'n' || next == '\\') {
      out += next == 't' ? '\t' : next == 'n' ? '\n' : '\\';
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

const json::value* FindField(const json::object& object, const std::string& name) {
  if (const json::value* exact = object.if_contains(name)) return exact;
  const auto found = std::ranges::find_if(
      object, [&](const auto& member) { return EqualsIgnoringCase(member.key(), name); });
  return found == object.end() ? nullptr : &found->value();
}

// What the client chose has any keys, and lacks any.
bool IsOfTheClient(const std::vector<std::string>& path) {
  return path.size() > 1 &&
         (EqualsIgnoringCase(path.front(), "metadata") || EqualsIgnoringCase(path.front(), "env"));
}

Failure NoSuchField(const std::string& name, const json::object& object) {
  if (object.empty()) {
    return Failure(Error::Invalid("there is no field " + OneLine(name))
                       .WithRemedy("what is before it has no fields of its own"));
  }
  std::string names;
  for (const auto& member : object)
    names.append(names.empty() ? "" : ", ").append(std::string_view(member.key()));
  return Failure(Error::Invalid("there is no field " + OneLine(name))
                     .WithRemedy("there are: " + OneLine(names)));
}

std::string Shown(const json::value& value, bool as_json) {
  if (as_json) return json::serialize(value);
  if (value.is_null()) return {};
  return value.is_string() ? OneLine(std::string_view(value.get_string())) : json::serialize(value);
}

}  // namespace

Result<ObjectTemplate::Part> ObjectTemplate::ParseField(std::string_view inside) {
  Part part;
  part.is_field = true;
  std::string_view text = Trim(inside);
  if (text.starts_with("json ")) {
    part.as_json = true;
    text = Trim(text.substr(5));
  }
  if (!text.starts_with('.') || text.find_first_of(" |()\"'$") != std::string_view::npos)
    return NotTaken(inside);
  text.remove_prefix(1);
  if (text.empty()) part.as_json = true;
  while (!text.empty()) {
    const size_t dot = std::min(text.find('.'), text.size());
    if (dot == 0 || dot + 1 == text.size()) return NotTaken(inside);
    part.path.emplace_back(text.substr(0, dot));
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return part;
}

Result<ObjectTemplate> ObjectTemplate::Parse(std::string_view text) {
  if (text.empty()) return Failure(Error::Invalid("the value is empty"));
  ObjectTemplate parsed;
  if (text == "json") text = "{{json .}}";
  while (!text.empty()) {
    const size_t open = std::min(text.find(kOpen), text.size());
    std::string before = WithEscapes(text.substr(0, open));
    text.remove_prefix(open);
    if (text.empty()) {
      parsed.parts_.push_back({.text = std::move(before)});
      break;
    }
    text.remove_prefix(kOpen.size());
    const size_t close = text.find(kClose);
    if (close == std::string_view::npos) {
      return Failure(Error::Invalid("\"{{" + OneLine(text) + "\" has no }}"));
    }
    Part part = TRY(ParseField(text.substr(0, close)));
    part.text = std::move(before);
    parsed.parts_.push_back(std::move(part));
    text.remove_prefix(close + kClose.size());
  }
  return parsed;
}

Result<std::string> ObjectTemplate::Render(const json::object& object) const {
  std::string out;
  for (const Part& part : parts_) {
    out += part.text;
    if (!part.is_field) continue;
    if (part.path.empty()) {
      out += json::serialize(object);
      continue;
    }
    const json::object* at = &object;
    const json::value* value = nullptr;
    for (const std::string& name : part.path) {
      value = at == nullptr ? nullptr : FindField(*at, name);
      if (value == nullptr && IsOfTheClient(part.path) && name != part.path.front()) break;
      if (value == nullptr) return NoSuchField(name, at == nullptr ? json::object() : *at);
      at = value->if_object();
    }
    if (value != nullptr) out += Shown(*value, part.as_json);
  }
  return out;
}

}  // namespace cay::cli
