// Dialer: one TCP connection to the first of some addresses that takes it, tried one after the
// other a quarter of a second apart (RFC 8305), the families in turns.
//
//   Dialer dialer(loop, deadlines, addresses, 443, [](Result<Dialer::Dialled> dialled) { … });
//   dialer.Start();
//
// `done` is called once, in Start or later from the loop, and not after the destructor. It may
// destroy the dialer.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "network/policy/address.h"
#include "network/transfer/deadlines.h"

namespace cay::network {

class Dialer {
 public:
  static constexpr size_t kMaxAddresses = 8;  // tried of those that a name has
  static constexpr Millis kPatience{10'000};
  static constexpr Millis kStagger{250};

  struct Dialled {
    Fd socket;  // connected, non-blocking
    Address address;
  };
  using Done = std::function<void(Result<Dialled>)>;

  Dialer(EventLoop& loop, Deadlines& deadlines, const std::vector<Address>& addresses,
         uint16_t port, Done done);
  ~Dialer();
  void Start();
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

 private:
  class Attempt;
  void TryNext();
  void Ended(Attempt& attempt, Result<void> connected);
  void Finish(Result<Dialled> dialled);
  void LetGo();

  EventLoop& loop_;
  std::vector<Address> addresses_;  // in the order in which they are tried
  const uint16_t port_;
  Done done_;
  size_t next_ = 0;
  std::list<std::unique_ptr<Attempt>> attempts_;
  std::optional<Error> last_;
  Deadline stagger_;
  Deadline patience_;
};

// For connect(2) and the like: `space` holds it.
struct SocketAddress {
  SocketAddress(const Address& address, uint16_t port);
  sockaddr_storage space{};
  socklen_t size = 0;
};
// An IPv4 address that is written as an IPv6 one is the IPv4 address.
Address AddressOf(const sockaddr_storage& space);
uint16_t PortOf(const sockaddr_storage& space);

}  // namespace cay::network
