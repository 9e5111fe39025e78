#include "api/rest/processes/execute_request.h"

#include "api/request.h"
#include "guest_link/file_paths.h"
#include "json/field_reader.h"

namespace cay::api::rest {
namespace {

class ExecuteReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  using FieldReader::operator();
  void operator()(const About& about, const field::Own&, ExecuteRequest& request) {
    Read([&](JsonFields& fields) -> Result<void> {
      auto command = TRY(ReadCommand(fields, about.name));
      if (command) request.commands.push_back(*std::move(command));
      return {};
    });
  }
  void operator()(const About& about, ExecuteCommands, ExecuteRequest& request) {
    Read([&](JsonFields& fields) { return ReadCommands(fields, about.name, request); });
  }
  void operator()(const About& about, ExecuteFiles, ExecuteRequest& request) {
    Read([&](JsonFields& fields) { return ReadFiles(fields, about.name, request); });
  }

 private:
  static Result<void> ReadCommands(JsonFields& fields, std::string_view name,
                                   ExecuteRequest& request);
  static Result<void> ReadFiles(JsonFields& fields, std::string_view name, ExecuteRequest& request);
};

// Unless there was one command.
Result<void> ExecuteReader::ReadCommands(JsonFields& fields, std::string_view name,
                                         ExecuteRequest& request) {
  const JsonValue* commands = fields.Find(name);
  if (request.commands.empty() == (commands == nullptr)) {
    return Failure(
        Error::Invalid("give either \"command\" or \"commands\"")
            .WithRemedy(R"({"command": ["node", "--version"]} or {"command": "ls | wc"})"));
  }
  if (commands == nullptr) return {};
  request.several = true;
  const auto* array = commands->AsArray();
  if (array == nullptr) return Failure(fields.Wrong(name, "an array", *commands));
  if (array->empty()) return Failure(Error::Invalid("\"commands\" is empty"));
  if (array->size() > ExecuteRequest::kMaxCommands) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "\"commands\" has more than the maximum of " +
                             std::to_string(ExecuteRequest::kMaxCommands)));
  }
  for (const JsonValue& one : *array) {
    const std::string what = "\"commands[" + std::to_string(request.commands.size()) + "]\"";
    request.commands.push_back(TRY(CommandOf(one, what)));
  }
  return {};
}

Result<void> ExecuteReader::ReadFiles(JsonFields& fields, std::string_view name,
                                      ExecuteRequest& request) {
  const JsonValue* files = fields.Find(name);
  if (files == nullptr) return {};
  const auto* object = files->AsObject();
  if (object == nullptr) {
    return Failure(fields.Wrong(name, "an object of paths and contents", *files));
  }
  for (const auto& [path, content] : *object) {
    request.files.emplace_back(
        path, TRY(TextOrBase64Of(content, fields.PathOf("files." + path), kMaxJsonBody)));
  }
  return {};
}

}  // namespace

Result<ExecuteRequest> ReadExecuteRequest(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  ExecuteRequest request;
  ExecuteReader reader(fields);
  ExecuteRequestFields::Of(request, reader);
  TRY(reader.Finish());
  if (request.max_output > ExecuteRequest::kMaxMaxOutput) {
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "\"max_output\" is over the maximum of " + FormatBytes(ExecuteRequest::kMaxMaxOutput))
            .WithRemedy("stream the output: Accept: text/event-stream"));
  }
  return request;
}

Result<ExecuteRequest> TakeExecuteRequest(http::Exchange& exchange) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  return ReadExecuteRequest(body);
}

Result<void> WriteFiles(const sandbox::Lease& lease, const ExecuteRequest& request) {
  if (request.files.empty()) return {};
  const std::string base = TRY(DirectoryPath(lease.workdir(), request.options.workdir));
  for (const auto& [path, content] : request.files) {
    protocol::WriteFileRequest write;
    write.user = request.options.user.empty() ? lease.user() : request.options.user;
    write.path = TRY(AbsolutePath(base, request.below_workdir ? BelowWorkdir(base, path) : path));
    write.make_parents = true;
    const auto written = lease.guest().WriteFile(write, TextSource(content));
    if (!written) return Failure(Error(written.error()).WithContext("the file \"" + path + "\""));
  }
  return {};
}

sandbox::ProcessSpec SpecOf(const ExecuteRequest& request, const CommandText& command) {
  sandbox::ProcessSpec spec = request.options;
  spec.argv = command.argv;
  spec.shell = command.shell;
  return spec;
}

std::vector<std::string> ShownCommand(const CommandText& command,
                                      const std::vector<std::string>& ran) {
  if (!command.argv.empty()) return command.argv;
  return {ran.empty() ? "/bin/sh" : ran.front(), "-c", command.shell};
}

std::optional<int32_t> ExitCodeOfStartError(const Error& error) {
  if (error.code() == ErrorCode::kCommandNotFound) return 127;
  if (error.code() == ErrorCode::kNotExecutable) return 126;
  return std::nullopt;
}

}  // namespace cay::api::rest
