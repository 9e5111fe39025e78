#include "network/resolver/machine_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/os/file.h"

namespace cay::network {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> Texts(const std::vector<NameServer>& servers) {
  std::vector<std::string> texts;
  for (const NameServer& server : servers) texts.push_back(server.Text());
  return texts;
}

std::vector<std::string> Texts(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  for (const Address& address : addresses) texts.push_back(address.Text());
  return texts;
}

TEST(NameServer, IsReadWithAndWithoutItsPort) {
  EXPECT_EQ(NameServer::Parse("192.0.2.1")->Text(), "192.0.2.1:53");
  EXPECT_EQ(NameServer::Parse("192.0.2.1:5353")->Text(), "192.0.2.1:5353");
  EXPECT_EQ(NameServer::Parse("2001:db8::1")->Text(), "[2001:db8::1]:53");
  EXPECT_EQ(NameServer::Parse("[2001:db8::1]:5353")->Text(), "[2001:db8::1]:5353");
}

TEST(NameServer, AnythingElseIsRefused) {
  for (const char* text :
       {"", "localhost", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:5x", "[::1]",
        "[::1]:", "[::1", "[192.0.2.1]:53", "fe80::1%eth0", "192.0.2.1 ", ":53"}) {
    const auto server = NameServer::Parse(text);
    ASSERT_FALSE(server) << text;
    EXPECT_EQ(server.error().code(), ErrorCode::kInvalidArgument) << text;
  }
}

TEST(ResolvConf, ServersAreReadAndAllElseIsNot) {
  const ResolvConf conf = ParseResolvConf(
      "# a comment\nsearch example.com\noptions ndots:5\n nameserver\t192.0.2.1 # here\r\n"
      ";nameserver 192.0.2.66\nnameserver 2001:db8::1\nnameservers 192.0.2.67\nnameserver\n");
  EXPECT_THAT(Texts(conf.servers), ElementsAre("192.0.2.1:53", "[2001:db8::1]:53"));
  EXPECT_THAT(conf.unusable, IsEmpty());
}

TEST(ResolvConf, WhatCannotBeUsedIsTold) {
  const ResolvConf conf = ParseResolvConf("nameserver fe80::1%eth0\nnameserver 192.0.2.1");
  EXPECT_THAT(Texts(conf.servers), ElementsAre("192.0.2.1:53"));
  EXPECT_THAT(conf.unusable, ElementsAre("fe80::1%eth0"));
}

TEST(ResolvConf, OfManyServersTheFirstThreeAreAskedAndOfNoneTheMachineItself) {
  EXPECT_THAT(Texts(ParseResolvConf("nameserver 192.0.2.1\nnameserver 192.0.2.2\n"
                                    "nameserver 192.0.2.3\nnameserver 192.0.2.4\n")
                        .servers),
              ElementsAre("192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53"));
  EXPECT_THAT(Texts(ParseResolvConf("").servers), ElementsAre("127.0.0.1:53"));
}

TEST(Hosts, NamesHaveTheAddressesOfAllTheirLines) {
  const HostNames names = ParseHosts(
      "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # 192.0.2.9 commented\n"
      "192.0.2.1 DB.Example db db.\n192.0.2.1 db\n192.0.2.2 db\n");
  EXPECT_THAT(Texts(names.at("localhost")), ElementsAre("127.0.0.1", "::1"));
  EXPECT_THAT(Texts(names.at("db.example")), ElementsAre("192.0.2.1"));
  EXPECT_THAT(Texts(names.at("db")), ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_FALSE(names.contains("commented"));
}

TEST(Hosts, WhatIsNoAddressWithNamesIsPassedOver) {
  const HostNames names =
      ParseHosts("fe80::1%lo0 scoped\n127.1 short\n\n   \n#\n192.0.2.1\nname 192.0.2.1\n");
  EXPECT_THAT(names, IsEmpty());
}

TEST(Hosts, ANameHasABoundedNumberOfAddresses) {
  std::string text;
  for (int i = 1; i <= 100; ++i) text += "192.0.2." + std::to_string(i) + " many\n";
  EXPECT_THAT(ParseHosts(text).at("many"), SizeIs(kMaxHostAddresses));
}

class WatchedFileTest : public testing::Test {
 protected:
  WatchedFileTest() {
    std::string name = "/tmp/cay-watched.XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~WatchedFileTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(WatchedFileTest, IsReadOnceForEachStateOfIt) {
  const std::string path = directory_ + "/file";
  WatchedFile file(path);
  EXPECT_EQ(*file.Changed(), "");  // it is not there
  EXPECT_EQ(*file.Changed(), std::nullopt);
  ASSERT_TRUE(WriteFileAtomic(path, "one", 0600));
  EXPECT_EQ(*file.Changed(), "one");
  EXPECT_EQ(*file.Changed(), std::nullopt);
  ASSERT_TRUE(WriteFileAtomic(path, "two", 0600));
  EXPECT_EQ(*file.Changed(), "two");
  std::filesystem::remove(path);
  EXPECT_EQ(*file.Changed(), "");
}

TEST_F(WatchedFileTest, AnErrorIsToldOnceForEachStateOfTheFile) {
  WatchedFile file(directory_);
  EXPECT_FALSE(file.Changed());
  EXPECT_EQ(*file.Changed(), std::nullopt);
  const std::string loop = directory_ + "/loop";
  std::filesystem::create_symlink("loop", loop);
  WatchedFile looped(loop);
  EXPECT_FALSE(looped.Changed());
  EXPECT_EQ(*looped.Changed(), std::nullopt);
}

TEST_F(WatchedFileTest, AFileOverItsBoundIsAnError) {
  const std::string path = directory_ + "/large";
  ASSERT_TRUE(WriteFileAtomic(path, std::string(WatchedFile::kMaxBytes, 'x'), 0600));
  WatchedFile file(path);
  EXPECT_EQ((*file.Changed())->size(), WatchedFile::kMaxBytes);
  ASSERT_TRUE(WriteFileAtomic(path, std::string(WatchedFile::kMaxBytes + 1, 'x'), 0600));
  EXPECT_FALSE(file.Changed());
}

}  // namespace
}  // namespace cay::network
