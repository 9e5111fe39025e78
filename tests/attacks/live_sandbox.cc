#include "live_sandbox.h"

#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <variant>

#include "base/os/file.h"
#include "engine/native/launcher/inventory.h"
#include "template/store/template_store.h"

namespace cay::attacks {
namespace {

template <class T>
T Must(Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "attacks: %s: %s\n", what, result.error().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

Paths PathsOf(const Arena& arena) { return {arena.state_dir(), arena.run_dir()}; }

engine::CreateRequest RequestFor(const SandboxId& id, const engine::RootFilesystem& root,
                                 const engine::Limits& limits, engine::Lifetime lifetime) {
  engine::CreateRequest request(id, root);
  request.limits = limits;
  request.lifetime = lifetime;
  const std::string victim = Arena::Own().victim();
  request.mounts.push_back(
      {.source = victim.substr(0, victim.rfind('/')), .target = "/attack", .read_only = true});
  return request;
}

}  // namespace

std::unique_ptr<engine::native::NativeEngine> StartEngine(const Arena& arena) {
  const Paths paths = PathsOf(arena);
  if (!MakeDirectories(paths.run_dir, 0711) || !MakeDirectories(paths.sandboxes_dir(), 0711)) {
    std::abort();
  }
  return Must(engine::native::NativeEngine::Start(
                  {.paths = paths, .launcher_path = CAY_PROGRAM, .netns_pool = 1}),
              "start the engine");
}

engine::RootFilesystem HostTemplate(const Arena& arena) {
  auto store = Must(
      templates::TemplateStore::Open(
          PathsOf(arena), [paths = PathsOf(arena)] { return engine::native::ListStatuses(paths); }),
      "open the templates");
  // Held to the end of the test program: its layers must not be collected.
  static const templates::Template host = Must(store.Find("host"), "find the host template");
  return host.root;
}

std::string CommandResult::LastLine() const {
  std::string text = out;
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

LiveSandbox::LiveSandbox(engine::Engine& engine, const engine::RootFilesystem& root,
                         const engine::Limits& limits, engine::Lifetime lifetime)
    : engine_(engine),
      id_(Must(SandboxId::Generate(), "make an id")),
      guest_([this] { return engine_.Connect(id_); }) {
  Must(engine_.Create(RequestFor(id_, root, limits, lifetime)), "create a sandbox");
}

LiveSandbox::LiveSandbox(engine::Engine& engine, const engine::RootFilesystem& root,
                         const Kind& kind)
    : engine_(engine),
      id_(Must(SandboxId::Generate(), "make an id")),
      guest_([this] { return engine_.Connect(id_); }) {
  engine::CreateRequest request = RequestFor(id_, root, {}, engine::Lifetime::kEphemeral);
  request.privileges = kind.privileges;
  request.mounts.insert(request.mounts.end(), kind.mounts.begin(), kind.mounts.end());
  Must(engine_.Create(request), "create a sandbox");
}

LiveSandbox::~LiveSandbox() {
  if (auto destroyed = engine_.Destroy(id_); !destroyed) {
    std::fprintf(stderr, "attacks: destroy: %s\n", destroyed.error().ToString().c_str());
  }
}

ProcessStream LiveSandbox::Start(std::vector<std::string> argv, const std::string& user) const {
  protocol::StartRequest request;
  request.argv = std::move(argv);
  request.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  request.cwd = "/tmp";
  request.user = user;
  request.stdin_open = true;
  return Must(guest_.Start(request), "start a process");
}

CommandResult Finish(ProcessStream& stream) {
  CommandResult result;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!stream.finished() && std::chrono::steady_clock::now() < until) {
    pollfd wait = {.fd = stream.fd(), .events = stream.poll_events(), .revents = 0};
    ::poll(&wait, 1, 1000);
    for (;;) {
      auto event = stream.Next();
      if (!event) {
        result.out += "error: " + event.error().ToString();
        return result;
      }
      if (!*event) break;
      if (const auto* output = std::get_if<ProcessOutput>(&**event)) {
        result.out += output->bytes;
      }
      if (const auto* exited = std::get_if<protocol::Exited>(&**event)) {
        result.exit_code = exited->exit_code;
        result.signal = exited->signal;
      }
    }
  }
  return result;
}

CommandResult LiveSandbox::Execute(std::vector<std::string> argv, const std::string& user) const {
  ProcessStream stream = Start(std::move(argv), user);
  return Finish(stream);
}

std::string LiveSandbox::Run(const std::string& probe) const {
  std::vector<std::string> argv = SplitWords(probe);
  argv.insert(argv.begin(), "/attack/attack-victim");
  return Execute(argv).LastLine();
}

}  // namespace cay::attacks
