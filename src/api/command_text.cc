#include "api/command_text.h"

#include "protocol/process_messages.h"

namespace cay::api {

Result<CommandText> CommandOf(const JsonValue& value, std::string_view what) {
  CommandText command;
  if (value.AsString() != nullptr || value.AsObject() != nullptr) {
    command.shell = TRY(TextOrBase64Of(value, what, protocol::kMaxArgumentBytes));
    if (command.shell.empty()) return Failure(Error::Invalid(std::string(what) + " is empty"));
    return command;
  }
  const auto* array = value.AsArray();
  if (array == nullptr) {
    return Failure(WrongKind(what, "an array of strings, or one line for the shell", value));
  }
  if (array->empty()) return Failure(Error::Invalid(std::string(what) + " is empty"));
  for (const JsonValue& argument : *array) {
    const std::string name = std::string(what) + "[" + std::to_string(command.argv.size()) + "]";
    command.argv.push_back(TRY(TextOrBase64Of(argument, name, JsonFields::kMaxText)));
  }
  return command;
}

Result<std::optional<CommandText>> ReadCommand(JsonFields& fields, std::string_view name) {
  const JsonValue* value = fields.Find(name);
  if (value == nullptr) return std::nullopt;
  return TRY(CommandOf(*value, fields.PathOf(name)));
}

}  // namespace cay::api
