#include "network/relay/peer_dials.h"

namespace cay::network {

PeerDials::Ticket PeerDials::Dial(const std::string& from, const std::string& to, uint16_t port,
                                  Done done) {
  const uint64_t number = ++last_;
  const auto asked = ask_({.number = number, .from = from, .to = to, .port = port});
  if (!asked) {
    done(Failure(asked.error()));
    return {};
  }
  const auto too_late = [this, number] {
    Answered(number, Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                                   "the server did not connect to the other sandbox within " +
                                       FormatDuration(kPatience))));
  };
  auto pending = std::make_unique<Pending>(deadlines_, too_late, std::move(done));
  pending->late.Set(kPatience);
  pending_.emplace(number, std::move(pending));
  return {*this, number};
}

void PeerDials::Answered(uint64_t number, Result<Fd> socket) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;
  const auto pending = std::move(found->second);
  pending_.erase(found);
  if (socket) {
    if (auto set = SetNonBlocking(*socket, true); !set) socket = Failure(std::move(set).error());
  }
  pending->done(std::move(socket));
}

// What is told may give up others.
void PeerDials::FailAll(const Error& error) {
  while (!pending_.empty()) Answered(pending_.begin()->first, Failure(error));
}

}  // namespace cay::network
