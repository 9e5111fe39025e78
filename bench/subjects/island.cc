#include "subjects/island.h"

#include <poll.h>

#include <algorithm>
#include <filesystem>

#include "base/os/file.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/launcher/inventory.h"
#include "engine/native/native_engine.h"

namespace cay::bench {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> NamesIn(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

// The files behind the machine's loop devices.
std::vector<std::string> LoopFiles() {
  std::vector<std::string> files;
  for (const std::string& device : NamesIn("/sys/block")) {
    // One that is not configured has no such file.
    const Result<std::string> file = ReadFile("/sys/block/" + device + "/loop/backing_file");
    if (file) files.push_back(*file);
  }
  return files;
}

Error Unexpected(const std::string& what) { return {ErrorCode::kIo, Fault::kMachine, what}; }

// Reads to the end of the process.
Result<protocol::Exited> Follow(ProcessStream& stream, const Sink& sink) {
  for (;;) {
    while (const auto event = TRY(stream.Next())) {
      if (const auto* output = std::get_if<ProcessOutput>(&*event)) {
        if (sink) TRY(sink(output->bytes));
      } else if (const auto* exited = std::get_if<protocol::Exited>(&*event)) {
        return *exited;
      } else if (std::holds_alternative<protocol::Gap>(*event)) {
        return Failure(Unexpected("output was lost"));
      }
    }
    pollfd waiting{.fd = stream.fd(), .events = stream.poll_events(), .revents = 0};
    if (poll(&waiting, 1, 30'000) == 0) return Failure(Unexpected("the guest is silent"));
  }
}

}  // namespace

Result<Island> Island::Start(const std::string& state_dir, const std::string& cay) {
  const Paths paths = TRY(Paths::Resolve(state_dir));
  templates::TemplateStore store = TRY(templates::TemplateStore::Open(
      paths, [paths] { return engine::native::ListStatuses(paths); }));
  templates::Template host = TRY(store.Find("host"));
  std::unique_ptr<engine::Engine> engine = TRY(engine::native::NativeEngine::Start(
      {.paths = paths, .launcher_path = cay, .netns_pool = 16}));
  return Island(paths, std::move(host), std::move(engine));
}

Result<Island::Made> Island::Create(engine::Scratch scratch, Bytes disk) {
  engine::CreateRequest request(TRY(SandboxId::Generate()), host_.root);
  request.scratch = scratch;
  request.limits.disk = disk;
  engine::Created created = TRY(engine_->Create(request));
  {
    const std::scoped_lock lock(*mutex_);
    made_.push_back(request.id);
  }
  return Made{.id = request.id, .created = std::move(created)};
}

Result<void> Island::Run(const SandboxId& id, const std::vector<std::string>& argv,
                         const Sink& sink) {
  protocol::StartRequest request;
  request.argv = argv;
  request.env = host_.env;
  ProcessStream stream = TRY(ProcessStream::Start(TRY(engine_->Connect(id)), request));
  const protocol::Exited exited = TRY(Follow(stream, sink));
  if (exited.exit_code == 0 && exited.signal == 0) return {};
  return Failure(Unexpected(argv[0] + " ended with code " + std::to_string(exited.exit_code) +
                            ", signal " + std::to_string(exited.signal)));
}

Result<std::vector<std::string>> Island::Leftovers() const {
  std::vector<std::string> left;
  for (const std::string& id : NamesIn(paths_.sandboxes_dir())) left.push_back("directory " + id);
  for (const std::string& range : NamesIn(paths_.run_dir + "/ids")) {
    left.push_back("uid range " + range);
  }
  for (const std::string& file : LoopFiles()) {
    if (file.starts_with(paths_.state_dir)) left.push_back("loop device of " + file);
  }
  const auto tree = TRY(engine::native::CgroupTree::Discover());
  for (const SandboxId& id : TRY(tree.List())) {
    if (std::ranges::find(made_, id) != made_.end()) left.push_back("cgroup " + id.text());
  }
  return left;
}

}  // namespace cay::bench
