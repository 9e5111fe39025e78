#include "cli/builds/server_build.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>

#include "base/encoding.h"
#include "build/packing/pack_context.h"
#include "cli/builds/build_upload.h"
#include "cli/builds/typed_context.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/frame/signal_scope.h"
#include "cli/remote/change_options.h"
#include "cli/session/follow_build.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

constexpr int kExitBuildFailed = 1;  // a step did, as on this machine
constexpr const char* kBuilds = "/api/templates/builds";

// What only the server's configuration decides there.
Result<void> CheckForServer(const BuildOptions& options) {
  const build::StepLimits usual;
  const engine::Limits& limits = options.limits.limits;
  const auto refuse = [](const std::string& what, const std::string& keys) {
    return Failure(Error::Invalid("a server decides itself about " + what)
                       .WithRemedy("leave those options out; its configuration has " + keys));
  };
  if (options.has_cpus || limits.memory != usual.limits.memory ||
      limits.disk != usual.limits.disk || options.limits.timeout != usual.timeout)
    return refuse("the limits of steps",
                  "templates.build_memory, build_cpus, build_disk and "
                  "step_timeout");
  if (!options.registry.insecure.empty() || !options.registry.ca_file.empty())
    return refuse("registries", "[templates]");
  if (!options.ways.resolvers.empty() || !options.ways.proxy.empty())
    return refuse("the way to the network", "network.resolvers and network.proxy");
  if (!options.authorities.empty()) {
    return Failure(Error::Invalid("steps of a server's builds trust what their layers say")
                       .WithRemedy("leave --ca out, or build it where the server runs, with "
                                   "--state-dir"));
  }
  return {};
}

json::object ObjectOf(const StringMap& map) {
  json::object object;
  for (const auto& [name, value] : map) object[name] = value;
  return object;
}

// `context`: of an archive its Dockerfile is in it, and keeps its name.
json::object OptionsObject(const BuildOptions& options, const TypedContext& context) {
  json::object object = {{"no_cache", options.no_cache}};
  if (context.opened) {
    object["dockerfile"] = build::kPackedDockerfile;
    object["file_name"] = ToUtf8Lossy(context.opened->file_name);
  } else if (!options.file.empty()) {
    object["dockerfile"] = options.file;
  }
  if (options.pull) object["pull"] = true;
  json::array names(options.tags.begin(), options.tags.end());
  object["names"] = std::move(names);
  if (!options.target.empty()) object["target"] = options.target;
  if (options.platform) object["platform"] = options.platform->Text();
  object["args"] = ObjectOf(options.build_args);
  object["labels"] = ObjectOf(options.labels);
  json::object& secrets = object["secrets"].emplace_object();
  for (const auto& [id, content] : options.secrets) secrets[id] = NameValue(content);
  if (options.network.mode != network::Mode::kNone) {
    AskedNetwork asked;
    static_cast<network::Spec&>(asked) = options.network;
    object["network"] = NetworkObject(asked);
  }
  return object;
}

Result<std::string> Begin(ApiClient& api, const BuildOptions& options, TypedContext context) {
  const std::string asked = TRY(JsonBody(OptionsObject(options, context)));
  BuildUpload upload = TRY(context.opened ? BuildUpload::Start(asked, *std::move(context.opened))
                                          : BuildUpload::Start(asked, std::move(context.archive)));
  http::ClientRequest request;
  request.method = "POST";
  request.target = kBuilds;
  request.headers.Add("Content-Type", upload.content_type());
  request.source = [&](std::span<char> space) { return upload.Read(space); };
  const auto response = TRY(api.Send(std::move(request)));
  return TextOf(TRY(ParseJsonObject(TRY(response->ReadAll(kMaxAnswerBytes)))), "id");
}

Result<void> PrintBuilt(const json::object& build, const BuildOptions& options) {
  const uint64_t steps = NumberOf<uint64_t>(build, "steps").value_or(0);
  const uint64_t cached = NumberOf<uint64_t>(build, "cached").value_or(0);
  const json::array& made = ArrayOf(build, "templates");
  if (options.json) {
    json::array names;
    uint64_t size = 0;
    for (const json::value& one : made) {
      if (!one.is_object()) continue;
      names.emplace_back(TextOf(one.get_object(), "name"));
      size = NumberOf<uint64_t>(one.get_object(), "size").value_or(0);
    }
    return Print(LineJson(json::object{
                     {"templates", names}, {"size", size}, {"steps", steps}, {"cached", cached}}) +
                 "\n");
  }
  for (const json::value& one : made) {
    if (!one.is_object()) continue;
    const std::string name = OneLine(TextOf(one.get_object(), "name"));
    if (options.quiet) {
      TRY(Print(name + "\n"));
      continue;
    }
    TRY(Print("built " + name + " (" + BytesCell(one.get_object(), "size") + "; " +
              std::to_string(cached) + " of " + std::to_string(steps) +
              " steps cached); try: cay create " + name + "\n"));
  }
  return {};
}

Result<int> Conclude(const FollowedBuild& outcome, const BuildOptions& options,
                     BuildPrinter& printer) {
  const std::string state = TextOf(outcome.build, "state");
  if (state == "done") {
    TRY(PrintBuilt(outcome.build, options));
    return 0;
  }
  if (outcome.signal != 0 && state == "cancelled") return kExitSignalBase + outcome.signal;
  if (outcome.failure) {
    printer.TakeFailure(*outcome.failure, TextOf(outcome.build, "dockerfile"));
    if (options.network.mode == network::Mode::kNone)
      Note("steps have no network unless you say so: --net open, --net pypi,npm, --allow HOST:443");
    return kExitBuildFailed;
  }
  // As of a build on this machine, whoever was asked.
  if (state == "failed")
    return ReportFailure(Error(ErrorCodeFromName(TextOf(outcome.build, "error_code")),
                               Fault::kCaller, TextOf(outcome.build, "error")),
                         /*asked=*/false);
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the build is " + state)
                     .WithRemedy("build it again: the steps that were finished are kept"));
}

}  // namespace

Result<int> BuildOnServer(ApiClient& api, BuildOptions& options, const std::string& typed) {
  TRY(CheckForServer(options));
  TypedContext context = TRY(OpenTypedContext(typed, options.file));
  const std::string id = TRY(Begin(api, options, std::move(context)));
  const SignalScope scope(false);
  CallersSignals signals = TRY(scope.Open());
  BuildPrinter printer(options.quiet || options.json ? BuildProgress::kQuiet : options.progress);
  const auto outcome = FollowBuild(api, id, printer, signals);
  printer.Clear();
  if (!outcome) return Failure(outcome.error());
  if (outcome->build.empty()) return kExitSignalBase + outcome->signal;
  return Conclude(*outcome, options, printer);
}

}  // namespace cay::cli
