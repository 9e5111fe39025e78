// The table `process`: what is remembered of the processes of each sandbox. Functions for works of
// the store (store/store.h). Rows are written behind: what runs is the guest's to say.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/processes/process_types.h"
#include "store/database.h"

namespace cay::sandbox {

// A record, and what a server that takes over needs beside it.
struct ProcessRow {
  ProcessRecord record;
  uint64_t guest_process = 0;   // its name for its guest; record.id goes on over stop and start
  int64_t life_started_ms = 0;  // of its guest: SandboxView::started_unix_ms
  bool kill_leftovers = false;
  int64_t kill_grace_ms = 0;  // rows of 0.1.0 have none
  uint64_t oom_kills_before = 0;
};

// The last number given in a sandbox, and to which guest it belonged.
struct LastProcess {
  uint64_t id = 0;
  uint64_t guest_process = 0;
  int64_t life_started_ms = 0;
};

namespace process_table {

Result<void> Put(store::Database& db, const ProcessRow& row);
// All but the newest `keep` that ended.
Result<void> Forget(store::Database& db, const std::string& sandbox, size_t keep);
Result<void> ForgetSandbox(store::Database& db, const std::string& sandbox);
Result<void> ForgetUnknownSandboxes(store::Database& db);

Result<std::optional<ProcessRow>> Find(store::Database& db, const std::string& sandbox,
                                       uint64_t id);
// Newest first.
Result<std::vector<ProcessRow>> OfSandbox(store::Database& db, const std::string& sandbox,
                                          size_t limit);
// Everybody's that are written down as running.
Result<std::vector<ProcessRow>> Running(store::Database& db);
Result<std::map<std::string, LastProcess>> LastOfEach(store::Database& db);

}  // namespace process_table
}  // namespace cay::sandbox
