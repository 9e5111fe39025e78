// The program that steers connections, run by the kernel with a made-up connection each
// (BPF_PROG_TEST_RUN): which socket it chooses.
#include "engine/native/network/lookup_program.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

uint64_t Pointer(const void* to) { return reinterpret_cast<uint64_t>(to); }

// Of this process's own network namespace: nothing is steered there, the kernel only says what
// would be.
class LookupProgramTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kNobody = 100;

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    bpf_attr map{};
    map.map_type = BPF_MAP_TYPE_SOCKMAP;
    map.key_size = map.value_size = sizeof(uint32_t);
    map.max_entries = kLookupSlots;
    auto made = sys::Bpf(BPF_MAP_CREATE, map, "map");
    if (!made) GTEST_SKIP() << made.error().ToString();
    map_ = Fd::Adopt(*made);
    const std::vector<bpf_insn> program = LookupProgram(map_->get());
    std::string log(65'536, '\0');
    bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_SK_LOOKUP;
    load.expected_attach_type = BPF_SK_LOOKUP;
    load.insns = Pointer(program.data());
    load.insn_cnt = static_cast<uint32_t>(program.size());
    load.license = Pointer("Apache-2.0");
    load.log_buf = Pointer(log.data());
    load.log_size = static_cast<uint32_t>(log.size());
    load.log_level = 1;
    auto loaded = sys::Bpf(BPF_PROG_LOAD, load, "program");
    ASSERT_TRUE(loaded) << log.c_str();
    program_ = Fd::Adopt(*loaded);
  }

  void Fill() {
    Put(LookupSlot::kTcpV4, AF_INET, SOCK_STREAM);
    Put(LookupSlot::kTcpV6, AF_INET6, SOCK_STREAM);
    Put(LookupSlot::kDnsV4, AF_INET, SOCK_DGRAM);
    Put(LookupSlot::kDnsV6, AF_INET6, SOCK_DGRAM);
  }

  struct Chosen {
    uint32_t verdict = kNobody;
    std::optional<size_t> slot;
  };
  Chosen Choose(int protocol, const char* to, uint16_t port, uint16_t from_port = 40'000) {
    bpf_sk_lookup context{};
    context.protocol = static_cast<uint32_t>(protocol);
    context.local_port = port;
    context.remote_port = ::htons(from_port);
    context.family = AF_INET;
    if (::inet_pton(AF_INET, to, &context.local_ip4) != 1) {
      context.family = AF_INET6;
      EXPECT_EQ(::inet_pton(AF_INET6, to, &context.local_ip6), 1) << to;
    }
    bpf_attr run{};
    run.test.prog_fd = static_cast<uint32_t>(program_->get());
    run.test.ctx_in = run.test.ctx_out = Pointer(&context);
    run.test.ctx_size_in = run.test.ctx_size_out = sizeof context;
    const auto ran = sys::Bpf(BPF_PROG_TEST_RUN, run, "running it");
    EXPECT_TRUE(ran) << ran.error().ToString();
    Chosen chosen{.verdict = run.test.retval, .slot = std::nullopt};
    for (size_t slot = 0; slot < cookies_.size(); ++slot)
      if (context.cookie != 0 && context.cookie == cookies_[slot]) chosen.slot = slot;
    return chosen;
  }

  void ExpectChosen(LookupSlot slot, int protocol, const char* to, uint16_t port) {
    const Chosen chosen = Choose(protocol, to, port);
    EXPECT_EQ(chosen.verdict, SK_PASS) << to << " " << port;
    EXPECT_EQ(chosen.slot, static_cast<size_t>(slot)) << to << " " << port;
  }
  void ExpectPassed(int protocol, const char* to, uint16_t port, uint16_t from_port = 40'000) {
    const Chosen chosen = Choose(protocol, to, port, from_port);
    EXPECT_EQ(chosen.verdict, SK_PASS) << to << " " << port;
    EXPECT_FALSE(chosen.slot) << to << " " << port;
  }

 private:
  void Put(LookupSlot slot, int family, int type) {
    const int raw = ::socket(family, type | SOCK_CLOEXEC, 0);
    if (raw < 0) GTEST_SKIP() << "the machine has no IPv6";
    sockets_.push_back(Fd::Adopt(raw));
    sockaddr_in6 address{};
    address.sin6_family = static_cast<sa_family_t>(family);
    const int on = 1;
    if (family == AF_INET6) ::setsockopt(raw, SOL_IPV6, IPV6_V6ONLY, &on, sizeof on);
    ASSERT_EQ(::bind(raw, reinterpret_cast<const sockaddr*>(&address),
                     family == AF_INET ? sizeof(sockaddr_in) : sizeof address),
              0);
    if (type == SOCK_STREAM) {
      ASSERT_EQ(::listen(raw, 1), 0);
    }
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    ASSERT_EQ(::getsockopt(raw, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
    cookies_.at(static_cast<size_t>(slot)) = cookie;
    const auto key = static_cast<uint32_t>(slot);
    const auto value = static_cast<uint32_t>(raw);
    bpf_attr update{};
    update.map_fd = static_cast<uint32_t>(map_->get());
    update.key = Pointer(&key);
    update.value = Pointer(&value);
    const auto put = sys::Bpf(BPF_MAP_UPDATE_ELEM, update, "putting");
    ASSERT_TRUE(put) << put.error().ToString();
  }

  std::optional<Fd> map_;
  std::optional<Fd> program_;
  std::vector<Fd> sockets_;
  std::array<uint64_t, kLookupSlots> cookies_{};
};

TEST_F(LookupProgramTest, ConnectionsToOtherAddressesAreSteeredAndThoseToTheSandboxsOwnAreNot) {
  Fill();
  for (const char* other : {"0.0.0.1", "1.1.1.1", "10.200.0.1", "10.200.0.3", "126.255.255.255",
                            "128.0.0.0", "169.254.169.254", "203.0.113.9", "255.255.255.254"}) {
    for (const uint16_t port : {uint16_t{1}, uint16_t{53}, uint16_t{443}, uint16_t{65'535}})
      ExpectChosen(LookupSlot::kTcpV4, IPPROTO_TCP, other, port);
    ExpectPassed(IPPROTO_UDP, other, 443);
  }
  for (const char* own : {"127.0.0.0", "127.0.0.1", "127.255.255.255", "10.200.0.2"}) {
    ExpectPassed(IPPROTO_TCP, own, 443);
    ExpectPassed(IPPROTO_TCP, own, 54);
    ExpectPassed(IPPROTO_UDP, own, 52);
  }
}

TEST_F(LookupProgramTest, SoItIsOverIpv6) {
  Fill();
  for (const char* other :
       {"2001:db8::1", "::2", "::1:0:1", "0:0:1::1", "1::1", "fd00:ca1::1", "fd00:ca1::3",
        "fd00:ca1::1:0:2", "fd00:ca1:0:1::2", "fd00:ca2::2", "fe80::1", "::ffff:126.255.255.255",
        "::ffff:128.0.0.1", "::fffe:127.0.0.1", "::1:ffff:7f00:1", "::127.0.0.1",
        "64:ff9b::7f00:1"}) {
    ExpectChosen(LookupSlot::kTcpV6, IPPROTO_TCP, other, 443);
    ExpectPassed(IPPROTO_UDP, other, 443);
  }
  for (const char* own : {"::1", "fd00:ca1::2", "::ffff:127.0.0.1", "::ffff:127.255.255.255"})
    ExpectPassed(IPPROTO_TCP, own, 443);
}

TEST_F(LookupProgramTest, NamesAreSteeredWhateverTheAddressUnlessTheyComeFromPort53) {
  Fill();
  for (const char* server : {"8.8.8.8", "127.0.0.1", "127.0.0.53", "10.200.0.2", "10.200.0.3"}) {
    ExpectChosen(LookupSlot::kDnsV4, IPPROTO_UDP, server, 53);
    ExpectChosen(LookupSlot::kTcpV4, IPPROTO_TCP, server, 53);
    ExpectPassed(IPPROTO_UDP, server, 53, /*from_port=*/53);
  }
  for (const char* server : {"2001:4860:4860::8888", "::1", "fd00:ca1::2", "::ffff:127.0.0.1"}) {
    ExpectChosen(LookupSlot::kDnsV6, IPPROTO_UDP, server, 53);
    ExpectChosen(LookupSlot::kTcpV6, IPPROTO_TCP, server, 53);
    ExpectPassed(IPPROTO_UDP, server, 53, /*from_port=*/53);
  }
}

TEST_F(LookupProgramTest, WithoutSocketsWhatIsSteeredIsRefused) {
  for (const char* other : {"203.0.113.9", "2001:db8::1"}) {
    EXPECT_EQ(Choose(IPPROTO_TCP, other, 443).verdict, SK_DROP);
    EXPECT_EQ(Choose(IPPROTO_UDP, other, 53).verdict, SK_DROP);
    EXPECT_EQ(Choose(IPPROTO_UDP, other, 443).verdict, SK_PASS);
  }
  EXPECT_EQ(Choose(IPPROTO_TCP, "127.0.0.1", 443).verdict, SK_PASS);
}

}  // namespace
}  // namespace cay::engine::native
