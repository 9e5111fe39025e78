#include "api/openapi/field_schema.h"
#include "api/rest/processes/execute_request.h"
#include "api/rest/processes/execute_results.h"
#include "sandbox/processes/process_fields.h"

namespace cay::api {
namespace {

namespace fields = sandbox::fields;

// With what only an execute has.
class ExecuteSchema : public FieldSchema {
 public:
  using FieldSchema::FieldSchema;
  using FieldSchema::operator();

  void operator()(const About& about, rest::ExecuteCommands, const auto&) {
    Begin(about, false);
    WriteType("array");
    WriteSchemaOf(json().Key("items"), "Command");
    json().Member("minItems", 1).Member("maxItems", rest::ExecuteRequest::kMaxCommands);
    End(about.text);
  }
  void operator()(const About& about, rest::ExecuteFiles, const auto&) {
    Begin(about, false);
    WriteType("object");
    WriteSchemaOf(json().Key("additionalProperties"), "Content");
    json().Key("propertyNames").BeginObject().Member("type", "string").Member("minLength", 1);
    json().Member("pattern", field::kWithoutNul).EndObject();
    End(about.text);
  }
  // One command or several.
  void WriteRest() {
    json().Key("oneOf").BeginArray();
    json().BeginObject().Key("required").BeginArray().Value("command").EndArray();
    json().Key("properties").BeginObject();
    WriteSchemaOf(json().Key("command"), "Command");
    WriteTypeOf(json().Key("commands"), "null");
    json().EndObject().EndObject();
    json().BeginObject().Key("required").BeginArray().Value("commands").EndArray();
    json().Key("properties").BeginObject();
    WriteTypeOf(json().Key("command"), "null");
    WriteTypeOf(json().Key("commands"), "array");
    json().EndObject().EndObject().EndArray();
  }

 private:
  static void WriteTypeOf(JsonWriter& json, std::string_view type) {
    json.BeginObject().Member("type", type).EndObject();
  }
};

sandbox::Execution AnExecution() {
  auto room = sandbox::OutputRoom::Unshared(0);
  room->Settle();
  return sandbox::Execution(std::move(room));
}

rest::Results SomeResults() {
  rest::Results results{.room = sandbox::OutputRoom::Unshared(0)};
  results.room->Settle();
  results.together.Add({});
  return results;
}

}  // namespace

std::vector<Schema> ProcessSchemas() {
  return {RequestSchema<fields::TerminalSize>(protocol::TerminalSize()),
          RequestSchema<fields::ProcessSpec>(sandbox::ProcessSpec()),
          RequestSchema<rest::ExecuteRequestFields, ExecuteSchema>(rest::ExecuteRequest()),
          AnswerSchema<fields::Process>(sandbox::ProcessRecord()),
          AnswerSchema<fields::ProcessList>(std::vector<sandbox::ProcessRecord>()),
          AnswerSchema<fields::LeftoversKilled>(protocol::LeftoversKilled()),
          AnswerSchema<fields::Execution>(AnExecution()),
          AnswerSchema<rest::CommandResultFields>(
              rest::CommandResult{.command = {}, .execution = AnExecution()}),
          AnswerSchema<rest::ExecutionsFields>(SomeResults())};
}

}  // namespace cay::api
