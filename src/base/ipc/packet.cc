#include "base/ipc/packet.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/units.h"

namespace cay::ipc {

Result<void> SendPacket(const Fd& socket, uint8_t type, std::string_view body,
                        const std::vector<const Fd*>& fds) {
  std::string bytes(1, static_cast<char>(type));
  bytes += body;
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPacketFds * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fds.size() > kMaxPacketFds || bytes.size() > kMaxPacketBytes) {
    return Failure(Error::Invalid("a message between processes is too large"));
  }
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    for (size_t i = 0; i < fds.size(); ++i) {
      const int raw = fds[i]->get();
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &raw, sizeof raw);
    }
  }
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
    return Failure(Error::FromErrno("sending to another process"));
  }
  return {};
}

Result<std::optional<Packet>> ReceivePacket(const Fd& socket) {
  // As much room as the packet needs: the largest would be dozens of fresh pages each time.
  ssize_t length = -1;
  do {
    length = ::recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return Failure(Error::FromErrno("receiving from another process"));
  if (length == 0) return std::nullopt;
  std::string bytes(static_cast<size_t>(length), '\0');
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPacketFds * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Failure(Error::FromErrno("receiving from another process"));
  if (got == 0) return std::nullopt;
  Packet packet{
      static_cast<uint8_t>(bytes.front()), bytes.substr(1, static_cast<size_t>(got) - 1), {}};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(header) + i * sizeof(int), sizeof raw);
      packet.fds.push_back(Fd::Adopt(raw));
    }
  }
  // All that would have come is taken off the socket: the next packet is whole.
  if ((message.msg_flags & MSG_CTRUNC) != 0 && packet.fds.size() < kMaxPacketFds) {
    return Failure(
        Error::FromErrno("taking a descriptor from another process", EMFILE)
            .WithRemedy("let this process open more files: LimitNOFILE= of systemd, ulimit -n"));
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "a message was cut short"));
  }
  return packet;
}

std::string EncodeError(const Error& error) {
  std::string body(ErrorCodeName(error.code()));
  body += '\0';
  body += error.fault() == Fault::kCaller ? 'c' : 'm';
  body += std::to_string(error.sys_errno()) + '\0' + error.message() + '\0' +
          error.remedy().Encoded() + '\0';
  return body;
}

Error DecodeError(std::string_view body) {
  std::array<std::string, 4> fields;
  for (std::string& field : fields) {
    const size_t end = std::min(body.find('\0'), body.size());
    field = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  const Fault fault = fields[1].starts_with('c') ? Fault::kCaller : Fault::kMachine;
  Error error(ErrorCodeFromName(fields[0]), fault, fields[2]);
  const auto sys_errno = ParseUnsigned(fields[1].empty() ? "0" : fields[1].substr(1), 4095);
  error.set_sys_errno(sys_errno ? static_cast<int>(*sys_errno) : 0);
  return std::move(error).WithRemedy(Remedy::Decoded(fields[3]));
}

}  // namespace cay::ipc
