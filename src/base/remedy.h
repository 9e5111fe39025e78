// Remedy: what the reader of an error can do about it: words, and among them actions, for which
// each face has its own word: a command, a request.
//
//   .WithRemedy("start it first: " + Remedy(Action::kStart, id))
//   remedy.InWords(RequestFor)      // api/remedy_words.h:        "start it first: POST /api/sandboxes/a1/start"
//   remedy.InWords(CommandFor)      // cli/frame/remedy_words.h:  "start it first: cay start a1"
//   remedy.text()                   // logs:                      "start it first: start a1"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cay {

// In parentheses: what the action is done to. The names (ActionName) are part of the API and are
// never changed or reused.
enum class Action : uint8_t {
  kNone,              // words
  kCreate,            // a sandbox
  kList,              // sandboxes
  kUse,               // (one by this name)
  kStart,             // (a sandbox)
  kPause,             // (a sandbox)
  kResume,            // (a sandbox)
  kDestroy,           // (a sandbox)
  kSetTimeout,        // (of a sandbox)
  kListOrphans,       //
  kReadProcess,       // (a process)
  kFollowOutput,      // of a process
  kKillLeftovers,     // (of a process)
  kListDirectory,     //
  kGetArchive,        // of a directory
  kRemoveTree,        // (a directory) with all that is in it
  kForwardPort,       //
  kAcceptWeaker,      // best effort: a limit that cannot be enforced
  kScratchInMemory,   // the writable layer in memory
  kImportTemplate,    // (a template)
  kPullTemplate,      // (an image)
  kAwaitPull,         // (a pull)
  kRemoveTemplate,    // (a template)
  kReplaceTemplate,   // in an import
  kAuthenticate,      // with a key
  kListKeys,          //
  kListWebhooks,      //
  kBuildEnvironment,  // (an environment)
  kAwaitBuild,        // (a build)
};
inline constexpr size_t kActionCount = 29;
std::string_view ActionName(Action action);  // "start"
std::optional<Action> ActionFromName(std::string_view name);

// A face's word for an action; "{}" stands for what it is done to.
using WordFor = std::string_view (*)(Action action);

class Remedy {
 public:
  struct Part {
    Action action = Action::kNone;
    std::string text;  // words; or what it is done to
    bool operator==(const Part&) const = default;
  };

  Remedy() = default;
  Remedy(std::string words);       // NOLINT(google-explicit-constructor)
  Remedy(std::string_view words);  // NOLINT(google-explicit-constructor)
  Remedy(const char* words);       // NOLINT(google-explicit-constructor)
  explicit Remedy(Action action, std::string_view of = {});

  friend Remedy operator+(Remedy first, const Remedy& then);

  bool empty() const { return parts_.empty(); }
  const std::vector<Part>& parts() const { return parts_; }
  bool Has(Action action) const;
  std::string InWords(WordFor word) const;
  std::string text() const;

  // On its way between processes of Cay.
  std::string Encoded() const;
  static Remedy Decoded(std::string_view encoded);

 private:
  void Add(Part part);
  std::vector<Part> parts_;
};

}  // namespace cay
