// RelayLink: the controller's end of a relay (messages.h).
//
//   RelayLink link(TRY(ForkRelay()));
//   TRY(link.Hello({.resolvers = …}));
//   TRY(link.Open(id, terms, std::move(sockets)));
//   const Flows flows = TRY(link.FlowsAfter(id, 0));
//   const auto networks = TRY(link.List());         // of one that another controller has left
//
// Each call waits for its answer, for at most kPatience (kTimeout). kUnavailable: the relay is
// gone, or did not answer an earlier call, and no call of this link succeeds any more. Thread-safe:
// one request at a time.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ipc/packet.h"
#include "network/link/messages.h"

namespace cay::network {

class RelayLink {
 public:
  static constexpr Millis kPatience{10'000};

  // Told of each kDial, by whichever thread receives it, with the link's lock: it must neither wait
  // nor call the link.
  using OnDial = std::function<void(network::DialRequest request)>;

  explicit RelayLink(Fd control) : control_(std::move(control)) {}

  // Before the first call.
  void TellDials(OnDial on_dial) { on_dial_ = std::move(on_dial); }

  Result<void> Hello(const HelloRequest& request);
  Result<void> SetAuthority(const AuthorityRequest& request, const std::vector<Fd>& trusted);
  // What these give is the file of the network's names: for Open at another relay, when this one
  // has ended, and for nothing else. Nothing: the relay has none, or this process may not open more
  // files.
  Result<std::optional<Fd>> Open(const SandboxId& sandbox, const Terms& terms, Sockets sockets);
  Result<std::optional<Fd>> SetTerms(const SandboxId& sandbox, const Terms& terms);
  Result<void> Close(const SandboxId& sandbox);
  Result<std::vector<Networks::Entry>> List();
  Result<Flows> FlowsAfter(const SandboxId& sandbox, uint64_t number, bool inbound = false);
  Result<void> Unpublish(const SandboxId& sandbox);
  Result<Checked> Check(const CheckRequest& request);
  // Of the package cache; nothing but zeros where there is none.
  Result<CacheCounts> Cache();
  // These have no answer.
  Result<void> Dialled(uint64_t number, const Result<Fd>& socket);
  Result<void> Relay(const RelayOrder& order, const Fd& outside, const Fd& inside);

  // Waits until the relay has news, has ended (kUnavailable), `wake` is readable or the time is
  // over. The sandboxes of which there are flows that were not asked for yet, each once. For one
  // thread, beside those that call.
  Result<std::set<std::string>> AwaitNews(int wake, Millis patience);

 private:
  Result<ipc::Packet> Exchange(MessageType type, std::string_view body, MessageType wanted,
                               const std::vector<const Fd*>& fds);
  // The same, of an answer without descriptors.
  Result<std::string> Call(MessageType type, std::string_view body, MessageType wanted,
                           const std::vector<const Fd*>& fds = {});
  // With the lock. Nothing: no packet came within the time.
  Result<std::optional<ipc::Packet>> Receive(Millis patience);
  Result<ipc::Packet> ReceiveAnswer();
  // Whether it is an answer to no request; then it was dealt with.
  bool NoteUnasked(const ipc::Packet& packet);
  Result<void> Tell(MessageType type, std::string_view body, const std::vector<const Fd*>& fds);

  std::mutex mutex_;
  Fd control_;
  bool gone_ = false;
  std::set<std::string> news_;
  OnDial on_dial_;
};

}  // namespace cay::network
