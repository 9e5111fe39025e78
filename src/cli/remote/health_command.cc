// cay health: whether a sandbox comes near what it may use, in one line and as an exit code: for
// scripts and checks.
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct HealthOptions : ServerOptions {};

constexpr int kExitUnhealthy = 1;

// What is wrong with the sandbox, and not with the question: it does not run, or does not answer.
bool IsOfTheSandbox(const Error& error) {
  return error.code() == ErrorCode::kIllegalState || error.code() == ErrorCode::kTimeout;
}

Result<int> HealthMain(ApiClient& api, HealthOptions& options, Positionals& rest) {
  const std::string id = TRY(api.ResolveSandbox(rest.values.front()));
  Result<json::object> health = api.Get(SandboxPath(id, "/health"));
  if (!health) {
    if (!IsOfTheSandbox(health.error())) return Failure(std::move(health).error());
    const json::object unhealthy = {{"health", "UNHEALTHY"},
                                    {"reason", health.error().message()},
                                    {"summary", "UNHEALTHY: " + health.error().message()}};
    health = unhealthy;
  }
  TRY(Print(options.json ? PrettyJson(*health) : TextOf(*health, "summary") + "\n"));
  return TextOf(*health, "health") == "HEALTHY" ? 0 : kExitUnhealthy;
}

constexpr OptionSpec kOptions[] = {
    kJsonOption<HealthOptions>,
    kUrlOption<HealthOptions>,
    kApiKeyFileOption<HealthOptions>,
    kContextOption<HealthOptions>,
};

}  // namespace

constinit const Command kHealthCommand = {
    .name = "health",
    .summary = "Say whether a sandbox comes near its limits; exit 0 or 1",
    .usage = "[OPTIONS] SANDBOX",
    .description =
        "HEALTHY, with how much of its memory and its processors the sandbox uses, or UNHEALTHY "
        "with\n"
        "the reason: it uses more of its memory, processors or disk than the server's "
        "configuration\n"
        "finds healthy (health.memory, health.cpu, health.disk), does not run, or does not "
        "answer.\n",
    .options = kOptions,
    .examples = "cay health web\ncay health web || cay restart web\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<HealthOptions, HealthMain>,
};

}  // namespace cay::cli
