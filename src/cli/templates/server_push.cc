#include "cli/templates/server_push.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <utility>

#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/pulls/pull_bars.h"
#include "cli/pulls/registry_options.h"
#include "cli/remote/server_templates.h"
#include "cli/session/follow_transfer.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using templates::PullProgress;
using Stage = PullProgress::Stage;

// Nothing of it where Docker's file has nothing: the server may have some of its own.
Result<void> AddCredentials(const std::string& registry, sandbox::PushSpec& spec) {
  const auto store = TRY(LoadDockerCredentials());
  if (const auto found = store.Find(registry)) {
    spec.username = found->username;
    spec.password = found->password;
    spec.identity_token = found->identity_token;
    return {};
  }
  const std::string helper = store.HelperOf(registry);
  if (!helper.empty())
    Note("the credentials of " + registry + " are kept by " + helper + ", which is not run");
  return {};
}

json::object RequestOf(const sandbox::PushSpec& spec) {
  json::object request = {{"image", spec.image}};
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) request[name] = value;
  };
  add("compression", spec.compression);
  add("username", spec.username);
  add("password", spec.password);
  add("identity_token", spec.identity_token);
  return request;
}

void ShowPush(PullBars& bars, const json::object& push) {
  const json::array& layers = ArrayOf(push, "layers");
  const auto packed = NumberOf<uint64_t>(push, "packed").value_or(0);
  if (packed > 0 && layers.empty()) bars.Show({.stage = Stage::kPacking, .done = packed});
  for (const json::value& value : layers) {
    if (!value.is_object()) continue;
    const json::object& layer = value.get_object();
    PullProgress now{.stage = Stage::kSending,
                     .layer = TextOf(layer, "digest"),
                     .done = NumberOf<uint64_t>(layer, "done").value_or(0),
                     .total = NumberOf<uint64_t>(layer, "size").value_or(0)};
    if (now.done >= now.total) now.stage = Stage::kSent;
    if (FlagOf(layer, "was_there")) now.stage = Stage::kWasThere;
    bars.Show(now);
  }
}

// The digest of what was pushed.
Result<std::string> FollowPush(ApiClient& api, const std::string& id, bool quiet) {
  PullBars bars(quiet);
  const json::object push = TRY(
      FollowTransfer(api, kPushKind, id, [&](const json::object& now) { ShowPush(bars, now); }));
  return TextOf(push, "digest");
}

}  // namespace

Result<int> PushOnServer(ApiClient& api, const ServerOptions& options, const std::string& name,
                         const templates::oci::ImageReference& image, sandbox::PushSpec spec) {
  TRY(AddCredentials(image.domain, spec));
  const json::object push = TRY(api.Call("POST", TemplatePath(name) + "/push", RequestOf(spec)));
  const std::string digest = TRY(FollowPush(api, TextOf(push, "id"), options.quiet));
  TRY(Print(options.quiet ? digest + "\n"
                          : "pushed " + TextOf(push, "template") + " to " + TextOf(push, "image") +
                                " (" + digest + ")\n"));
  return 0;
}

}  // namespace cay::cli
