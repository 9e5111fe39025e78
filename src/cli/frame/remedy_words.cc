#include "cli/frame/remedy_words.h"

namespace cay::cli {

std::string_view CommandFor(Action action) {
  switch (action) {
    case Action::kNone:
    case Action::kUse:
      return "{}";
    case Action::kCreate:
      return "cay create";
    case Action::kList:
      return "cay ls";
    case Action::kStart:
      return "cay start {}";
    case Action::kPause:
      return "cay pause {}";
    case Action::kResume:
      return "cay resume {}";
    case Action::kDestroy:
      return "cay rm -f {}";
    case Action::kSetTimeout:
      return "cay update --timeout TIME {}";
    case Action::kListOrphans:
      return "cay adopt";
    case Action::kReadProcess:
      return "cay wait and cay logs SANDBOX {}";
    case Action::kFollowOutput:
      return "cay logs -f SANDBOX PROCESS";
    case Action::kKillLeftovers:
      return "cay kill --leftovers SANDBOX {}";
    case Action::kListDirectory:
      return "cay files ls";
    case Action::kGetArchive:
      return "cay cp";
    case Action::kRemoveTree:
      return "cay files rm -r SANDBOX {}";
    case Action::kForwardPort:
      return "cay port";
    case Action::kAcceptWeaker:
      return "--best-effort";
    case Action::kScratchInMemory:
      return "--scratch memory";
    case Action::kImportTemplate:
      return "cay template import {} DIRECTORY-OR-TAR";
    case Action::kPullTemplate:
      return "cay template pull {}";
    case Action::kAwaitPull:
      return "cay events -f";
    case Action::kRemoveTemplate:
      return "cay template rm {}";
    case Action::kReplaceTemplate:
      return "--replace";
    case Action::kAuthenticate:
      return "cay keys create makes one";
    case Action::kListKeys:
      return "cay keys list";
    case Action::kListWebhooks:
      return "GET /api/webhooks";
    case Action::kBuildEnvironment:
      return "cay env build {}";
    case Action::kAwaitBuild:
      return "cay events -f";
  }
  return "{}";
}

}  // namespace cay::cli
