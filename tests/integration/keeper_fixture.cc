#include "keeper_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/os/file.h"
#include "engine/native/launcher/inventory.h"

namespace cay::testing {
namespace {

using Clock = std::chrono::steady_clock;
using sandbox::ProcessRecord;
using sandbox::RunningProcess;

constexpr Millis kFollowPatience{60'000};

}  // namespace

Result<std::unique_ptr<Heart>> Heart::Open(const Paths& paths,
                                           const sandbox::KeeperOptions& options) {
  auto heart = std::make_unique<Heart>();
  heart->store = TRY(store::Store::Open(paths));
  heart->engine = TRY(engine::native::NativeEngine::Start(
      {.paths = paths, .launcher_path = CAY_PATH, .netns_pool = 1}));
  heart->templates = std::make_unique<templates::TemplateStore>(TRY(templates::TemplateStore::Open(
      paths, [paths] { return engine::native::ListStatuses(paths); })));
  heart->events = TRY(sandbox::EventLog::Open(*heart->store));
  sandbox::ManagerOptions manager_options;
  manager_options.paths = paths;
  manager_options.default_limits.memory = 128 * kMiB;
  manager_options.default_limits.disk = 64 * kMiB;
  manager_options.max_limits = manager_options.default_limits;
  manager_options.max_limits.memory = kGiB;
  manager_options.max_limits.disk = kGiB;
  manager_options.max_limits.pids = 1024;
  manager_options.max_limits.cpus = 8000;
  heart->manager = TRY(sandbox::Manager::Open(manager_options, *heart->engine, *heart->templates,
                                              *heart->store, *heart->events));
  heart->keeper =
      TRY(sandbox::ProcessKeeper::Open(options, *heart->manager, *heart->store, *heart->events));
  return heart;
}

Followed Follow(RunningProcess& process, const std::function<bool(const Followed&)>& enough) {
  Followed followed;
  const auto until = Clock::now() + kFollowPatience;
  while (!process.finished() && !(enough && enough(followed))) {
    if (Clock::now() > until) {
      ADD_FAILURE() << "no end in time; so far: " << followed.out.substr(0, 200);
      break;
    }
    auto event = process.Next(Millis(1000));
    if (!event) {
      followed.error = event.error();
      break;
    }
    if (!*event) continue;
    if (auto* output = std::get_if<ProcessOutput>(&**event)) {
      (output->stream == OutputStream::kStdout ? followed.out : followed.err).append(output->bytes);
      followed.next_seq = output->seq + output->bytes.size();
    } else if (auto* gap = std::get_if<protocol::Gap>(&**event)) {
      followed.gaps.push_back(*gap);
      followed.next_seq = gap->to;
    } else if (auto* ended = std::get_if<sandbox::ProcessEnded>(&**event)) {
      ++followed.ends;
      followed.record = ended->record;
    }
  }
  return followed;
}

bool Soon(const std::function<bool()>& condition, Millis patience) {
  const auto until = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(Millis(5));
  }
  return true;
}

void KeeperFixture::SetUpTestSuite() {
  std::string pattern = ::testing::TempDir() + "cay-keeper-XXXXXX";
  directory_ = ::mkdtemp(pattern.data());
  // The launcher goes there with the rights of a sandbox.
  ASSERT_EQ(::chmod(directory_.c_str(), 0711), 0);
  auto paths = Paths::Resolve(directory_);
  ASSERT_TRUE(paths) << paths.error().ToString();
  paths_ = *paths;
}

void KeeperFixture::TearDownTestSuite() {
  const auto removed = RemoveTreeAt(AT_FDCWD, directory_);
  EXPECT_TRUE(removed) << removed.error().ToString();
}

void KeeperFixture::Open() {
  auto heart = Heart::Open(paths_, options_);
  ASSERT_TRUE(heart) << heart.error().ToString();
  heart_ = *std::move(heart);
}

void KeeperFixture::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  Open();
}

void KeeperFixture::TearDown() {
  if (!heart_) return;
  auto page = heart_->manager->List(caller_, {});
  ASSERT_TRUE(page) << page.error().ToString();
  for (const sandbox::SandboxView& view : page->sandboxes) {
    const auto destroyed = heart_->manager->Destroy(caller_, view.id.text(), "requested");
    EXPECT_TRUE(destroyed) << destroyed.error().ToString();
  }
  heart_->keeper.reset();
  heart_.reset();
}

void KeeperFixture::Restart() {
  // In the order in which a server ends them.
  heart_->keeper.reset();
  heart_->manager.reset();
  heart_.reset();
  Open();
}

sandbox::SandboxView KeeperFixture::Create(
    const std::function<void(sandbox::SandboxSpec&)>& change) {
  sandbox::SandboxSpec spec;
  if (change) change(spec);
  auto made = heart_->manager->Create(caller_, spec);
  if (!made) ADD_FAILURE() << made.error().ToString();
  return *std::move(made);
}

sandbox::Lease KeeperFixture::Use(const sandbox::SandboxView& view) {
  auto lease = heart_->manager->Use(caller_, view.id.text());
  if (!lease) ADD_FAILURE() << lease.error().ToString();
  return *std::move(lease);
}

Result<sandbox::Execution> KeeperFixture::Execute(const sandbox::Lease& lease,
                                                  const std::string& line, Bytes max_output) {
  return heart_->keeper->Execute(lease, Shell(line), "", sandbox::OutputRoom::Unshared(max_output));
}

ProcessRecord KeeperFixture::Get(const sandbox::SandboxView& view, uint64_t process) {
  auto record = heart_->keeper->Get(view.id, process);
  if (!record) ADD_FAILURE() << record.error().ToString();
  return record.value_or(ProcessRecord{});
}

ProcessRecord KeeperFixture::Ended(const sandbox::SandboxView& view, uint64_t process) {
  EXPECT_TRUE(Soon([&] { return Get(view, process).state != sandbox::ProcessState::kRunning; }));
  return Get(view, process);
}

size_t KeeperFixture::CountEvents(const std::string& type) const {
  size_t count = 0;
  for (uint64_t after = 0;;) {
    const auto batch = heart_->events->After(after, {}, 1000, Millis(0));
    if (batch.events.empty()) return count;
    for (const sandbox::Event& event : batch.events) count += event.type == type ? 1 : 0;
    after = batch.events.back().id;
  }
}

sandbox::ProcessSpec KeeperFixture::Shell(const std::string& line) {
  sandbox::ProcessSpec spec;
  spec.shell = line;
  return spec;
}

}  // namespace cay::testing
