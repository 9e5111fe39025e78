#include "engine/native/network/lookup_program.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <utility>

#include "engine/engine.h"
#include "engine/native/network/steering_plan.h"

namespace cay::engine::native {
namespace {

// r0: results. r1 to r5: arguments, gone after a call. r6 to r9: kept. r10: the end of the stack.
enum Register : uint8_t { kR0, kR1, kR2, kR3, kR6 = 6, kR7, kR8, kR9, kStack };

enum class Label : uint8_t {
  kUdp,
  kIpv6,
  kNotOwn,
  kMapped,
  kListener,
  kAssign,
  kPass,
  kDrop,
};
constexpr size_t kLabels = 8;

constexpr uint8_t kContext = kR6;
constexpr int16_t kKey = -4;  // on the stack

class Assembler {
 public:
  // 16 and 32 bits of the context (struct bpf_sk_lookup), as they are in memory.
  void Load16(uint8_t to, size_t field) { Load(BPF_H, to, field); }
  void Load32(uint8_t to, size_t field) { Load(BPF_W, to, field); }
  // From the order of the network to that of numbers.
  void ToNumber16(uint8_t in) { Add(BPF_ALU | BPF_END | BPF_TO_BE, in, 0, 0, 16); }
  void ToNumber32(uint8_t in) { Add(BPF_ALU | BPF_END | BPF_TO_BE, in, 0, 0, 32); }
  void Copy(uint8_t to, uint8_t from) { Add(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  void Set(uint8_t to, uint32_t value) { Add(BPF_ALU | BPF_MOV | BPF_K, to, 0, 0, value); }
  void AddTo(uint8_t to, int value) {
    // NOLINTNEXTLINE(misc-redundant-expression): two of them are 0
    Add(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, static_cast<uint32_t>(value));
  }
  void ShiftRight32(uint8_t in, uint32_t bits) { Add(BPF_ALU | BPF_RSH | BPF_K, in, 0, 0, bits); }
  void Store32(uint8_t address, int16_t offset, uint8_t from) {
    Add(BPF_STX | BPF_MEM | BPF_W, address, from, offset, 0);
  }
  // An instruction of two.
  void LoadMap(uint8_t to, int map) {
    Add(BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_FD, 0, static_cast<uint32_t>(map));
    Add(0, 0, 0, 0, 0);
  }
  void Call(bpf_func_id function) { Add(BPF_JMP | BPF_CALL, 0, 0, 0, function); }
  void Exit() { Add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

  // Jumps by the lower 32 bits.
  void IfEqual(uint8_t left, uint32_t right, Label to) {
    Jump(BPF_JMP32 | BPF_JEQ, left, right, to);
  }
  void IfOther(uint8_t left, uint32_t right, Label to) {
    Jump(BPF_JMP32 | BPF_JNE, left, right, to);
  }
  void IfNull(uint8_t pointer, Label to) { Jump(BPF_JMP | BPF_JEQ, pointer, 0, to); }
  void Goto(Label to) { Jump(BPF_JMP | BPF_JA, 0, 0, to); }
  void Here(Label label) { places_[static_cast<size_t>(label)] = program_.size(); }

  std::vector<bpf_insn> Finish() && {
    for (const auto& [at, label] : jumps_) {
      const size_t place = places_[static_cast<size_t>(label)];
      program_[at].off = static_cast<int16_t>(static_cast<ptrdiff_t>(place - at) - 1);
    }
    return std::move(program_);
  }

 private:
  void Add(int code, uint8_t to, uint8_t from, int16_t offset, uint32_t value) {
    bpf_insn instruction{};
    instruction.code = static_cast<uint8_t>(code);
    instruction.dst_reg = to & 0xfU;
    instruction.src_reg = from & 0xfU;
    instruction.off = offset;
    instruction.imm = static_cast<int32_t>(value);
    program_.push_back(instruction);
  }
  void Load(int size, uint8_t to, size_t field) {
    Add(BPF_LDX | BPF_MEM | size, to, kContext, static_cast<int16_t>(field), 0);
  }
  void Jump(int code, uint8_t left, uint32_t right, Label to) {
    jumps_.emplace_back(program_.size(), to);
    Add(code | BPF_K, left, 0, 0, right);
  }

  std::vector<bpf_insn> program_;
  std::vector<std::pair<size_t, Label>> jumps_;
  std::array<size_t, kLabels> places_{};
};

std::array<uint32_t, 4> Words(const char* ipv6) {
  in6_addr address{};
  ::inet_pton(AF_INET6, ipv6, &address);
  std::array<uint32_t, 4> words{};
  for (size_t i = 0; i < words.size(); ++i) words.at(i) = ::ntohl(address.s6_addr32[i]);
  return words;
}

// Passes what is for 127.0.0.0/8 and the sandbox's own address.
void PassOwnV4(Assembler& to) {
  in_addr own{};
  ::inet_pton(AF_INET, NetworkSockets::kOwnV4, &own);
  to.Load32(kR2, offsetof(bpf_sk_lookup, local_ip4));
  to.ToNumber32(kR2);
  to.IfEqual(kR2, ::ntohl(own.s_addr), Label::kPass);
  to.ShiftRight32(kR2, 24);
  to.IfEqual(kR2, IN_LOOPBACKNET, Label::kPass);
}

void LoadWordOfV6(Assembler& to, size_t word) {
  to.Load32(kR2, offsetof(bpf_sk_lookup, local_ip6) + word * sizeof(uint32_t));
  to.ToNumber32(kR2);
}

// … for the own address of IPv6, ::1 and ::ffff:127.0.0.0/104.
void PassOwnV6(Assembler& to) {
  const std::array<uint32_t, 4> own = Words(NetworkSockets::kOwnV6);
  for (size_t word = 0; word < own.size(); ++word) {
    LoadWordOfV6(to, word);
    to.IfOther(kR2, own.at(word), Label::kNotOwn);
  }
  to.Goto(Label::kPass);
  to.Here(Label::kNotOwn);
  for (const size_t word : {size_t{0}, size_t{1}}) {
    LoadWordOfV6(to, word);
    to.IfOther(kR2, 0, Label::kListener);
  }
  LoadWordOfV6(to, 2);
  to.IfEqual(kR2, 0xffff, Label::kMapped);
  to.IfOther(kR2, 0, Label::kListener);
  LoadWordOfV6(to, 3);
  to.IfEqual(kR2, 1, Label::kPass);
  to.Goto(Label::kListener);
  to.Here(Label::kMapped);
  LoadWordOfV6(to, 3);
  to.ShiftRight32(kR2, 24);
  to.IfEqual(kR2, IN_LOOPBACKNET, Label::kPass);
}

// The slot of the family in r7.
void SetSlot(Assembler& to, LookupSlot v4, LookupSlot v6) {
  to.Set(kR2, static_cast<uint32_t>(v4));
  to.IfEqual(kR7, AF_INET, Label::kAssign);
  to.Set(kR2, static_cast<uint32_t>(v6));
}

// Gives the connection to the socket in the slot that is in r2.
void Assign(Assembler& to, int map) {
  to.Store32(kStack, kKey, kR2);
  to.LoadMap(kR1, map);
  to.Copy(kR2, kStack);
  to.AddTo(kR2, kKey);
  to.Call(BPF_FUNC_map_lookup_elem);
  to.IfNull(kR0, Label::kDrop);
  to.Copy(kR7, kR0);
  to.Copy(kR1, kContext);
  to.Copy(kR2, kR7);
  to.Set(kR3, 0);
  to.Call(BPF_FUNC_sk_assign);
  to.Copy(kR8, kR0);
  to.Copy(kR1, kR7);
  to.Call(BPF_FUNC_sk_release);
  to.IfOther(kR8, 0, Label::kDrop);
}

}  // namespace

std::vector<bpf_insn> LookupProgram(int map) {
  Assembler to;
  to.Copy(kContext, kR1);
  to.Load32(kR7, offsetof(bpf_sk_lookup, family));
  to.Load32(kR8, offsetof(bpf_sk_lookup, protocol));
  to.Load32(kR9, offsetof(bpf_sk_lookup, local_port));  // a number, unlike remote_port
  to.IfEqual(kR8, IPPROTO_UDP, Label::kUdp);
  to.IfOther(kR8, IPPROTO_TCP, Label::kPass);
  to.IfEqual(kR9, kDnsPort, Label::kListener);
  to.IfOther(kR7, AF_INET, Label::kIpv6);
  PassOwnV4(to);
  to.Goto(Label::kListener);
  to.Here(Label::kIpv6);
  PassOwnV6(to);
  to.Here(Label::kListener);
  SetSlot(to, LookupSlot::kTcpV4, LookupSlot::kTcpV6);
  to.Goto(Label::kAssign);

  to.Here(Label::kUdp);
  to.IfOther(kR9, kDnsPort, Label::kPass);
  to.Load16(kR2, offsetof(bpf_sk_lookup, remote_port));
  to.ToNumber16(kR2);
  to.IfEqual(kR2, kDnsPort, Label::kPass);
  SetSlot(to, LookupSlot::kDnsV4, LookupSlot::kDnsV6);

  to.Here(Label::kAssign);
  Assign(to, map);
  to.Here(Label::kPass);
  to.Set(kR0, SK_PASS);
  to.Exit();
  to.Here(Label::kDrop);
  to.Set(kR0, SK_DROP);
  to.Exit();
  return std::move(to).Finish();
}

}  // namespace cay::engine::native
