#include "network/network_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <variant>

#include "base/os/file.h"
#include "engine/native/launcher/inventory.h"
#include "support/machine_state.h"

namespace cay::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPatienceMs = 10'000;
constexpr uid_t kOrdinaryUser = 65534;
constexpr int kOriginalV6 = 80;  // IP6T_SO_ORIGINAL_DST
constexpr int kSkipped = 77;

template <class T>
T Must(Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", what, result.error().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

bool BecomesReadable(int fd, int patience_ms = kPatienceMs) {
  pollfd poller{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, patience_ms) == 1;
}

std::string TextOf(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = address.ss_family == AF_INET;
  const auto* const of_v4 = reinterpret_cast<const sockaddr_in*>(&address);
  const auto* const of_v6 = reinterpret_cast<const sockaddr_in6*>(&address);
  ::inet_ntop(
      address.ss_family,
      v4 ? static_cast<const void*>(&of_v4->sin_addr) : static_cast<const void*>(&of_v6->sin6_addr),
      text.data(), text.size());
  return text.data();
}

// Whoever has opened a launcher keeps capabilities across ids (SECBIT_NO_SETUID_FIXUP).
void BecomeOrdinary() {
  if (::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) < 0 || ::setgroups(0, nullptr) < 0 ||
      ::setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) < 0 ||
      ::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) < 0) {
    ::_exit(1);
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> has{};
  if (::syscall(SYS_capget, &header, has.data()) < 0) ::_exit(1);
  for (const auto& half : has)
    if ((half.effective | half.permitted) != 0) ::_exit(1);
  // As a program that this user has started.
  if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) ::_exit(1);
}

}  // namespace

NetworkWorld::NetworkWorld() {
  std::string pattern = "/tmp/cay-network-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  directory_ = pattern;
  std::filesystem::create_directory(directory_ + "/bin");
  std::filesystem::copy_file(CAY_ATTACK_VICTIM, directory_ + "/bin/attack-victim");
  for (const char* below : {"", "/bin", "/bin/attack-victim"})
    ::chmod((directory_ + below).c_str(), 0755);
  paths_ = {directory_ + "/state", directory_ + "/run"};
  if (!MakeDirectories(paths_.run_dir, 0711)) std::abort();
  auto store = Must(templates::TemplateStore::Open(
                        paths_, [paths = paths_] { return engine::native::ListStatuses(paths); }),
                    "open the templates");
  host_ = Must(store.Find("host"), "find the host template");
  launcher_.emplace(
      Must(engine::native::Launcher::Open({.paths = paths_, .netns_pool = 0, .one_shot = true}),
           "open the launcher"));
}

NetworkWorld::~NetworkWorld() {
  const auto list = launcher_->List();
  if (list)
    for (const engine::SandboxStatus& status : *list) (void)launcher_->Destroy(status.id);
  while (launcher_->DoIdleWork()) {
  }
  launcher_.reset();
  (void)engine::native::CollectGarbage(paths_, {});
  if (const auto removed = RemoveTreeAt(AT_FDCWD, directory_); !removed)
    ADD_FAILURE() << removed.error().ToString();
}

engine::CreateRequest NetworkWorld::Request() {
  engine::CreateRequest request(Must(SandboxId::Generate(), "make an id"), host_->root);
  request.limits.disk = 32 * kMiB;
  request.limits.memory = 256 * kMiB;
  request.scratch = engine::Scratch::kMemory;
  request.best_effort = true;
  request.mounts.push_back({.source = directory_ + "/bin", .target = "/attack", .read_only = true});
  if (::geteuid() == 0) request.lifetime = engine::Lifetime::kPersistent;
  return request;
}

std::string NetworkWorld::WhyNot() {
  const engine::CreateRequest request = Request();
  const auto created = launcher_->Create(request);
  if (!created) return created.error().ToString();
  (void)launcher_->Destroy(request.id);
  return {};
}

SandboxId NetworkWorld::Create() {
  const engine::CreateRequest request = Request();
  Must(launcher_->Create(request), "create a sandbox");
  return request.id;
}

ProcessStream NetworkWorld::Start(const SandboxId& id, const std::string& probe,
                                  const std::string& user) {
  protocol::StartRequest request;
  request.argv = {"/attack/attack-victim"};
  std::istringstream words(probe);
  for (std::string word; words >> word;) request.argv.push_back(word);
  request.env = {"PATH=/usr/bin:/bin"};
  request.user = user;
  request.stdin_open = true;
  const GuestChannel guest([this, id] { return launcher_->Connect(id); });
  return Must(guest.Start(request), "start a probe");
}

namespace {

// What it writes, until `done` says so or it ends.
std::string Follow(ProcessStream& stream, const std::function<bool(const std::string&)>& done) {
  std::string out;
  const Clock::time_point until = Clock::now() + std::chrono::seconds(30);
  while (!stream.finished() && Clock::now() < until && !done(out)) {
    pollfd poller{.fd = stream.fd(), .events = stream.poll_events(), .revents = 0};
    ::poll(&poller, 1, 1000);
    while (true) {
      const auto event = stream.Next();
      if (!event) return out + "error: " + event.error().ToString();
      if (!*event) break;
      if (const auto* output = std::get_if<ProcessOutput>(&**event)) out += output->bytes;
    }
  }
  return out;
}

}  // namespace

std::string NetworkWorld::VerdictOf(ProcessStream& stream) {
  std::string out = Follow(stream, [](const std::string&) { return false; });
  while (out.ends_with('\n')) out.pop_back();
  return out.substr(out.rfind('\n') + 1);
}

void NetworkWorld::AwaitLine(ProcessStream& stream, std::string_view line) {
  const std::string wanted = std::string(line) + "\n";
  const std::string out = Follow(
      stream, [&](const std::string& text) { return text.find(wanted) != std::string::npos; });
  EXPECT_NE(out.find(wanted), std::string::npos) << out;
}

std::string NetworkWorld::Run(const SandboxId& id, const std::string& probe,
                              const std::string& user) {
  ProcessStream stream = Start(id, probe, user);
  return VerdictOf(stream);
}

void InChild(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    body();
    std::fflush(nullptr);
    const bool skipped = ::testing::Test::IsSkipped();
    ::_exit(::testing::Test::HasFailure() ? 1 : skipped ? kSkipped : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "the child died";
  if (WEXITSTATUS(status) == kSkipped) GTEST_SKIP() << "see why above";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "see the failures above";
}

void RunAs(Caller caller, const std::function<void(NetworkWorld&)>& body) {
  if (caller == Caller::kRoot && ::geteuid() != 0) GTEST_SKIP() << "needs root";
  InChild([&] {
    if (caller == Caller::kRoot) KeepMountsApart();
    if (caller == Caller::kOrdinaryUser && ::geteuid() == 0) BecomeOrdinary();
    NetworkWorld world;
    if (const std::string why_not = world.WhyNot(); !why_not.empty()) GTEST_SKIP() << why_not;
    body(world);
  });
}

std::optional<Fd> Accept(const Fd& listener) {
  if (!BecomesReadable(listener.get())) {
    ADD_FAILURE() << "no connection came";
    return std::nullopt;
  }
  const int raw = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (raw < 0) {
    ADD_FAILURE() << "accept: " << std::strerror(errno);
    return std::nullopt;
  }
  return Fd::Adopt(raw);
}

std::string OriginalOf(const Fd& connection, engine::Steering steering) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const to = reinterpret_cast<sockaddr*>(&address);
  int got = ::getsockname(connection.get(), to, &size);
  if (got == 0 && steering == engine::Steering::kRedirect) {
    const bool v4 = address.ss_family == AF_INET;
    size = sizeof address;
    got = ::getsockopt(connection.get(), v4 ? SOL_IP : SOL_IPV6, v4 ? SO_ORIGINAL_DST : kOriginalV6,
                       to, &size);
  }
  if (got < 0) return std::strerror(errno);
  return TextOf(address) + " " +
         std::to_string(ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port));
}

void Serve(const Fd& connection) {
  std::array<char, 16> text{};
  ASSERT_TRUE(BecomesReadable(connection.get()));
  const ssize_t got = ::recv(connection.get(), text.data(), text.size(), 0);
  ASSERT_EQ(std::string_view(text.data(), got > 0 ? static_cast<size_t>(got) : 0), "ping");
  EXPECT_EQ(::send(connection.get(), "pong", 4, MSG_NOSIGNAL), 4);
}

std::optional<Question> Receive(const Fd& socket) {
  if (!BecomesReadable(socket.get())) {
    ADD_FAILURE() << "no question came";
    return std::nullopt;
  }
  std::array<char, 512> text{};
  sockaddr_storage sender{};
  alignas(cmsghdr) std::array<char, 256> control{};
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_name = &sender;
  message.msg_namelen = sizeof sender;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket.get(), &message, 0);
  if (got < 0) {
    ADD_FAILURE() << "recvmsg: " << std::strerror(errno);
    return std::nullopt;
  }
  Question question;
  question.text.assign(text.data(), static_cast<size_t>(got));
  question.sender.assign(reinterpret_cast<const char*>(&sender), message.msg_namelen);
  std::array<char, INET6_ADDRSTRLEN> asked{};
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    in_pktinfo v4{};
    in6_pktinfo v6{};
    if (head->cmsg_level == SOL_IP && head->cmsg_type == IP_PKTINFO) {
      std::memcpy(&v4, CMSG_DATA(head), sizeof v4);
      ::inet_ntop(AF_INET, &v4.ipi_addr, asked.data(), asked.size());
      v4.ipi_spec_dst = v4.ipi_addr;
      v4.ipi_ifindex = 0;
      std::memcpy(CMSG_DATA(head), &v4, sizeof v4);
    } else if (head->cmsg_level == SOL_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
      std::memcpy(&v6, CMSG_DATA(head), sizeof v6);
      ::inet_ntop(AF_INET6, &v6.ipi6_addr, asked.data(), asked.size());
      v6.ipi6_ifindex = 0;
      std::memcpy(CMSG_DATA(head), &v6, sizeof v6);
    }
  }
  question.asked = asked.data();
  question.control.assign(control.data(), message.msg_controllen);
  return question;
}

void Answer(const Fd& socket, const Question& question, std::string_view text) {
  std::string bytes(text);
  std::string sender = question.sender;
  std::string control = question.control;
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_name = sender.data();
  message.msg_namelen = static_cast<socklen_t>(sender.size());
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  EXPECT_EQ(::sendmsg(socket.get(), &message, 0), static_cast<ssize_t>(text.size()))
      << std::strerror(errno);
}

bool IsSilent(const Fd& fd) { return !BecomesReadable(fd.get(), 0); }

}  // namespace cay::testing
