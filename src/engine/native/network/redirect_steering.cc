#include "engine/native/network/redirect_steering.h"

#include <linux/netlink.h>

#include <string>

#include "engine/native/network/netlink.h"
#include "engine/native/network/policy_sockets.h"
#include "engine/native/network/redirect_rules.h"

namespace cay::engine::native {
namespace {

Error NotSupported(const Error& error) {
  Error missing(ErrorCode::kNotSupported, Fault::kMachine, error.message());
  missing.set_sys_errno(error.sys_errno());
  return std::move(missing).WithRemedy(
      "use a kernel with nf_tables and nft_nat, and load them: modprobe -a nft_chain_nat nft_nat");
}

// A table that somebody owns says EPERM, too; for want of rights the first message does, which
// begins the batch.
Error Classified(const Refusal& refusal) {
  const bool is_there =
      refusal.sys_errno == EEXIST || (refusal.sys_errno == EPERM && refusal.number > 0);
  if (is_there)
    return {ErrorCode::kIllegalState, Fault::kCaller, "the sandbox's network is open already"};
  switch (refusal.sys_errno) {
    case ENOENT:      // a type of chain, an expression
    case EOPNOTSUPP:  // nf_tables as a whole, a flag
    case EPERM:
      return NotSupported(refusal.ToError());
    default:
      return refusal.ToError();
  }
}

Result<RedirectPorts> PortsOf(const Fd& tcp, const Fd& dns) {
  const uint16_t tcp_port = TRY(PortOf(tcp));
  const uint16_t dns_port = TRY(PortOf(dns));
  return RedirectPorts{.tcp = tcp_port, .dns = dns_port};
}

}  // namespace

Result<Fd> SteerByRedirect(const NetworkSockets& sockets) {
  const RedirectPorts v4 = TRY(PortsOf(*sockets.tcp_v4, *sockets.dns_udp_v4));
  std::optional<RedirectPorts> v6;
  if (sockets.tcp_v6) v6 = TRY(PortsOf(*sockets.tcp_v6, *sockets.dns_udp_v6));
  auto socket = OpenNetlink(NETLINK_NETFILTER);
  if (!socket && socket.error().sys_errno() == EPROTONOSUPPORT)
    return Failure(NotSupported(socket.error()));
  if (!socket) return socket;
  const auto refusal = TRY(Ask(*socket, RedirectRules(v4, v6)));
  if (refusal) return Failure(Classified(*refusal));
  return socket;
}

}  // namespace cay::engine::native
