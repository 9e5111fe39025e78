// The protocol as each release spoke it: guests of a release run on under later hosts.
// CAY_RELEASES/COMMIT/protocol.txt has a line for each message: its name and its frame. A line
// never changes; tests/upgrade/keep_release.py makes a release's file.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include "protocol/message_samples.h"

namespace cay::protocol {
namespace {

struct Release {
  const char* name;
  uint32_t version;  // of the protocol that its guests speak
};

std::ostream& operator<<(std::ostream& out, const Release& release) { return out << release.name; }

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
    hex += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

std::string Bytes(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

class FrozenMessages : public testing::TestWithParam<Release> {
 protected:
  FrozenMessages() {
    std::ifstream file(std::string(CAY_RELEASES "/") + GetParam().name + "/protocol.txt");
    std::string name;
    std::string hex;
    while (file >> name >> hex) frames_[name] = hex;
  }
  std::map<std::string, std::string> frames_;
};

TEST_P(FrozenMessages, AreWhatThisHostSendsAndUnderstands) {
  samples::ForEachMessage([&]<class T>(const char* name, FrameType type, const T& message) {
    const auto frozen = frames_.find(name);
    if (frozen == frames_.end()) return;  // a later release's
    EXPECT_TRUE(CheckLimits(message, GetParam().version)) << name;
    EXPECT_EQ(Hex(MakeFrame(type, Encode(message, GetParam().version))), frozen->second) << name;
    const std::string payload = Bytes(frozen->second).substr(kFrameHeaderBytes);
    const auto decoded = Decode<T>(payload);
    ASSERT_TRUE(decoded) << name << ": " << decoded.error().ToString();
    EXPECT_EQ(Encode(*decoded, GetParam().version), payload) << name;
    frames_.erase(frozen);
  });
  for (const auto& [name, hex] : frames_) ADD_FAILURE() << name << " is sent no more";
}

TEST_P(FrozenMessages, OfThatVersionAreStillSpoken) {
  EXPECT_GE(GetParam().version, kOldestGuestProtocol);
  EXPECT_LE(GetParam().version, kProtocolVersion);
  EXPECT_FALSE(frames_.empty());
}

// With CAY_PRINT_FRAMES they are printed: keep_release.py keeps them.
TEST(ThisProgram, HasOneSampleOfEachMessage) {
  std::set<std::string> names;
  samples::ForEachMessage([&]<class T>(const char* name, FrameType type, const T& message) {
    EXPECT_TRUE(names.insert(name).second) << name;
    if (::getenv("CAY_PRINT_FRAMES") != nullptr)
      std::cout << name << ' ' << Hex(MakeFrame(type, Encode(message))) << '\n';
  });
}

INSTANTIATE_TEST_SUITE_P(All, FrozenMessages,
                         testing::Values(Release{"b62e561", 1}, Release{"a7a4d3b", 1}));

}  // namespace
}  // namespace cay::protocol
