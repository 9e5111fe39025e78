#include "api/rest/sandboxes/sandbox_json.h"

#include <algorithm>

#include "api/rest/sandboxes/environment_config.h"
#include "api/rest/sandboxes/network_json.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "json/json_canonical.h"
#include "sandbox/fields.h"

namespace cay::api::rest {
namespace {

using sandbox::SandboxChange;
using sandbox::SandboxSpec;
using sandbox::SandboxView;

constexpr size_t kMaxWord = 4096;

class SpecReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  using FieldReader::operator();
  void operator()(const About& about, const field::Word&,
                  std::optional<sandbox::OnTimeout>& member) {
    Read([&](JsonFields& fields) { return ReadOnTimeout(fields, about.name, member); });
  }
  void operator()(const About& about, const field::Word&, Privileges& member) {
    Read([&](JsonFields& fields) { return ReadPrivileges(fields, about.name, member); });
  }
  void operator()(const About& about, const field::Own&, sandbox::AskedEntrypoint& member) {
    Read([&](JsonFields& fields) { return ReadEntrypoint(fields, about.name, member); });
  }
  void operator()(const About& about, const field::Own&, sandbox::PackagesSpec& member) {
    Read([&](JsonFields& fields) {
      return ReadEnvironmentConfig(fields, about.name, member, variables_);
    });
  }
  void operator()(const About& about, const field::Own&, sandbox::NetworkSpec& member) {
    Read([&](JsonFields& fields) -> Result<void> {
      member = TRY(ReadNetwork(fields, about.name)).value_or(sandbox::NetworkSpec{});
      return {};
    });
  }
  void operator()(const About& about, const field::Own&,
                  std::optional<sandbox::NetworkSpec>& member) {
    Read([&](JsonFields& fields) -> Result<void> {
      member = TRY(ReadNetwork(fields, about.name));
      return {};
    });
  }

  // Those of environment_config.
  const StringMap& variables() const { return variables_; }

 private:
  static Result<void> ReadEntrypoint(JsonFields& fields, std::string_view name,
                                     sandbox::AskedEntrypoint& member) {
    using Kind = sandbox::AskedEntrypoint::Kind;
    const JsonValue* const value = fields.Find(name);
    if (value == nullptr) return {};
    if (const bool* const flag = value->AsBool()) {
      member.kind = *flag ? Kind::kImages : Kind::kNone;
      return {};
    }
    const auto* const words = value->AsArray();
    if (words == nullptr) return Failure(fields.Wrong(name, "true, or a list of strings", *value));
    member.kind = Kind::kOwn;
    for (const JsonValue& word : *words) {
      if (word.AsString() == nullptr) {
        return Failure(fields.Wrong(name, "true, or a list of strings", word));
      }
      member.argv.push_back(*word.AsString());
    }
    return {};
  }
  static Result<void> ReadOnTimeout(JsonFields& fields, std::string_view name,
                                    std::optional<sandbox::OnTimeout>& member) {
    const auto word = TRY(fields.String(name, kMaxWord));
    if (!word) return {};
    member = sandbox::OnTimeoutFromName(*word);
    if (member) return {};
    return Failure(
        Error::Invalid("\"" + std::string(name) + "\" must be \"destroy\", \"stop\" or \"pause\""));
  }
  static Result<void> ReadPrivileges(JsonFields& fields, std::string_view name,
                                     Privileges& member) {
    const auto word = TRY(fields.String(name, kMaxWord));
    if (!word) return {};
    const auto privileges = PrivilegesFromName(*word);
    if (!privileges)
      return Failure(Error::Invalid("\"" + std::string(name) + "\" must be \"none\" or \"root\""));
    member = *privileges;
    return {};
  }

  StringMap variables_{};
};

}  // namespace

Result<SandboxSpec> ReadSandboxSpec(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  SandboxSpec spec;
  SpecReader reader(fields);
  sandbox::fields::Spec::Of(spec, reader);
  TRY(reader.Finish());
  TRY(MergeVariables(reader.variables(), spec.env));
  return spec;
}

Result<SandboxChange> ReadSandboxChange(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  SandboxChange change;
  SpecReader reader(fields);
  sandbox::fields::Change::Of(change, reader);
  TRY(reader.Finish());
  return change;
}

void WriteSandbox(JsonWriter& json, const SandboxView& view) {
  WriteObject<sandbox::fields::View>(json, view);
}

JsonWriter SandboxJson(const SandboxView& view) { return ObjectJson<sandbox::fields::View>(view); }

sandbox::Idempotency IdempotencyOf(const http::Request& request, const JsonValue& body) {
  const auto key = request.headers.Find("Idempotency-Key");
  if (!key || key->empty()) return {};
  return {.key = std::string(*key), .asked = CanonicalJson(body)};
}

Result<std::string> WritePage(JsonWriter& json, sandbox::Manager& manager,
                              const sandbox::Caller& caller, sandbox::ListFilter filter,
                              void (*write)(JsonWriter&, const sandbox::SandboxView&)) {
  constexpr size_t kAtOnce = 50;
  size_t left = filter.limit;
  for (;;) {
    filter.limit = std::min(left, kAtOnce);
    const auto page = TRY(manager.List(caller, filter));
    for (const auto& view : page.sandboxes) write(json, view);
    left -= page.sandboxes.size();
    if (page.next.empty() || left == 0) return page.next;
    filter.cursor = page.next;
  }
}

}  // namespace cay::api::rest
