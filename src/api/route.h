// Route: one operation of the server: where it is, who may, and who answers. A face makes a list of
// them (rest/routes.h); the dispatcher finds one for a request, asks the gate, calls it, and turns an error
// into a problem document (problem.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/exchange.h"
#include "sandbox/manager.h"
#include "sandbox/process_keeper.h"

namespace cay::sandbox {
class ProjectFiles;
}  // namespace cay::sandbox
namespace cay::templates {
class TemplateStore;
}

namespace cay::api {

// What a caller must be allowed. Each contains the one before.
enum class Scope : uint8_t { kPublic, kRead, kUse, kAdmin };

// Answers the exchange. An error before anything was sent becomes the response; after that it cuts the stream
// (streams that can say so end with an error event themselves, and return nothing).
using Operation = std::function<Result<void>(http::Exchange&, const sandbox::Caller&)>;

struct Route {
  std::string method;   // "GET" …, "*"
  std::string pattern;  // see http/router.h
  Scope scope = Scope::kUse;
  std::string name;  // operationId of openapi.json; for logs, metrics and the audit
  Operation operation;
};

// What a server says about itself at /api/system: what no service holds, and no reload changes.
struct ServerFacts {
  std::string version;
  std::string state_dir;
  int64_t started_unix_ms = 0;
  std::string engine;  // "native"
  std::string
      enforced_json;  // what the machine offers, as `cay doctor --json` has it: a JSON value
  sandbox::KeeperOptions processes;
};

// What the faces stand on. The references outlive every route.
struct Services {
  sandbox::Manager& manager;
  sandbox::ProcessKeeper& processes;
  sandbox::ProjectFiles& projects;
  sandbox::EventLog& events;
  templates::TemplateStore& templates;
  ServerFacts facts = {};
};

}  // namespace cay::api
