#include "manager_fixture.h"
#include "engine/native/launcher/inventory.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

namespace cay::sandbox {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

}  // namespace

void ManagerTest::SetUpTestSuite() {
  if (::geteuid() != 0) return;
  std::string pattern = ::testing::TempDir() + "cay-manager-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const auto paths = Paths::Resolve(pattern);
  ASSERT_TRUE(paths) << paths.error().ToString();
  paths_ = *paths;
}

void ManagerTest::TearDownTestSuite() {
  if (!paths_.state_dir.empty()) std::filesystem::remove_all(paths_.state_dir);
}

void ManagerTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  options_.paths = paths_;
  options_.default_limits.memory = options_.max_limits.memory = 128 * kMiB;
  options_.default_limits.disk = options_.max_limits.disk = 32 * kMiB;
  options_.max_limits.memory = 256 * kMiB;
  Open();
}

// Nothing of a test stays for the next one.
void ManagerTest::TearDown() {
  if (::geteuid() != 0) return;
  if (!server_.manager) Open();
  manager().Drain(Millis(5000));
  const Caller admin{.owner = "admin", .admin = true};
  ListFilter all;
  all.limit = 1000;
  const auto page = manager().List(admin, all);
  ASSERT_TRUE(page);
  for (const SandboxView& view : page->sandboxes) {
    const auto destroyed = manager().Destroy(admin, view.id.text(), "the test is over");
    EXPECT_TRUE(destroyed) << destroyed.error().ToString();
  }
  EXPECT_EQ(AwaitInEngine(0), 0U);
  Close();
}

Result<Server> ManagerTest::OpenServer(const ManagerOptions& options) {
  Server server;
  server.engine = TRY(engine::native::NativeEngine::Start(
      {.paths = paths_, .launcher_path = CAY_PATH, .netns_pool = 1}));
  server.templates = std::make_unique<templates::TemplateStore>(TRY(templates::TemplateStore::Open(
      paths_, [paths = paths_] { return engine::native::ListStatuses(paths); })));
  server.store = TRY(store::Store::Open(paths_));
  server.events = TRY(EventLog::Open(*server.store));
  server.manager =
      TRY(Manager::Open(options, *server.engine, *server.templates, *server.store, *server.events));
  return server;
}

void ManagerTest::Open() {
  auto server = OpenServer(options_);
  ASSERT_TRUE(server) << server.error().ToString();
  server_ = std::move(*server);
}

void ManagerTest::Close() {
  server_.manager.reset();
  server_.events.reset();
  server_.store.reset();
  server_.templates.reset();
  server_.engine.reset();
}

SandboxView ManagerTest::Create(const SandboxSpec& spec) {
  auto created = manager().Create(me_, spec);
  EXPECT_TRUE(created) << created.error().ToString();
  return created ? *created : SandboxView{.id = *SandboxId::Parse("00000000000000000000")};
}

std::string ManagerTest::Run(const std::string& which, const std::string& line,
                             const std::string& user) {
  const auto lease = manager().Use(me_, which);
  if (!lease) return lease.error().ToString();
  protocol::StartRequest request;
  request.argv = {"sh", "-c", line};
  request.env = lease->Environment({});
  request.cwd = lease->workdir();
  request.user = user.empty() ? lease->user() : user;
  auto process = lease->guest().Start(request);
  if (!process) return process.error().ToString();
  std::string output;
  while (true) {
    auto event = process->Next();
    if (!event) return event.error().ToString();
    if (!*event) {
      pollfd poller{.fd = process->fd(), .events = process->poll_events(), .revents = 0};
      if (::poll(&poller, 1, 20'000) != 1) return "no answer in 20 s";
    } else if (const auto* bytes = std::get_if<ProcessOutput>(&**event)) {
      output += bytes->bytes;
    } else if (const auto* exited = std::get_if<protocol::Exited>(&**event)) {
      return output + "[" + std::to_string(exited->exit_code) + "]";
    }
  }
}

bool ManagerTest::Await(const std::string& which, SandboxState state) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    const auto view = manager().Get(me_, which);
    if (!view && state == SandboxState::kDestroyed) return true;
    if (view && view->state == state) return true;
    std::this_thread::sleep_for(Millis(5));
  }
  return false;
}

std::string ManagerTest::AwaitEvent(const std::string& type, const std::string& sandbox) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  uint64_t after = 0;
  while (std::chrono::steady_clock::now() < end) {
    const auto batch =
        server_.events->After(after, {.owner = {}, .sandbox = sandbox}, 100, Millis(500));
    for (const Event& event : batch.events)
      if (event.type == type) return event.reason;
    after = batch.last;
  }
  return "no such event";
}

size_t ManagerTest::CountEvents(const std::string& sandbox) {
  return server_.events->After(0, {.owner = {}, .sandbox = sandbox}, 1000, Millis(0)).events.size();
}

size_t ManagerTest::AwaitInEngine(size_t wanted) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  size_t count = 0;
  do {
    const auto list = server_.engine->List();
    EXPECT_TRUE(list);
    count = list ? list->size() : 999;
    if (count == wanted) return count;
    std::this_thread::sleep_for(Millis(5));
  } while (std::chrono::steady_clock::now() < end);
  return count;
}

}  // namespace cay::sandbox
