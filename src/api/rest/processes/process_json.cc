#include "api/rest/processes/process_json.h"

#include <csignal>
#include <cstring>
#include <string>

#include "api/command_text.h"
#include "json/field_reader.h"
#include "sandbox/processes/process_fields.h"

namespace cay::api::rest {
namespace {

class ProcessReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  using FieldReader::operator();
  // Its command.
  void operator()(const About& about, const field::Own&, sandbox::ProcessSpec& spec) {
    Read([&](JsonFields& fields) -> Result<void> {
      auto command = TRY(ReadCommand(fields, about.name));
      if (!command) return {};
      spec.argv = std::move(command->argv);
      spec.shell = std::move(command->shell);
      return {};
    });
  }
};

}  // namespace

Result<sandbox::ProcessSpec> ReadProcessSpec(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  sandbox::ProcessSpec spec;
  ProcessReader reader(fields);
  sandbox::fields::ProcessSpec::Of(spec, reader);
  TRY(reader.Finish());
  if (spec.argv.empty() && spec.shell.empty()) {
    return Failure(Error::Invalid("\"command\" is missing"));
  }
  return spec;
}

Result<int> ParseSignal(std::string_view text) {
  const auto bad = [&] {
    return Failure(Error::Invalid("not a signal: \"" + std::string(text) + "\"")
                       .WithRemedy("write a name or a number, as in SIGTERM or 15"));
  };
  if (const auto number = ParseUnsigned(text, protocol::kMaxSignal)) {
    return *number > 0 ? Result<int>(static_cast<int>(*number)) : bad();
  }
  std::string_view name = text;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int signal = 1; signal < 32; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  return bad();
}

Result<int> ReadSignal(JsonFields& fields, std::string_view name) {
  const JsonValue* value = fields.Find(name);
  if (value == nullptr) return Failure(Error::Invalid(fields.PathOf(name) + " is missing"));
  std::string text;
  if (value->AsString() != nullptr) {
    text = *value->AsString();
  } else {
    text = std::to_string(TRY(fields.Number(name, protocol::kMaxSignal)).value_or(0));
  }
  const auto signal = ParseSignal(text);
  if (!signal) return Failure(fields.Wrong(name, signal.error()));
  return *signal;
}

}  // namespace cay::api::rest
