#include "api/remedy_words.h"

namespace cay::api {

std::string_view RequestFor(Action action) {
  switch (action) {
    case Action::kNone:
    case Action::kUse:
      return "{}";
    case Action::kCreate:
      return "POST /api/sandboxes";
    case Action::kList:
      return "GET /api/sandboxes";
    case Action::kStart:
      return "POST /api/sandboxes/{}/start";
    case Action::kPause:
      return "POST /api/sandboxes/{}/pause";
    case Action::kResume:
      return "POST /api/sandboxes/{}/resume";
    case Action::kDestroy:
      return "DELETE /api/sandboxes/{}";
    case Action::kSetTimeout:
      return R"(PATCH /api/sandboxes/{} {"timeout":…})";
    case Action::kListOrphans:
      return "GET /api/orphans";
    case Action::kReadProcess:
      return "GET …/processes/{}";
    case Action::kFollowOutput:
      return "GET …/processes/{pid}/output";
    case Action::kKillLeftovers:
      return "POST …/processes/{}/kill_leftovers";
    case Action::kListDirectory:
      return "GET …/files/list";
    case Action::kGetArchive:
      return "GET …/archive";
    case Action::kRemoveTree:
      return "?recursive=true";
    case Action::kForwardPort:
      return "cay port";
    case Action::kAcceptWeaker:
      return R"({"best_effort":true})";
    case Action::kScratchInMemory:
      return "a writable layer in memory";
    case Action::kImportTemplate:
      return "PUT /api/templates/{}";
    case Action::kPullTemplate:
      return R"(POST /api/pulls {"image":"{}"}, of an administrator)";
    case Action::kAwaitPull:
      return "GET /api/pulls/{}";
    case Action::kRemoveTemplate:
      return "DELETE /api/templates/{}";
    case Action::kReplaceTemplate:
      return "?replace=true";
    case Action::kAuthenticate:
      return "send the header Authorization: Bearer cay_…; cay keys create makes a key";
    case Action::kListKeys:
      return "GET /api/keys";
    case Action::kListWebhooks:
      return "GET /api/webhooks";
    case Action::kBuildEnvironment:
      return "cay env build {}, on the server's machine";
    case Action::kAwaitBuild:
      return "GET /api/templates/builds/{}";
  }
  return "{}";
}

}  // namespace cay::api
