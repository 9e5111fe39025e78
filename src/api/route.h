// Route: one operation of the server: its path, the scope that it needs, and the function that
// answers. A face makes a list of them (rest/routes.h); the dispatcher finds one for a request,
// asks the gate, calls it, and turns an error into a problem document (problem.h).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/problem.h"
#include "base/result.h"
#include "base/supply/shares.h"
#include "base/units.h"
#include "http/exchange.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/processes/process_keeper.h"

namespace cay::sandbox {
class BuildKeeper;
class ProjectFiles;
class PushKeeper;
}  // namespace cay::sandbox
namespace cay::templates {
class TemplateStore;
}

namespace cay::api {

// The maximum of a JSON body, which holds the files and stdin of an execute.
inline constexpr Bytes kMaxJsonBody = 16 * kMiB;
// The same where a body has only a few fields.
inline constexpr Bytes kMaxSmallBody = 64 * kKiB;

// What a caller must be allowed. Each contains the one before.
enum class Scope : uint8_t { kPublic, kRead, kUse, kAdmin };

// Answers the exchange. An error before anything was sent becomes the response; after that it cuts
// the stream (streams that can say so end with an error event themselves, and return nothing).
using Operation = std::function<Result<void>(http::Exchange&, const sandbox::Caller&)>;

// What a route does with a request's body.
struct BodyUse {
  // All of it, of at most so many bytes, is there before the operation is called. Nothing: the
  // operation reads it as it comes.
  std::optional<uint64_t> whole = kMaxJsonBody;
};
inline constexpr BodyUse kAsItComes{.whole = std::nullopt};

// How a face says that a request failed: Cay's own by problem documents; others have bodies of
// their own.
using ErrorWriter = http::Response (*)(const Error& error, const ProblemOptions& options);

struct Route {
  std::string method;   // "GET" …, "*"
  std::string pattern;  // see http/server/router.h
  Scope scope = Scope::kUse;
  std::string name;  // operationId of openapi.json; for logs, metrics and the audit
  Operation operation;
  BodyUse body = {};
  bool quick = false;  // answers at once from memory, also when the server is full
  // Writes every error of the route, a missing key included.
  ErrorWriter errors = &ProblemResponse;
};

// What a server says about itself at /api/system: facts that no service holds, and no reload
// changes.
struct ServerFacts {
  std::string version;
  std::string state_dir;
  int64_t started_unix_ms = 0;
  std::string engine;  // "native"
  std::string
      enforced_json;  // what the machine offers, as `cay doctor --json` has it: a JSON value
  sandbox::KeeperOptions processes;
};

inline constexpr Bytes kDefaultOutputHeld = 512 * kMiB;
// One owner's half of this holds the longest list that is answered.
inline constexpr Bytes kLeastOutputHeld = 16 * kMiB;
// Of `whole`, one owner has at most a half.
inline std::shared_ptr<Shares> MakeAnswerShares(Bytes whole) {
  return std::make_shared<Shares>(Shares::Bounds{.whole = whole, .each = whole / 2});
}

inline constexpr Shares::Bounds kExportShares{.whole = 4, .each = 2};

// What the faces stand on. The references outlive every route.
struct Services {
  sandbox::Manager& manager;
  sandbox::ProcessKeeper& processes;
  sandbox::ProjectFiles& projects;
  sandbox::EventLog& events;
  templates::TemplateStore& templates;
  sandbox::PullKeeper& pulls;
  sandbox::BuildKeeper& builds;
  sandbox::PushKeeper& pushes;
  ServerFacts facts = {};
  // Memory for answers whose size the sandbox decides (limits.output_held), and each owner's share
  // of it.
  std::shared_ptr<Shares> answers = MakeAnswerShares(kDefaultOutputHeld);
  // Places for exports of templates, each of which packs a whole one on the disk.
  std::shared_ptr<Shares> exports = std::make_shared<Shares>(kExportShares);
};

}  // namespace cay::api
