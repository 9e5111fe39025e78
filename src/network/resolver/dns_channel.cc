#include "network/resolver/dns_channel.h"

#include <ares.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/os/fd.h"

namespace cay::network {
namespace {

constexpr int kClassInternet = 1;

// Each server is asked so often, each time with twice the patience: c-ares doubles it.
constexpr int kTries = 3;
constexpr int kPatienceUnits = 1 + 2 + 4;

// c-ares reads datagrams as long as there are any: whoever sends them fast enough keeps the loop.
constexpr size_t kReadsOfARound = 64;

std::string Told(const std::vector<NameServer>& servers) {
  std::string told = servers.size() == 1 ? "the name server " : "the name servers ";
  for (size_t i = 0; i < servers.size(); ++i) told += (i == 0 ? "" : ", ") + servers[i].Text();
  return told;
}

ares_addr_port_node Node(const NameServer& server) {
  ares_addr_port_node node{};
  node.udp_port = server.port;
  node.tcp_port = server.port;
  if (server.address.family() == Family::kV4) {
    node.family = AF_INET;
    node.addr.addr4.s_addr = htonl(server.address.v4());
  } else {
    node.family = AF_INET6;
    std::ranges::copy(server.address.bytes(), node.addr.addr6._S6_un._S6_u8);
  }
  return node;
}

bool LaterMaybe(int sys_errno) {
  return sys_errno == EAGAIN || sys_errno == EWOULDBLOCK || sys_errno == EINPROGRESS;
}

}  // namespace

class DnsChannel::Socket final : public EventLoop::Handler {
 public:
  Socket(DnsChannel& channel, Fd fd, bool datagrams)
      : channel_(channel), fd_(std::move(fd)), datagrams_(datagrams) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() override { Close(); }

  bool datagrams() const { return datagrams_; }

  void OnReady(uint32_t events) override { channel_.OnReady(fd_->get(), events); }

  // 0: nothing any more.
  Result<void> Watch(uint32_t events) {
    if (events == 0) {
      Forget();
    } else if (watched_) {
      channel_.loop_.Change(fd_->get(), events);
    } else {
      TRY(channel_.loop_.Watch(fd_->get(), events, *this));
      watched_ = true;
    }
    return {};
  }

  void Close() {
    Forget();
    fd_.reset();
  }

 private:
  void Forget() {
    if (watched_) channel_.loop_.Forget(fd_->get());
    watched_ = false;
  }

  DnsChannel& channel_;
  std::optional<Fd> fd_;
  const bool datagrams_;
  bool watched_ = false;
};

// With functions of ours for its sockets c-ares sets no option of them. They are ours for what its
// own lack: closed at exec from the beginning, no SIGPIPE, and the errno of what failed.
struct DnsChannel::Calls {
  static DnsChannel& Of(void* data) { return *static_cast<DnsChannel*>(data); }

  template <class T>
  static T Noted(void* data, T result) {
    if (result < 0 && !LaterMaybe(errno)) Of(data).last_errno_ = errno;
    return result;
  }

  static ares_socket_t Open(int domain, int type, int protocol, void* data) {
    const int raw = Noted(data, ::socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (raw < 0) return ARES_SOCKET_BAD;
    if (type == SOCK_STREAM) {
      const int on = 1;
      ::setsockopt(raw, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    Of(data).sockets_.insert_or_assign(
        raw, std::make_unique<Socket>(Of(data), Fd::Adopt(raw), type == SOCK_DGRAM));
    return raw;
  }

  static int Close(ares_socket_t socket, void* data) {
    DnsChannel& channel = Of(data);
    auto node = channel.sockets_.extract(socket);
    if (node.empty()) return 0;
    node.mapped()->Close();
    channel.loop_.Dispose(std::move(node.mapped()));  // it may be what is running
    return 0;
  }

  static int Connect(ares_socket_t socket, const sockaddr* to, ares_socklen_t length, void* data) {
    return Noted(data, ::connect(socket, to, length));
  }

  static ares_ssize_t Receive(ares_socket_t socket, void* buffer, size_t size, int flags,
                              sockaddr* from, ares_socklen_t* length, void* data) {
    DnsChannel& channel = Of(data);
    if (channel.reads_left_ == 0) {
      errno = EAGAIN;
      return -1;
    }
    --channel.reads_left_;
    const ssize_t got = Noted(data, ::recvfrom(socket, buffer, size, flags, from, length));
    if (got >= 0) channel.last_errno_ = 0;
    return got;
  }

  static ares_ssize_t Send(ares_socket_t socket, const iovec* parts, int count, void* data) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);  // sendmsg(2) only reads them
    message.msg_iovlen = static_cast<size_t>(count);
    ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    // The error that a datagram before this one came back with: as this one's, it would be lost for
    // that one, which would wait for its time to run out. What is wrong comes back once more.
    const auto found = Of(data).sockets_.find(socket);
    if (sent < 0 && found != Of(data).sockets_.end() && found->second->datagrams()) {
      sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    }
    return Noted(data, sent);
  }

  static void Want(void* data, ares_socket_t socket, int readable, int writable) {
    DnsChannel& channel = Of(data);
    const auto found = channel.sockets_.find(socket);
    if (found == channel.sockets_.end()) return;
    const uint32_t events = (readable != 0 ? uint32_t{EPOLLIN} : 0) |  //
                            (writable != 0 ? uint32_t{EPOLLOUT} : 0);
    // What cannot be watched is a question without an answer, and its time runs out.
    if (const auto watched = found->second->Watch(events); !watched) {
      channel.last_errno_ = watched.error().sys_errno();
    }
  }

  static void Answer(void* data, int status, int /*timeouts*/, unsigned char* bytes, int length) {
    const Query& query = *static_cast<const Query*>(data);
    query.channel->Finish(
        query.id, status,
        {reinterpret_cast<const char*>(bytes), static_cast<size_t>(std::max(length, 0))});
  }
};

DnsChannel::DnsChannel(EventLoop& loop, const std::vector<NameServer>& servers, OnAnswer on_answer)
    : loop_(loop), on_answer_(std::move(on_answer)), servers_(Told(servers)) {}

Result<std::unique_ptr<DnsChannel>> DnsChannel::Create(EventLoop& loop,
                                                       const std::vector<NameServer>& servers,
                                                       Millis patience, OnAnswer on_answer) {
  std::unique_ptr<DnsChannel> channel(new DnsChannel(loop, servers, std::move(on_answer)));
  TRY(channel->Open(servers, patience));
  return channel;
}

Result<void> DnsChannel::Open(const std::vector<NameServer>& servers, Millis patience) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  const int64_t units = kPatienceUnits * static_cast<int64_t>(servers.size());
  std::string lookups = "b";
  ares_options options{};
  // Everything that c-ares would otherwise look for in files.
  options.timeout = static_cast<int>(std::clamp<int64_t>(patience.count() / units, 1, 60'000));
  options.tries = kTries;
  options.ndots = 1;
  options.lookups = lookups.data();
  options.sock_state_cb = Calls::Want;
  options.sock_state_cb_data = this;
  constexpr int kGiven = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                         ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
                         ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
  int status = library;
  if (status == ARES_SUCCESS) status = ares_init_options(&ares_, &options, kGiven);
  std::vector<ares_addr_port_node> nodes;
  for (const NameServer& server : servers) nodes.push_back(Node(server));
  for (size_t i = 1; i < nodes.size(); ++i) nodes[i - 1].next = &nodes[i];
  if (status == ARES_SUCCESS) status = ares_set_servers_ports(ares_, nodes.data());
  if (status != ARES_SUCCESS) {
    return Failure(
        Error(status == ARES_ENOMEM ? ErrorCode::kResourceExhausted : ErrorCode::kInternal,
              Fault::kMachine, std::string("c-ares cannot begin: ") + ares_strerror(status)));
  }
  static constexpr ares_socket_functions kFunctions{.asocket = Calls::Open,
                                                    .aclose = Calls::Close,
                                                    .aconnect = Calls::Connect,
                                                    .arecvfrom = Calls::Receive,
                                                    .asendv = Calls::Send};
  ares_set_socket_functions(ares_, &kFunctions, this);
  return {};
}

DnsChannel::~DnsChannel() {
  closing_ = true;
  loop_.CancelTimer(*this);
  if (ares_ != nullptr) ares_destroy(ares_);
}

uint16_t DnsChannel::UnusedId() const {
  uint16_t id = 0;
  do {
    if (::getrandom(&id, sizeof id, 0) != sizeof id) std::abort();  // never cut short
  } while (queries_.contains(id));
  return id;
}

void DnsChannel::Ask(uint64_t question, const std::string& name, QuestionType asked) {
  if (queries_.size() >= kMaxUnderWay) {
    on_answer_(question, asked,
               Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                             "too many questions to name servers are under way")));
    return;
  }
  const uint16_t id = UnusedId();
  Query& query = queries_[id];
  query = {.channel = this, .id = id, .question = question, .name = name, .asked = asked};
  unsigned char* bytes = nullptr;
  int length = 0;
  const int status = ares_create_query(name.c_str(), kClassInternet, static_cast<int>(asked), id,
                                       /*rd=*/1, &bytes, &length, /*max_udp_size=*/0);
  if (status != ARES_SUCCESS) {
    Finish(id, status, {});
    return;
  }
  ares_send(ares_, bytes, length, Calls::Answer, &query);
  ares_free_string(bytes);
  SetNextTime();
}

void DnsChannel::OnTime() {
  reads_left_ = 0;
  ares_process_fd(ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  SetNextTime();
}

void DnsChannel::OnReady(int fd, uint32_t events) {
  constexpr uint32_t kEnded = EPOLLHUP | EPOLLERR;
  reads_left_ = kReadsOfARound;
  ares_process_fd(ares_, (events & (EPOLLIN | kEnded)) != 0 ? fd : ARES_SOCKET_BAD,
                  (events & (EPOLLOUT | kEnded)) != 0 ? fd : ARES_SOCKET_BAD);
  SetNextTime();
}

void DnsChannel::SetNextTime() {
  timeval wait{};
  if (ares_timeout(ares_, nullptr, &wait) == nullptr) {
    loop_.CancelTimer(*this);
    return;
  }
  // c-ares rounds down: a millisecond early it would find nothing to do.
  loop_.SetTimer(*this, EventLoop::Clock::now() + std::chrono::seconds(wait.tv_sec) +
                            std::chrono::microseconds(wait.tv_usec) + Millis(1));
}

void DnsChannel::Finish(uint16_t id, int status, std::string_view bytes) {
  if (closing_) return;
  const auto node = queries_.extract(id);
  const Query& query = node.mapped();
  on_answer_(query.question, query.asked, Outcome(query, status, bytes));
}

Result<DnsAnswer> DnsChannel::Outcome(const Query& query, int status,
                                      std::string_view bytes) const {
  switch (status) {
    case ARES_SUCCESS: {
      DnsAnswer answer = TRY(ReadDnsAnswer(bytes, query.name, query.asked));
      if (answer.rcode == DnsAnswer::kOk || answer.rcode == DnsAnswer::kNoSuchName) return answer;
      return NoAnswer("error " + std::to_string(answer.rcode) + " from " + servers_);
    }
    case ARES_ENOTFOUND:  // .onion, which is never asked for (RFC 7686)
      return DnsAnswer{.rcode = DnsAnswer::kNoSuchName};
    case ARES_ETIMEOUT:
      return NoAnswer("no answer from " + servers_);
    case ARES_ECONNREFUSED:  // and whatever else makes c-ares give a server up
      if (last_errno_ == 0) return NoAnswer("an error instead of an answer from " + servers_);
      return NoAnswer("no way to " + servers_ + ": " + ErrnoText(last_errno_));
    default:
      return NoAnswer(std::string(ares_strerror(status)) + ", of " + servers_);
  }
}

Failure DnsChannel::NoAnswer(std::string message) const {
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, std::move(message)));
}

}  // namespace cay::network
