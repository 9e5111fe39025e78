// RelaySupply: the one relay process of a server: started when it is first needed, and another when
// it has ended.
//
//   const auto relay = TRY(supply.Get());          // the one that there is, or a new one
//   const auto done = relay->link.Close(id);
//   if (RelaySupply::HasEnded(done)) supply.Drop(*relay);
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/link/relay_link.h"
#include "network/relay/relay_process.h"

namespace cay::sandbox {

struct ServedRelay {
  ServedRelay(uint64_t a_number, network::RelayProcess process)
      : number(a_number), link(std::move(process.control)), pidfd(std::move(process.pidfd)) {}
  const uint64_t number;  // from 1: which of a server's relays it is
  network::RelayLink link;
  const Fd pidfd;
  std::mutex authority_mutex;
  std::string authority;  // the certificate of the one that it was given; empty: none
};

class RelaySupply {
 public:
  using Start = std::function<Result<network::RelayProcess>()>;
  static constexpr int kMaxChecks = 4;  // at the same time

  // Told of what a relay asks its controller for (RelayLink::TellDials).
  using OnDial = std::function<void(const std::weak_ptr<ServedRelay>& relay,
                                    const network::DialRequest& request)>;

  RelaySupply(Start start, OnDial on_dial)
      : start_(std::move(start)), on_dial_(std::move(on_dial)) {}

  // Of relays that are started from now on.
  void SetGreeting(network::HelloRequest greeting);
  Result<std::shared_ptr<ServedRelay>> Get();
  // Null: there is none.
  std::shared_ptr<ServedRelay> Current() const;
  // It does not answer any more: it is killed, where it lives, and its networks end with it.
  void Drop(const ServedRelay& relay);
  // What would become of a connection, as a relay says that is started for that alone and greeted
  // as all are. kResourceExhausted, of the machine: too many are under way.
  Result<network::Checked> Check(const network::CheckRequest& request);
  // No more is needed: it ends by itself, and its networks with it.
  void End();
  // How many have ended before their time.
  uint64_t lost() const { return lost_; }

  // Whether a call failed because the relay has ended, or hangs.
  static bool HasEnded(const Error& error);

 private:
  network::HelloRequest greeting(bool news) const;

  const Start start_;
  const OnDial on_dial_;
  std::mutex starting_;
  mutable std::mutex mutex_;
  std::shared_ptr<ServedRelay> current_;
  network::HelloRequest greeting_;
  uint64_t started_ = 0;  // with starting_
  std::atomic<uint64_t> lost_ = 0;
  std::atomic<int> checks_ = 0;  // under way
};

}  // namespace cay::sandbox
