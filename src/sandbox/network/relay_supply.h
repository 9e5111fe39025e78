// RelaySupply: the one relay process of a server: the one that the server before has left, or
// started when it is first needed, and another when it has ended.
//
//   supply.TakeOver();                             // at the start
//   const auto relay = TRY(supply.Get());          // the one that there is, or a new one
//   const auto done = relay->link.Close(id);
//   if (RelaySupply::HasEnded(done)) supply.Drop(*relay);
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/link/relay_link.h"
#include "network/relay/relay_process.h"

namespace cay::sandbox {

class ServedRelay {
 public:
  ServedRelay(uint64_t a_number, network::RelayProcess process)
      : number(a_number), link(std::move(process.control)), pidfd(std::move(process.pidfd)) {}
  const uint64_t number;  // from 1: which of a server's relays it is
  network::RelayLink link;
  const Fd pidfd;

  std::mutex authority_mutex;
  std::string authority;  // the certificate of the one that it was given; empty: none

  // The networks that it had when it was taken over, by their sandboxes, each until it is claimed.
  void Leave(std::vector<network::Networks::Entry> networks);
  std::optional<network::Networks::Entry> Claim(const std::string& sandbox);
  std::vector<std::string> Unclaimed() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, network::Networks::Entry> left_;
};

// One that serves networks outlives its server; one that makes a check does not.
enum class RelayUse : uint8_t { kServing, kChecking };

// Where relays come from. `find`: the one that the server before has left, once; nothing: there is
// none. Where it is empty there never is.
struct RelaySource {
  std::function<Result<network::RelayProcess>(RelayUse use)> start;
  std::function<Result<std::optional<network::RelayProcess>>()> find{};
};
// This program's file, and the door in that directory.
RelaySource RelaysOf(const std::string& state_dir, bool cache = false);

class RelaySupply {
 public:
  static constexpr int kMaxChecks = 4;  // at the same time
  // How long one that was killed is waited for.
  static constexpr Millis kEndPatience{2000};

  // Told of what a relay asks its controller for (RelayLink::TellDials).
  using OnDial = std::function<void(const std::weak_ptr<ServedRelay>& relay,
                                    const network::DialRequest& request)>;

  RelaySupply(RelaySource source, OnDial on_dial)
      : source_(std::move(source)), on_dial_(std::move(on_dial)) {}

  // Of relays that are started from now on.
  void SetGreeting(network::HelloRequest greeting);
  // The relay of the server before serves here from now on, if there is one and it can: otherwise
  // it is killed, and that is logged.
  void TakeOver();
  Result<std::shared_ptr<ServedRelay>> Get();
  // Null: there is none.
  std::shared_ptr<ServedRelay> Current() const;
  // It does not answer any more: it is killed, where it lives, and its networks end with it.
  void Drop(const ServedRelay& relay);
  // What would become of a connection, as a relay says that is started for that alone and greeted
  // as all are. kResourceExhausted, of the machine: too many are under way.
  Result<network::Checked> Check(const network::CheckRequest& request);
  // This server needs it no more: it goes on, for the next one, or ends by itself.
  void End();
  // How many have ended before their time.
  uint64_t lost() const { return lost_; }

  // Whether a call failed because the relay has ended, or hangs.
  static bool HasEnded(const Error& error);

 private:
  network::HelloRequest greeting(bool news) const;
  std::shared_ptr<ServedRelay> Number(network::RelayProcess process);
  Result<void> TakeOver(ServedRelay& relay);
  void SetCurrent(std::shared_ptr<ServedRelay> relay);

  const RelaySource source_;
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
