// Relays for tests of the server's heart.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <list>
#include <thread>

#include "network/relay/relay.h"
#include "network/relay/relay_process.h"

namespace cay::sandbox {

// Relays that are threads, and end as processes do.
class Relays {
 public:
  ~Relays() {
    for (One& one : all_) {
      End(one);
      one.thread.join();
    }
  }

  Result<network::RelayProcess> Start() {
    if (failing) return Failure(Error(ErrorCode::kIo, Fault::kMachine, "no process"));
    SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
    Pipe alive = TRY(MakePipe());
    One& one = all_.emplace_back(TRY(pair.second.Duplicate()));
    one.thread = std::thread([control = std::move(pair.second)]() mutable {
      auto relay = network::Relay::Create(std::move(control));
      if (relay) (void)(*relay)->Run();
    });
    ++started;
    return network::RelayProcess{.control = std::move(pair.first), .pidfd = std::move(alive.read)};
  }
  // As if it were killed.
  void EndLast() { End(all_.back()); }

  std::atomic<bool> failing = false;
  std::atomic<size_t> started = 0;

 private:
  struct One {
    explicit One(Fd a_control) : control(std::move(a_control)) {}
    Fd control;
    std::thread thread{};
  };
  static void End(const One& one) { ::shutdown(one.control.get(), SHUT_RDWR); }

  std::list<One> all_;
};

}  // namespace cay::sandbox
