#include "engine/native/network/every_address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>
#include <string>

#include "base/os/sys.h"
#include "engine/engine.h"
#include "engine/native/network/netlink.h"

namespace cay::engine::native {
namespace {

constexpr uint32_t kLoopbackIndex = 1;  // include/net/flow.h: in each namespace
constexpr uint16_t kMake = NLM_F_CREATE | NLM_F_EXCL;

struct Family {
  int number;
  const char* name;
  const char* own;
  uint8_t bits;
};
constexpr Family kV4 = {AF_INET, "IPv4", NetworkSockets::kOwnV4, 32};
constexpr Family kV6 = {AF_INET6, "IPv6", NetworkSockets::kOwnV6, 128};

// One address, and through it the way to all of them. Without `src` a program that asks which
// address is its own would be told the one that it connects to.
void AddFamily(NetlinkMessages& messages, const Family& family) {
  in6_addr bytes{};
  ::inet_pton(family.number, family.own, &bytes);
  const std::string_view own(reinterpret_cast<const char*>(&bytes), family.bits / 8);
  const std::string name(family.name);

  ifaddrmsg address{};
  address.ifa_family = static_cast<uint8_t>(family.number);
  address.ifa_prefixlen = family.bits;
  address.ifa_flags = IFA_F_PERMANENT | IFA_F_NODAD;
  address.ifa_scope = RT_SCOPE_UNIVERSE;
  address.ifa_index = kLoopbackIndex;
  messages.Begin(RTM_NEWADDR, kMake, address, "giving lo an address of " + name);
  messages.Put(IFA_LOCAL, own);
  messages.Put(IFA_ADDRESS, own);
  messages.End();

  rtmsg route{};
  route.rtm_family = static_cast<uint8_t>(family.number);
  route.rtm_table = RT_TABLE_LOCAL;  // where the kernel looks whether it may answer as an address
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_HOST;
  route.rtm_type = RTN_LOCAL;
  messages.Begin(RTM_NEWROUTE, kMake, route, "making every address of " + name + " local");
  messages.Put32(RTA_OIF, kLoopbackIndex);
  messages.Put(RTA_PREFSRC, own);
  messages.End();
}

// Where /proc/sys cannot be written to, pings are answered.
Result<void> IgnorePings(const char* file) {
  const auto setting = sys::OpenAt(AT_FDCWD, file, O_WRONLY);
  if (setting) TRY(sys::Write(*setting, "1", file));
  return {};
}

}  // namespace

Result<void> CheckLeadsNowhere() {
  const int raw = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("opening a socket"));
  const Fd socket = Fd::Adopt(raw);
  struct NamesFreer {
    void operator()(struct if_nameindex* names) const { ::if_freenameindex(names); }
  };
  const std::unique_ptr<struct if_nameindex, NamesFreer> names(::if_nameindex());
  if (!names) return Failure(Error::FromErrno("listing interfaces"));
  for (const auto* each = names.get(); each->if_index != 0; ++each) {
    if (each->if_index == kLoopbackIndex) continue;
    ifreq request{};
    std::strncpy(request.ifr_name, each->if_name, IFNAMSIZ - 1);
    TRY(sys::Ioctl(socket, SIOCGIFFLAGS, &request, "asking for the state of an interface"));
    if ((request.ifr_flags & IFF_UP) == 0) continue;
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "the network to be opened has an interface: it is no sandbox's"));
  }
  return {};
}

bool HasIpv6() {
  const int raw = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return false;
  const Fd socket = Fd::Adopt(raw);
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  return ::bind(raw, reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0;
}

Result<void> MakeEveryAddressLocal(bool ipv6) {
  NetlinkMessages messages;
  AddFamily(messages, kV4);
  if (ipv6) AddFamily(messages, kV6);
  TRY(IgnorePings("/proc/sys/net/ipv4/icmp_echo_ignore_all"));
  if (ipv6) TRY(IgnorePings("/proc/sys/net/ipv6/icmp/echo_ignore_all"));
  const auto refusal = TRY(Ask(TRY(OpenNetlink(NETLINK_ROUTE)), messages, {EEXIST}));
  if (refusal) return Failure(refusal->ToError());
  return {};
}

}  // namespace cay::engine::native
