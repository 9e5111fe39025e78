// A server without its face: engine, store, events and manager over a state directory of the test's
// own, that can be closed and opened again.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/native/native_engine.h"
#include "sandbox/lifecycle/manager.h"
#include "store/store.h"
#include "template/store/template_store.h"

namespace cay::sandbox {

// In the order in which they are made.
struct Server {
  std::unique_ptr<engine::native::NativeEngine> engine;
  std::unique_ptr<templates::TemplateStore> templates;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<EventLog> events;
  std::unique_ptr<Manager> manager;
};

class ManagerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  static Result<Server> OpenServer(const ManagerOptions& options);
  void Open();   // with options_
  void Close();  // the sandboxes live on
  void Reopen() {
    Close();
    Open();
  }

  Manager& manager() { return *server_.manager; }
  SandboxView Create(const SandboxSpec& spec = {});
  // Runs a shell line to its end; its output and exit code, or what went wrong.
  std::string Run(const std::string& which, const std::string& line, const std::string& user = {});
  // Waits for the sandbox to be gone or in a state; whether it came.
  bool Await(const std::string& which, SandboxState state);
  // The reason of the first event of that type.
  std::string AwaitEvent(const std::string& type, const std::string& sandbox);
  // How many events there are of it.
  size_t CountEvents(const std::string& sandbox);
  // How many the engine has, once it is so many: a destroyed one's directory goes a moment later.
  size_t AwaitInEngine(size_t wanted);

  static inline Paths paths_;
  const Caller me_{.owner = "me", .admin = false};
  ManagerOptions options_;
  Server server_;
};

}  // namespace cay::sandbox
