#include "engine/native/network/netlink.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

// What the kernel does not say at once it does not say.
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};

Error Cut() {
  return {ErrorCode::kProtocol, Fault::kMachine, "an answer of netlink that is cut short"};
}

struct Answers {
  size_t count = 0;
  std::optional<Refusal> refusal;
};

// One datagram of them.
Result<Answers> ReadAnswers(std::string_view answers, const NetlinkMessages& messages,
                            std::initializer_list<int> tolerated) {
  Answers read;
  while (!answers.empty()) {
    nlmsghdr header{};
    nlmsgerr error{};
    if (answers.size() < sizeof header) return Failure(Cut());
    std::memcpy(&header, answers.data(), sizeof header);
    const bool whole = header.nlmsg_len >= sizeof header && header.nlmsg_len <= answers.size();
    if (!whole) return Failure(Cut());
    if (header.nlmsg_type == NLMSG_ERROR) {
      if (header.nlmsg_len < NLMSG_LENGTH(sizeof error)) return Failure(Cut());
      std::memcpy(&error, answers.data() + NLMSG_HDRLEN, sizeof error);
      const bool refused =
          error.error != 0 && std::ranges::find(tolerated, -error.error) == tolerated.end();
      if (refused && !read.refusal)
        read.refusal = {.what = std::string(messages.What(header.nlmsg_seq)),
                        .number = header.nlmsg_seq,
                        .sys_errno = -error.error};
      ++read.count;
    }
    answers.remove_prefix(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), answers.size()));
  }
  return read;
}

}  // namespace

void NetlinkMessages::BeginBytes(uint16_t type, uint16_t flags, std::string_view header,
                                 std::string what) {
  message_ = bytes_.size();
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  head.nlmsg_seq = static_cast<uint32_t>(what_.size());
  bytes_ += BytesOf(head);
  bytes_ += header;
  Pad();
  what_.push_back(std::move(what));
  if ((flags & NLM_F_ACK) != 0) ++acknowledged_;
}

void NetlinkMessages::End() {
  const auto length = static_cast<uint32_t>(bytes_.size() - message_);
  std::memcpy(bytes_.data() + message_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

void NetlinkMessages::Put(uint16_t attribute, std::string_view bytes) {
  const size_t at = BeginAttribute(attribute);
  bytes_ += bytes;
  EndAttribute(at);
}

void NetlinkMessages::Put32Be(uint16_t attribute, uint32_t value) {
  Put32(attribute, ::htonl(value));
}

void NetlinkMessages::PutText(uint16_t attribute, std::string_view text) {
  Put(attribute, std::string(text) + '\0');
}

size_t NetlinkMessages::BeginAttribute(uint16_t attribute) {
  const size_t at = bytes_.size();
  nlattr head{};
  head.nla_type = attribute;
  bytes_ += BytesOf(head);
  return at;
}

void NetlinkMessages::EndAttribute(size_t at) {
  const auto length = static_cast<uint16_t>(bytes_.size() - at);
  std::memcpy(bytes_.data() + at + offsetof(nlattr, nla_len), &length, sizeof length);
  Pad();
}

void NetlinkMessages::Pad() { bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0'); }

std::string_view NetlinkMessages::What(uint32_t number) const {
  return number < what_.size() ? std::string_view(what_[number]) : "a message of netlink";
}

Result<Fd> OpenNetlink(int protocol) {
  const int raw = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (raw < 0) return Failure(Error::FromErrno("opening a netlink socket"));
  Fd socket = Fd::Adopt(raw);
  const int on = 1;
  // Without the request in each answer.
  if (::setsockopt(raw, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0 ||
      ::setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) < 0) {
    return Failure(Error::FromErrno("setting up a netlink socket"));
  }
  return socket;
}

Result<std::optional<Refusal>> Ask(const Fd& socket, const NetlinkMessages& messages,
                                   std::initializer_list<int> tolerated) {
  TRY(sys::SendNetlink(socket, messages.bytes()));
  std::array<char, 8192> buffer;
  for (size_t answered = 0; answered < messages.acknowledged();) {
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure(Error::FromErrno("waiting for netlink"));
    const std::string_view bytes(buffer.data(), static_cast<size_t>(got));
    const Answers answers = TRY(ReadAnswers(bytes, messages, tolerated));
    if (answers.refusal) return answers.refusal;
    answered += answers.count;
  }
  return std::nullopt;
}

}  // namespace cay::engine::native
