#include "engine/native/network/lookup_steering.h"

#include <fcntl.h>
#include <linux/bpf.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/os/sys.h"
#include "engine/native/network/lookup_program.h"

namespace cay::engine::native {
namespace {

constexpr const char* kLicense = "Apache-2.0";
constexpr char kName[] = "cay_network";
static_assert(sizeof kName <= BPF_OBJ_NAME_LEN);

uint64_t Pointer(const void* to) { return reinterpret_cast<uint64_t>(to); }

// What is not there for this user, or in this kernel, is no error of the program's.
Error Classified(Error error) {
  const int number = error.sys_errno();
  if (number != EPERM && number != ENOSYS) return error;
  Error classified(ErrorCode::kNotSupported, Fault::kMachine, error.message());
  classified.set_sys_errno(number);
  return classified;
}

Result<Fd> Bpf(bpf_cmd command, bpf_attr& attributes, std::string_view what) {
  auto made = sys::Bpf(command, attributes, what);
  if (!made) return Failure(Classified(std::move(made).error()));
  return Fd::Adopt(*made);
}

Result<Fd> MakeMap() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_SOCKMAP;
  attributes.key_size = sizeof(uint32_t);
  attributes.value_size = sizeof(uint32_t);
  attributes.max_entries = kLookupSlots;
  std::memcpy(attributes.map_name, kName, sizeof kName);
  auto map = Bpf(BPF_MAP_CREATE, attributes, "making a BPF map of sockets");
  if (map || map.error().sys_errno() != EINVAL) return map;
  // What it says of the type where it was built without it.
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "this kernel has no BPF maps of sockets (CONFIG_NET_SOCK_MSG)"));
}

Result<void> Fill(const Fd& map, LookupSlot slot, const std::optional<Fd>& socket) {
  if (!socket) return {};
  const auto key = static_cast<uint32_t>(slot);
  const auto value = static_cast<uint32_t>(socket->get());
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(map.get());
  attributes.key = Pointer(&key);
  attributes.value = Pointer(&value);
  const auto put = sys::Bpf(BPF_MAP_UPDATE_ELEM, attributes, "putting a socket into a BPF map");
  return put ? Result<void>{} : Failure(put.error());
}

bpf_attr LoadAttributes(const std::vector<bpf_insn>& program) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SK_LOOKUP;
  attributes.expected_attach_type = BPF_SK_LOOKUP;
  attributes.insns = Pointer(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  attributes.license = Pointer(kLicense);
  std::memcpy(attributes.prog_name, kName, sizeof kName);
  return attributes;
}

// What the verifier says of the program, its last words above all.
Error WithVerifierLog(const std::vector<bpf_insn>& program, Error error) {
  constexpr size_t kLogBytes = 64 * 1024;
  constexpr size_t kShown = 2048;
  std::string log(kLogBytes, '\0');
  bpf_attr attributes = LoadAttributes(program);
  attributes.log_level = 1;
  attributes.log_buf = Pointer(log.data());
  attributes.log_size = kLogBytes;
  const auto again = Bpf(BPF_PROG_LOAD, attributes, "loading again");
  log.resize(log.find('\0') == std::string::npos ? log.size() : log.find('\0'));
  while (log.ends_with('\n')) log.pop_back();
  if (log.empty()) return error;
  if (log.size() > kShown) log = "…" + log.substr(log.size() - kShown);
  Error told(error.code(), error.fault(), error.message() + ": " + log);
  told.set_sys_errno(error.sys_errno());
  return told;
}

Result<Fd> Load(int map) {
  const std::vector<bpf_insn> program = LookupProgram(map);
  bpf_attr attributes = LoadAttributes(program);
  auto loaded = Bpf(BPF_PROG_LOAD, attributes, "loading the BPF program that steers connections");
  if (loaded || loaded.error().code() == ErrorCode::kNotSupported) return loaded;
  return Failure(WithVerifierLog(program, std::move(loaded).error()));
}

Result<Fd> OwnNamespace() { return sys::OpenAt(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY); }

}  // namespace

Result<bool> IsSteeredByLookup() {
  const Fd netns = TRY(OwnNamespace());
  bpf_attr attributes{};
  attributes.query.target_fd = static_cast<uint32_t>(netns.get());
  attributes.query.attach_type = BPF_SK_LOOKUP;
  const auto asked = sys::Bpf(BPF_PROG_QUERY, attributes, "asking for BPF programs");
  if (!asked) return Failure(Classified(asked.error()));
  return attributes.query.prog_cnt > 0;
}

Result<Fd> SteerByLookup(const NetworkSockets& sockets) {
  const Fd map = TRY(MakeMap());
  const Fd program = TRY(Load(map.get()));
  TRY(Fill(map, LookupSlot::kTcpV4, sockets.tcp_v4));
  TRY(Fill(map, LookupSlot::kTcpV6, sockets.tcp_v6));
  TRY(Fill(map, LookupSlot::kDnsV4, sockets.dns_udp_v4));
  TRY(Fill(map, LookupSlot::kDnsV6, sockets.dns_udp_v6));
  const Fd netns = TRY(OwnNamespace());
  bpf_attr attributes{};
  attributes.link_create.prog_fd = static_cast<uint32_t>(program.get());
  attributes.link_create.target_fd = static_cast<uint32_t>(netns.get());
  attributes.link_create.attach_type = BPF_SK_LOOKUP;
  return Bpf(BPF_LINK_CREATE, attributes, "steering connections by BPF");
}

}  // namespace cay::engine::native
