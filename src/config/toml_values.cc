#include "config/toml_values.h"

#include <algorithm>

// Only its headers: one shared library less to load at every start.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace cay::config {
namespace {

std::string At(const toml::source_region& where) {
  return std::to_string(where.begin.line) + ":" + std::to_string(where.begin.column) + ": ";
}

Error Unusable(const toml::node& node, const std::string& name) {
  return Error::Invalid(At(node.source()) + name + ": no key takes a value of this kind");
}

// 1.5 as "1.5", not as "1.500000".
std::string FormatFloat(double number) {
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

Result<std::string> ScalarText(const toml::node& node, const std::string& name) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* number = node.as_floating_point()) return FormatFloat(number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  return Failure(Unusable(node, name));
}

// {template = "host", minimum = 2, memory = "256m"} -> "host=2,memory=256m".
Result<std::string> PoolText(const toml::table& table, const std::string& name) {
  std::string template_name;
  std::string minimum = "0";
  std::string maximum;
  std::string rest;
  for (const auto& [key, node] : table) {
    const std::string value = TRY(ScalarText(node, name));
    if (value.find(',') != std::string::npos) {
      return Failure(Error::Invalid(At(node.source()) + name + ": a comma is not allowed here"));
    }
    if (key.str() == "template") {
      template_name = value;
    } else if (key.str() == "minimum") {
      minimum = value;
    } else if (key.str() == "maximum") {
      maximum = ":" + value;
    } else {
      rest.append(",").append(key.str()).append("=").append(value);
    }
  }
  return template_name + "=" + minimum + maximum + rest;
}

Result<TomlValue> ArrayValue(const toml::array& array, std::string name) {
  TomlValue value{.name = std::move(name), .values = {}, .list = true};
  value.line = array.source().begin.line;
  value.column = array.source().begin.column;
  for (const toml::node& item : array) {
    if (value.line == 0) {
      value.line = item.source().begin.line;
      value.column = item.source().begin.column;
    }
    value.values.push_back(item.is_table() ? TRY(PoolText(*item.as_table(), value.name))
                                           : TRY(ScalarText(item, value.name)));
  }
  return value;
}

Result<void> Flatten(const toml::table& table, const std::string& prefix,
                     std::vector<TomlValue>& out) {
  for (const auto& [key, node] : table) {
    std::string name = prefix + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      TRY(Flatten(*inner, name + ".", out));
    } else if (const auto* array = node.as_array()) {
      out.push_back(TRY(ArrayValue(*array, std::move(name))));
      // Where the key stands, as with other values; tables in an array have a key each.
      if (!array->is_array_of_tables()) {
        out.back().line = key.source().begin.line;
        out.back().column = key.source().begin.column;
      }
    } else {
      std::string text = TRY(ScalarText(node, name));
      out.push_back({.name = std::move(name),
                     .values = {std::move(text)},
                     .line = key.source().begin.line,
                     .column = key.source().begin.column});
    }
  }
  return {};
}

}  // namespace

Result<std::vector<TomlValue>> ParseToml(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Failure(
        Error::Invalid(At(parsed.error().source()) + std::string(parsed.error().description())));
  }
  std::vector<TomlValue> values;
  TRY(Flatten(parsed.table(), "", values));
  std::ranges::sort(values, {}, [](const TomlValue& v) { return std::pair(v.line, v.column); });
  return values;
}

}  // namespace cay::config
