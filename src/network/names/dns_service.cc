#include "network/names/dns_service.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace cay::network {
namespace {

constexpr size_t kMaxQuery = 4096;  // a question has at most 271 bytes, and some options
constexpr int kAtOnce = 32;
constexpr Millis kPause{20};

}  // namespace

// Datagrams to whatever address: the answer goes out from the one that was asked.
class DnsService::Datagrams final : public EventLoop::Handler {
 public:
  Datagrams(DnsService& service, const Fd& socket) : service_(service), socket_(socket) {}
  ~Datagrams() override { service_.loop_.Forget(socket_.get()); }
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  Result<void> Begin() { return service_.loop_.Watch(socket_.get(), EPOLLIN, *this); }
  void Listen(bool on) { service_.loop_.Change(socket_.get(), on ? uint32_t{EPOLLIN} : 0U); }

  void OnReady(uint32_t /*events*/) override {
    for (int i = 0; i < kAtOnce; ++i) {
      if (!AnswerOne()) return;
    }
  }

 private:
  bool AnswerOne() {
    std::array<char, kMaxQuery> space;
    alignas(cmsghdr) std::array<char, 128> control{};
    sockaddr_storage from{};
    iovec part{.iov_base = space.data(), .iov_len = space.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (got < 0) return false;
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return true;  // no question is so long
    if (!service_.HasTurn()) return false;
    auto reply = service_.Reply({space.data(), static_cast<size_t>(got)}, 0);
    KeepAskedAddress(message);
    if (reply.open) {
      Sender sender{.to = from, .size = message.msg_namelen, .control = {}};
      if (message.msg_control != nullptr)
        sender.control.assign(control.data(), message.msg_controllen);
      service_.Open(*std::move(reply.open),
                    [this, sender](const std::string& text) { Send(sender, text); });
      return true;
    }
    if (reply.text.empty()) return true;
    part = {.iov_base = reply.text.data(), .iov_len = reply.text.size()};
    (void)!::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);  // who asked asks again
    return true;
  }

  // Who has asked, and at which address.
  struct Sender {
    sockaddr_storage to{};
    socklen_t size = 0;
    std::string control{};
  };

  void Send(Sender sender, std::string text) const {
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_name = &sender.to;
    message.msg_namelen = sender.size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = sender.control.empty() ? nullptr : sender.control.data();
    message.msg_controllen = sender.control.size();
    (void)!::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  // Of what came with the question only the address that was asked goes with the answer, as its
  // source: no interface.
  static void KeepAskedAddress(msghdr& message) {
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      info = {.ipi_ifindex = 0, .ipi_spec_dst = info.ipi_addr, .ipi_addr = {}};
      std::memcpy(CMSG_DATA(header), &info, sizeof info);
      message.msg_controllen = CMSG_SPACE(sizeof info);
    } else if (header != nullptr && header->cmsg_level == IPPROTO_IPV6 &&
               header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      info.ipi6_ifindex = 0;
      std::memcpy(CMSG_DATA(header), &info, sizeof info);
      message.msg_controllen = CMSG_SPACE(sizeof info);
    } else {
      message.msg_control = nullptr;
      message.msg_controllen = 0;
    }
    message.msg_flags = 0;
  }

  DnsService& service_;
  const Fd& socket_;
};

// RFC 7766: messages behind two bytes of their length, answered in turn.
class DnsService::Stream final : public EventLoop::Handler {
 public:
  Stream(DnsService& service, Fd socket)
      : service_(service),
        socket_(std::move(socket)),
        late_(service.deadlines_, [this] { service_.End(*this); }) {}

  // Before it is disposed of: its service may be gone when it is deleted.
  void Leave() {
    service_.loop_.Forget(socket_.get());
    service_.waiting_.erase(waiting_);
    late_.Clear();
  }

  Result<void> Begin() {
    late_.Set(kStreamPatience);
    return service_.loop_.Watch(socket_.get(), EPOLLIN, *this);
  }

  void OnReady(uint32_t /*events*/) override {
    if (!(out_.empty() ? Read() : Write())) service_.End(*this);
  }

 private:
  bool Read() {
    std::array<char, kMaxQuery + 2> space;
    const ssize_t got =
        ::recv(socket_.get(), space.data(), space.size() - in_.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    in_.append(space.data(), static_cast<size_t>(got));
    return AnswerNext();
  }

  bool AnswerNext() {
    if (in_.size() < 2) return true;
    const size_t length =
        static_cast<size_t>(static_cast<uint8_t>(in_[0])) << 8 | static_cast<uint8_t>(in_[1]);
    if (length > kMaxQuery) return false;
    if (in_.size() - 2 < length) return true;
    if (!service_.HasTurn()) return false;
    auto reply = service_.Reply(std::string_view(in_).substr(2, length), kMaxDnsMessage);
    in_.erase(0, length + 2);
    late_.Set(kStreamPatience);
    if (reply.open) {
      service_.loop_.Change(socket_.get(), 0);  // until there is an answer
      waiting_ = service_.Open(*std::move(reply.open), [this](const std::string& text) {
        waiting_ = 0;
        if (!Answer(text)) service_.End(*this);
      });
      return true;
    }
    return Answer(reply.text);
  }

  bool Answer(const std::string& reply) {
    if (reply.empty()) return false;
    out_ = {static_cast<char>(reply.size() >> 8), static_cast<char>(reply.size() & 0xff)};
    out_ += reply;
    late_.Set(kStreamPatience);
    return Write();
  }

  bool Write() {
    const ssize_t put =
        ::send(socket_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (put > 0) out_.erase(0, static_cast<size_t>(put));
    service_.loop_.Change(socket_.get(), out_.empty() ? EPOLLIN : EPOLLOUT);
    return out_.empty() && in_.size() >= 2 ? AnswerNext() : true;
  }

  DnsService& service_;
  Fd socket_;
  std::string in_;
  std::string out_;
  uint64_t waiting_ = 0;  // the number of the question that is asked elsewhere; 0: none
  Deadline late_;
};

DnsService::DnsService(EventLoop& loop, Deadlines& deadlines, DnsResponder responder, Ask ask)
    : loop_(loop),
      deadlines_(deadlines),
      responder_(std::move(responder)),
      ask_(std::move(ask)),
      questions_(kPerSecond, kPerSecond, TokenBucket::Clock::now()),
      again_(deadlines, [this] {
        for (const auto& datagrams : datagrams_) datagrams->Listen(true);
      }) {}

DnsService::~DnsService() {
  for (auto& stream : streams_) {
    stream->Leave();
    loop_.Dispose(std::move(stream));
  }
}

Result<void> DnsService::ServeDatagrams(const Fd& socket) {
  auto datagrams = std::make_unique<Datagrams>(*this, socket);
  TRY(datagrams->Begin());
  datagrams_.push_back(std::move(datagrams));
  return {};
}

void DnsService::ServeStream(Fd client) {
  if (streams_.size() >= kMaxStreams) return;
  auto stream = std::make_unique<Stream>(*this, std::move(client));
  if (stream->Begin()) streams_.push_back(std::move(stream));
}

bool DnsService::HasTurn() {
  if (questions_.Left(TokenBucket::Clock::now()) > 0) return true;
  Rest();
  return false;
}

DnsResponder::Replied DnsService::Reply(std::string_view message, size_t limit) {
  questions_.Spend(1);
  DnsResponder::Replied reply = responder_.Reply(message, limit, TokenBucket::Clock::now());
  if (reply.open && waiting_.size() >= kMaxOpen)
    return {.text = DnsResponder::Close(*reply.open, Rcode::kFailed, {})};
  return reply;
}

uint64_t DnsService::Open(OpenQuestion question, std::function<void(std::string reply)> send) {
  const uint64_t number = ++last_number_;
  const Waiting& waiting =
      waiting_.emplace(number, Waiting{.question = std::move(question), .send = std::move(send)})
          .first->second;
  ask_(number, waiting.question);
  return number;
}

void DnsService::Answer(uint64_t number, Rcode rcode, std::span<const Record> records) {
  const auto node = waiting_.extract(number);
  if (node.empty()) return;
  node.mapped().send(DnsResponder::Close(node.mapped().question, rcode, records));
}

void DnsService::Rest() {
  for (const auto& datagrams : datagrams_) datagrams->Listen(false);
  again_.Set(kPause);
}

void DnsService::End(Stream& stream) {
  const auto found = std::ranges::find(streams_, &stream, &std::unique_ptr<Stream>::get);
  stream.Leave();
  loop_.Dispose(std::move(*found));
  streams_.erase(found);
}

}  // namespace cay::network
