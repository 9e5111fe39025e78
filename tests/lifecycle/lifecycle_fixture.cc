#include "lifecycle_fixture.h"

#include <stdlib.h>

#include <filesystem>

#include "sandbox/records/sandbox_table.h"
#include "template/store/test_sandboxes.h"

namespace cay::sandbox {

using store::Database;

void PrintTo(const Standings& standings, std::ostream* out) {
  *out << "admitted " << standings.admitted << ", memory " << standings.memory << ", disk "
       << standings.disk;
  const auto print = [&](const char* what, const auto& entries) {
    *out << "; " << what;
    for (const auto& [id, text] : entries) *out << " [" << id << " " << text << "]";
  };
  print("owners", standings.owners);
  print("registered", standings.registered);
  print("rows", standings.rows);
  print("engine", standings.engine);
}

Heart::Heart(const ManagerOptions& options, FakeEngine& engine, templates::TemplateStore& templates,
             store::Store& store, EventLog& events)
    : core(options, engine, templates, store, events),
      transitions(core),
      visits(core),
      sweeper(core, transitions),
      pools(core),
      creator(core, pools) {
  // The test does what they would say.
  core.watch = *GuestWatch::Start([](const SandboxId&) { return true; });
  core.timer = std::make_unique<Timer>(Millis(60'000), [](const SandboxId&) {}, [] {});
}

Heart::~Heart() {
  pools.Stop();
  core.timer->Stop();
  core.watch->Stop();
  (void)core.store.Flush();
}

void LifecycleTest::SetUpTestSuite() {
  templates_directory_ = ::testing::TempDir() + "cay-lifecycle-templates-XXXXXX";
  ASSERT_NE(::mkdtemp(templates_directory_.data()), nullptr);
  const std::string root = templates_directory_ + "/root";
  std::filesystem::create_directories(root + "/usr/bin");
  auto store = templates::TemplateStore::Open(
      {templates_directory_ + "/state", templates_directory_ + "/run"}, templates::NoSandboxes);
  ASSERT_TRUE(store) << store.error().ToString();
  templates_ = *std::move(store);
  const auto imported = templates_->Import("small", root, {});
  ASSERT_TRUE(imported) << imported.error().ToString();
}

void LifecycleTest::TearDownTestSuite() {
  templates_.reset();
  std::filesystem::remove_all(templates_directory_);
}

LifecycleTest::LifecycleTest() {
  directory_ = ::testing::TempDir() + "cay-lifecycle-XXXXXX";
  if (::mkdtemp(directory_.data()) == nullptr) std::abort();
  options_.paths = {.state_dir = directory_, .run_dir = directory_};
  options_.max_timeout = options_.max_idle_timeout = Millis(0);  // any, and none
  options_.default_template = "small";
  options_.default_limits.memory = 64 * kMiB;
  options_.default_limits.disk = 32 * kMiB;
  options_.max_limits = options_.default_limits;
  options_.max_limits.memory = 256 * kMiB;
  if (!Open()) std::abort();
}

LifecycleTest::~LifecycleTest() {
  Close();
  std::filesystem::remove_all(directory_);
}

void LifecycleTest::Close() {
  held_.clear();
  heart_.reset();
  events_.reset();
  store_.reset();
  engine_.reset();
}

Result<ReconcileReport> LifecycleTest::Open() {
  if (!engine_) engine_ = std::make_unique<FakeEngine>(machine_, engine_options_);
  if (!store_) store_ = TRY(store::Store::Open(options_.paths));
  if (!events_) events_ = TRY(EventLog::Open(*store_));
  heart_ = std::make_unique<Heart>(options_, *engine_, *templates_, *store_, *events_);
  if (relays_from_) {
    core().networks = std::make_unique<NetworkKeeper>(*engine_, *events_, core().secrets,
                                                      options_.network, *relays_from_);
  }
  core().OnGuestGone([this](const SandboxId& id, const GuestEnd& end) {
    gone_.emplace_back(id.text(), end.reason);
  });
  return Reconcile(core());
}

Result<ReconcileReport> LifecycleTest::Restart() {
  Close();
  return Open();
}

Sandbox& LifecycleTest::Create(const SandboxSpec& spec) {
  const auto view = TryCreate(spec);
  if (!view) {
    ADD_FAILURE() << view.error().ToString();
    std::abort();
  }
  return Get(view->id);
}

Sandbox& LifecycleTest::Get(const SandboxId& id) {
  const auto sandbox = core().registry.Find(id.text());
  if (!sandbox) {
    ADD_FAILURE() << "there is no sandbox " << id.text();
    std::abort();
  }
  held_.push_back(sandbox);
  return *sandbox;
}

Standings LifecycleTest::Take() {
  Standings standings;
  const AdmissionCounts counts = core().admission.counts();
  standings.admitted = counts.sandboxes;
  standings.owners = counts.owners;
  standings.memory = counts.held.memory;
  standings.disk = counts.held.disk;
  for (const auto& sandbox : core().registry.All()) {
    const SandboxView view = sandbox->View();
    standings.registered[view.id.text()] =
        std::string(SandboxStateName(view.state)) + " " + view.spec.name;
  }
  EXPECT_TRUE(store_->Flush());
  EXPECT_TRUE(store_->Read([&](Database& db) -> Result<void> {
    for (const StoredSandbox& stored : TRY(LoadSandboxes(db))) {
      const SandboxView& view = stored.record.view;
      standings.rows[view.id.text()] = std::string(SandboxStateName(view.state)) + " " +
                                       view.spec.name + (stored.destroying ? " destroying" : "");
    }
    return {};
  }));
  const std::lock_guard lock(machine_->mutex);
  for (const auto& [id, sandbox] : machine_->sandboxes)
    standings.engine[id.text()] = engine::StateName(sandbox.state);
  return standings;
}

void LifecycleTest::FailRows() {
  ASSERT_TRUE(store_->Write([](Database& db) -> Result<void> {
    for (const char* what : {"INSERT", "UPDATE"}) {
      TRY(db.Execute(std::string("CREATE TRIGGER fail_") + what + " BEFORE " + what +
                     " ON sandbox BEGIN SELECT RAISE(ABORT, 'the test says so'); END"));
    }
    return {};
  }));
}

void LifecycleTest::AllowRows() {
  ASSERT_TRUE(store_->Write([](Database& db) -> Result<void> {
    for (const char* what : {"INSERT", "UPDATE"})
      TRY(db.Execute(std::string("DROP TRIGGER fail_") + what));
    return {};
  }));
}

}  // namespace cay::sandbox
