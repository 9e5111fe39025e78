// Resolver: the addresses of names, for connections that sandboxes are about to make. It asks the
// machine's own hosts file and name servers. One thread, in an EventLoop; never waits.
//
//   auto resolver = TRY(Resolver::Create(loop, {}));
//   ticket_ = resolver->Resolve("example.com", [this](Result<std::vector<Address>> addresses) { … });
//
// What it gives is not checked: which of the addresses may be dialled, the policy says. A name is
// asked for as it is, whatever resolv.conf says of search lists and dots. Names that are asked for
// at the same time share one question; an answer is kept as long as it says, at most a minute
// (kMaxHold), and that there is none five seconds. Both files are looked at again for a question
// when they were last looked at a second ago; when the name servers are others, nothing of the old
// ones' is used for new questions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/result.h"
#include "base/units.h"
#include "network/policy/address.h"
#include "network/resolver/dns_answer.h"

namespace cay::network {

struct ResolverOptions {
  static constexpr size_t kMaxPending = 16'384;
  static constexpr Millis kMaxTimeout{60'000};
  static constexpr size_t kMaxServers = 8;

  // "127.0.0.1:5353", "[::1]:53". Empty: the machine's.
  std::vector<std::string> servers{};
  Millis timeout{5000};       // of a question, whatever the name servers do
  size_t max_pending = 4096;  // questions without an answer
  std::string hosts_file = "/etc/hosts";
  std::string resolv_conf = "/etc/resolv.conf";
};

class Resolver {
 private:
  class Core;

 public:
  using Done = std::function<void(Result<std::vector<Address>>)>;
  using RecordsDone = std::function<void(Result<DnsAnswer>)>;

  static constexpr size_t kMaxAddresses = 64;
  static constexpr std::chrono::seconds kMaxHold{60};
  static constexpr std::chrono::seconds kNegativeHold{5};
  // Where one family was not answered for, and the other may soon not be all there is.
  static constexpr std::chrono::seconds kPartialHold{5};
  // How long addresses of one family, to which this machine has a way, wait for the other's.
  static constexpr Millis kOtherFamilyWait{500};

  // A question that was put: while the ticket lives, `done` may be called. Cancels when it is
  // destroyed or assigned to, also in `done` itself; it may outlive the Resolver. Empty: of none.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() { Cancel(); }

    // `done` is destroyed here. Nothing where it has been called, or is being called.
    void Cancel();

   private:
    friend class Resolver;
    Ticket(std::weak_ptr<Core> core, uint64_t id) : core_(std::move(core)), id_(id) {}

    std::weak_ptr<Core> core_;
    uint64_t id_ = 0;
  };

  // kInvalidArgument for options that make no sense; an error of a file that is there and cannot be
  // read. (Later such a file is a warning in the log, and what was known before stays.) The loop
  // outlives the Resolver.
  static Result<std::unique_ptr<Resolver>> Create(EventLoop& loop, const ResolverOptions& options);
  // No `done` is called any more.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `done` is called once, later, from the loop; it may do anything, even destroy the Resolver.
  // It gets at least one address and, of more, kMaxAddresses of both families, in the order in
  // which to try them (address_order.h). Errors:
  //   kInvalidArgument    an address, or what NormalName refuses
  //   kNotFound           the name does not exist, or has no address (then sys_errno is ENODATA)
  //   kUnavailable        the name servers (told by their addresses) do not answer, or with errors
  //   kResourceExhausted  max_pending questions wait already, or twice as many queries do of
  //                       questions that were cancelled; passes (Error::Busy)
  [[nodiscard]] Ticket Resolve(const std::string& name, Done done);

  // Records of another type than addresses, as a name server says them: the hosts file is not
  // asked, and nothing is kept. A name that does not exist, or has none, is an answer, too. Errors
  // as above, without kNotFound.
  [[nodiscard]] Ticket ResolveRecords(const std::string& name, QuestionType type, RecordsDone done);

 private:
  explicit Resolver(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  std::shared_ptr<Core> core_;
};

}  // namespace cay::network
