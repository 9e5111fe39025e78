// KeeperFixture: a server's heart without its faces: the real engine, a store, the manager and the
// keeper of processes, in a directory of its own. Needs root; the test is skipped otherwise.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/native/native_engine.h"
#include "sandbox/events/event_log.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/processes/process_keeper.h"
#include "store/store.h"
#include "template/store/template_store.h"

namespace cay::testing {

// One server's life. Destroying it leaves the sandboxes as they are.
struct Heart {
  static Result<std::unique_ptr<Heart>> Open(const Paths& paths,
                                             const sandbox::KeeperOptions& options);

  std::unique_ptr<engine::native::NativeEngine> engine;
  std::unique_ptr<templates::TemplateStore> templates;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<sandbox::EventLog> events;
  std::unique_ptr<sandbox::Manager> manager;
  std::unique_ptr<sandbox::ProcessKeeper> keeper;
};

// What a process gave to one who read all of it.
struct Followed {
  std::string out;
  std::string err;
  std::vector<protocol::Gap> gaps;
  uint64_t next_seq = 0;
  int ends = 0;
  std::optional<sandbox::ProcessRecord> record;
  std::optional<Error> error;
};

// Reads to the end, at most for a minute; or until `enough`.
Followed Follow(sandbox::RunningProcess& process,
                const std::function<bool(const Followed&)>& enough = {});

// Waits until it holds; false after `patience`.
bool Soon(const std::function<bool()>& condition, Millis patience = Millis(20'000));

class KeeperFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  // The server ends, as if it were asked to, and another begins.
  void Restart();
  void Open();

  sandbox::SandboxView Create(const std::function<void(sandbox::SandboxSpec&)>& change = {});
  sandbox::Lease Use(const sandbox::SandboxView& view);
  // A line of the shell, in the foreground.
  Result<sandbox::Execution> Execute(const sandbox::Lease& lease, const std::string& line,
                                     Bytes max_output = kMiB);
  sandbox::ProcessRecord Get(const sandbox::SandboxView& view, uint64_t process);
  // Waits until it has ended.
  sandbox::ProcessRecord Ended(const sandbox::SandboxView& view, uint64_t process);
  size_t CountEvents(const std::string& type) const;

  static sandbox::ProcessSpec Shell(const std::string& line);

  static inline std::string directory_;
  static inline Paths paths_;
  sandbox::Caller caller_{.owner = "local", .admin = true};
  sandbox::KeeperOptions options_;
  std::unique_ptr<Heart> heart_;
};

}  // namespace cay::testing
