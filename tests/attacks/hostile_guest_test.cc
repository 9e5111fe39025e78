// A guest that code inside has taken over: whatever it sends, every operation of the host ends with
// an error, in time, and without taking memory or descriptors.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/id.h"
#include "guest_link/guest_channel.h"
#include "protocol/frame.h"

namespace cay::attacks {
namespace {

using protocol::FrameType;

constexpr Millis kPatience{500};

std::string Header(FrameType type, uint32_t length) {
  std::string header(protocol::kFrameHeaderBytes, '\0');
  std::memcpy(header.data(), &length, sizeof length);
  header[4] = static_cast<char>(type);
  return header;
}

void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

// With as many descriptors as one message can carry.
void SendDescriptors(int fd) {
  constexpr size_t kMost = 253;  // SCM_MAX_FD
  std::vector<char> control(CMSG_SPACE(kMost * sizeof(int)));
  char byte = 0;
  iovec data = {&byte, 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(kMost * sizeof(int));
  std::vector<int> fds(kMost, fd);
  std::memcpy(CMSG_DATA(header), fds.data(), kMost * sizeof(int));
  for (int i = 0; i < 8; ++i) ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

struct Behaviour {
  const char* name;
  void (*answer)(int fd);
};

const Behaviour kBehaviours[] = {
    {"ClosesAtOnce", [](int) {}},
    {"SendsGarbage", [](int fd) { SendAll(fd, std::string(100'000, '\xa5')); }},
    {"SendsZeros", [](int fd) { SendAll(fd, std::string(100'000, '\0')); }},
    {"AnnouncesFourGigabytes",
     [](int fd) { SendAll(fd, Header(FrameType::kInfo, 0xffff'ffff) + std::string(65536, 'x')); }},
    {"AnnouncesFourGigabytesOfData",
     [](int fd) { SendAll(fd, Header(FrameType::kData, 0xffff'fff0)); }},
    {"CutsAHeader", [](int fd) { SendAll(fd, std::string("\x10\0\0", 3)); }},
    {"CutsAPayload", [](int fd) { SendAll(fd, Header(FrameType::kInfo, 100) + "short"); }},
    {"SendsAnUnknownType", [](int fd) { SendAll(fd, Header(static_cast<FrameType>(250), 0)); }},
    {"SendsTheHostsOwnTypes", [](int fd) { SendAll(fd, Header(FrameType::kStart, 4) + "abcd"); }},
    {"SendsTheWrongReply", [](int fd) { SendAll(fd, protocol::MakeFrame(FrameType::kReady, "")); }},
    {"SendsBrokenCbor",
     [](int fd) {
       for (const auto type : {FrameType::kInfo, FrameType::kFileInfo, FrameType::kProcessList,
                               FrameType::kStarted, FrameType::kEntries}) {
         SendAll(fd, protocol::MakeFrame(type, "\xbf\xff\x9f\x5f\x7f"));
       }
     }},
    {"NestsDeeply",
     [](int fd) {
       SendAll(fd, protocol::MakeFrame(FrameType::kInfo, std::string(16384, '\x81')));
     }},
    {"SaysNothing", [](int) { std::this_thread::sleep_for(kPatience * 2); }},
    {"SendsDescriptors", SendDescriptors},
    {"SendsAnErrorFullOfTerminalCodes",
     [](int fd) { SendAll(fd, protocol::MakeFrame(FrameType::kError, "\xa1\x01\x64\x1b[2J")); }},
    {"NeverStopsSendingData",
     [](int fd) {
       const std::string frame =
           protocol::MakeFrame(FrameType::kData, std::string(protocol::kMaxDataBytes, 'x'));
       for (int i = 0; i < 2000; ++i) SendAll(fd, frame);
     }},
    {"NeverStopsListing",
     [](int fd) {
       const std::string frame = protocol::MakeFrame(FrameType::kEntries, "\xa0");
       for (int i = 0; i < 100'000; ++i) SendAll(fd, frame);
     }},
};

size_t OpenDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

long ResidentKiB() {
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    long value = 0;
    if (key == "VmRSS:" && status >> value) return value;
  }
  return -1;
}

// A connection to a fake guest, which reads the request and then behaves as told.
Result<Fd> ConnectTo(const Behaviour& behaviour, std::vector<std::jthread>& guests) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_STREAM));
  guests.emplace_back([&behaviour, fd = std::make_shared<Fd>(std::move(pair.second))] {
    char request[4096];
    if (::recv(fd->get(), request, sizeof request, 0) > 0) behaviour.answer(fd->get());
    ::shutdown(fd->get(), SHUT_WR);
  });
  return std::move(pair.first);
}

void PrintTo(const Behaviour& behaviour, std::ostream* out) { *out << behaviour.name; }

template <class T>
std::string ParameterName(const testing::TestParamInfo<T>& info) {
  return info.param.name;
}

class HostileGuest : public testing::TestWithParam<Behaviour> {};

TEST_P(HostileGuest, FailsEveryOperationInTime) {
  std::vector<std::jthread> guests;
  const GuestChannel channel([&] { return ConnectTo(GetParam(), guests); }, kPatience);
  const auto nothing = [](std::string_view) -> Result<void> { return {}; };
  const size_t descriptors = OpenDescriptors();
  const long memory = ResidentKiB();

  EXPECT_FALSE(channel.Ping());
  EXPECT_FALSE(channel.ListProcesses());
  EXPECT_FALSE(channel.Stat({.user = "", .path = "/tmp"}));
  EXPECT_FALSE(channel.Signal({.process = 1, .signal = 9}));
  EXPECT_FALSE(channel.ReadFile({.user = "", .path = "/tmp/x"}, nothing));
  EXPECT_FALSE(channel.List({.user = "", .path = "/tmp"},
                            [](const protocol::FileInfo&) -> Result<void> { return {}; }));
  EXPECT_FALSE(channel.WriteFile({.user = "", .path = "/tmp/x", .mode = 0600}, TextSource("text")));
  EXPECT_FALSE(channel.ArchiveOut({.user = "", .path = "/tmp"}, nothing));
  EXPECT_FALSE(channel.ConnectPort(80));

  guests.clear();
  EXPECT_EQ(OpenDescriptors(), descriptors);
  EXPECT_LT(ResidentKiB() - memory, 64 * 1024);
}

INSTANTIATE_TEST_SUITE_P(That, HostileGuest, testing::ValuesIn(kBehaviours),
                         ParameterName<Behaviour>);

TEST(HostileGuestText, DoesNotReachTheTerminal) {
  std::vector<std::jthread> guests;
  const Behaviour behaviour = {
      "", [](int fd) {
        protocol::ErrorMessage message;
        message.code = "not_found";
        message.message = "\x1b[2J\x1b]0;title\x07 gone\nsecond line";
        SendAll(fd, protocol::MakeFrame(FrameType::kError, protocol::Encode(message)));
      }};
  const GuestChannel channel([&] { return ConnectTo(behaviour, guests); }, kPatience);
  const auto result = channel.Ping();
  ASSERT_FALSE(result);
  for (const char character : result.error().ToString()) {
    EXPECT_GE(static_cast<unsigned char>(character), 0x20);
  }
}

TEST(HostileIds, AreRefusedBeforeTheyBecomePaths) {
  const std::string good = "abcdefghij0123456789";
  ASSERT_TRUE(SandboxId::Parse(good));
  for (const std::string& id :
       {std::string(), std::string(".."), std::string("../../../../etc/xx"), good + "/",
        std::string("abcdefghij/123456789"), good + '\0', std::string(20, '\0'),
        std::string(10'240, 'a'), std::string("ABCDEFGHIJ0123456789"), good + "\n",
        std::string("abcdefghij012345678\xc3\xa9")}) {
    EXPECT_FALSE(SandboxId::Parse(id)) << id.size();
  }
}

}  // namespace

}  // namespace cay::attacks
