// The cases: each measures one thing, beside its peers, and writes its sections of the report.
// One file a case, <name>_case.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "report.h"
#include "subjects/island.h"
#include "subjects/peers.h"

namespace cay::bench {

struct Context {
  Island& island;
  const WorkDirectory& work;
  std::string cay;      // the program, for what is measured as a whole process
  bool docker = false;  // Docker among the peers
  int rounds = 200;
  std::string go_judge;  // URL of one that runs, a peer; empty: none
  std::string before;    // an earlier `cay`, to compare with; empty: none
  std::string probe;     // cay-bench-probe
  Report& report;
};

Result<void> MeasureCreate(Context& context);    // create, exec, destroy; with bubblewrap, runc …
Result<void> MeasureExec(Context& context);      // in a live sandbox, beside vfork on the host
Result<void> MeasureParallel(Context& context);  // a hundred creates at once
Result<void> MeasureMemory(Context& context);    // five hundred idle sandboxes
Result<void> MeasureStream(Context& context);    // output, beside a pipe and a socket

// Over HTTP, each with a server of its own.
Result<void> MeasureHttpLatency(Context& context);  // what one client waits for
Result<void> MeasureHttpLoad(Context& context);     // many at once
Result<void> MeasureHttpQueue(Context& context);    // cycles, bursts, what waits behind creates
Result<void> MeasureHttpBytes(Context& context);    // output and files
Result<void> MeasureHttpIdle(Context& context);     // 500 sandboxes: memory, and a restart

Result<void> MeasureSnapshot(Context& context);  // taking one, and creating from it

// Networks of sandboxes.
Result<void> MeasureNetworkSpeed(Context& context);   // beside slirp4netns, pasta, Docker's bridge
Result<void> MeasureNetworkCreate(Context& context);  // with a network, and what none costs
Result<void> MeasureNetworkMemory(Context& context);  // thousands of idle connections

struct Case {
  std::string_view name;
  Result<void> (*measure)(Context&);
};
std::span<const Case> AllCases();

}  // namespace cay::bench
