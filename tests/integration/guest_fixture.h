// GuestFixture: a real cay-guest as PID 1 of namespaces of its own, without an engine: enough for
// everything between GuestChannel and the guest. Needs root; the test is skipped otherwise.
//
// The sandbox sees the machine's files (its user namespace maps ids to a range of nobody's), its
// own /proc and /dev/pts, and has the engine's system call filter.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/testing/test_eventually.h"
#include "guest_link/guest_channel.h"
#include "protocol/process_messages.h"

namespace cay::testing {

// A guest that runs until this goes away.
class RunningGuest {
 public:
  static Result<std::unique_ptr<RunningGuest>> Start();
  ~RunningGuest();
  RunningGuest(const RunningGuest&) = delete;
  RunningGuest& operator=(const RunningGuest&) = delete;

  Result<Fd> Connect() const;
  GuestChannel Channel() const;
  bool Alive() const;
  pid_t pid() const { return pid_; }

 private:
  RunningGuest(std::string directory, pid_t pid) : directory_(std::move(directory)), pid_(pid) {}
  std::string directory_;
  pid_t pid_;
};

// What came of a process, all of it in memory.
struct Outcome {
  std::optional<protocol::Started> started;
  std::string out;
  std::string err;
  std::vector<protocol::Gap> gaps;
  std::optional<protocol::Exited> exited;
  std::optional<Error> error;
  uint64_t end_seq = 0;
};

// Reads until the end, feeding `input` (and then closing stdin) on the way; the test fails after
// `patience`.
Outcome Finish(ProcessStream& stream, std::string_view input = {},
               Millis patience = Millis(60'000));

// Reads until `done` holds for what has come so far.
Outcome ReadUntil(ProcessStream& stream, const std::function<bool(const Outcome&)>& done,
                  Millis patience = Millis(20'000));

inline bool HasStarted(const Outcome& outcome) { return outcome.started.has_value(); }
inline bool HasExited(const Outcome& outcome) { return outcome.exited.has_value(); }

// A request for `sh -c script`, as uid 1000 with a usual PATH.
protocol::StartRequest Shell(const std::string& script);

class GuestFixture : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  Outcome Run(const protocol::StartRequest& request, std::string_view input = {});

  std::unique_ptr<RunningGuest> guest_;
  std::optional<GuestChannel> channel_;
};

}  // namespace cay::testing
