// PeerDials: connections to ports of other sandboxes, which the relay cannot make itself: its
// controller is asked, and answers with a socket or with why there is none.
//
//   ticket = dials.Dial(from, to, 5432, [this](Result<Fd> socket) { … });
//   ticket.Cancel();                                    // nobody wants it any more
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "network/link/messages.h"
#include "network/transfer/deadlines.h"

namespace cay::network {

class PeerDials {
 public:
  // The controller has less: what it has not answered by then it will not.
  static constexpr Millis kPatience{15'000};

  using Done = std::function<void(Result<Fd> socket)>;
  using Ask = std::function<Result<void>(const DialRequest& request)>;

  class Ticket {
   public:
    Ticket() = default;
    Ticket(PeerDials& dials, uint64_t number) : dials_(&dials), number_(number) {}
    Ticket(Ticket&& other) noexcept : dials_(std::exchange(other.dials_, nullptr)) {
      number_ = other.number_;
    }
    Ticket& operator=(Ticket&& other) noexcept {
      Cancel();
      dials_ = std::exchange(other.dials_, nullptr);
      number_ = other.number_;
      return *this;
    }
    ~Ticket() { Cancel(); }
    void Cancel() {
      if (dials_ != nullptr) std::exchange(dials_, nullptr)->pending_.erase(number_);
    }

   private:
    PeerDials* dials_ = nullptr;
    uint64_t number_ = 0;
  };

  PeerDials(Deadlines& deadlines, Ask ask) : deadlines_(deadlines), ask_(std::move(ask)) {}

  // `done` is called once, in it or later from the loop, and never after the ticket was cancelled.
  Ticket Dial(const std::string& from, const std::string& to, uint16_t port, Done done);
  // The controller's answer. One to a dial that nobody waits for is dropped.
  void Answered(uint64_t number, Result<Fd> socket);
  // The controller has ended: none is answered any more.
  void FailAll(const Error& error);

 private:
  struct Pending {
    Pending(Deadlines& deadlines, std::function<void()> due, Done its_done)
        : done(std::move(its_done)), late(deadlines, std::move(due)) {}
    Done done;
    Deadline late;
  };

  Deadlines& deadlines_;
  Ask ask_;
  uint64_t last_ = 0;
  std::map<uint64_t, std::unique_ptr<Pending>> pending_;
};

}  // namespace cay::network
