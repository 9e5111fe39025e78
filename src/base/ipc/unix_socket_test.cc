#include "base/ipc/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/os/sys.h"

namespace cay {
namespace {

TEST(UnixSocket, ANameBelowALongDirectoryIsReachedAndKnowsItsPeer) {
  std::string top = "/tmp/cay-unix-socket.XXXXXX";
  ASSERT_NE(::mkdtemp(top.data()), nullptr);
  const std::string path = top + "/" + std::string(200, 'd');
  ASSERT_TRUE(std::filesystem::create_directory(path));
  const Fd directory = sys::OpenAt(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY).value();
  const Fd server = OpenUnixSocket(SOCK_SEQPACKET).value();
  ASSERT_TRUE(BindIn(directory, "socket", server, "its socket"));
  ASSERT_EQ(::listen(server.get(), 1), 0);
  struct stat info{};
  ASSERT_EQ(::stat((path + "/socket").c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0600U);

  const Fd client = OpenUnixSocket(SOCK_SEQPACKET).value();
  EXPECT_TRUE(SetSendTimeout(client, {.tv_sec = 5, .tv_usec = 0}));
  const auto nobody = ConnectIn(directory, "other", client);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().sys_errno(), ENOENT);
  ASSERT_TRUE(ConnectIn(directory, "socket", client));
  const auto peer = PeerOf(client, "asking who it is");
  ASSERT_TRUE(peer) << peer.error().ToString();
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->uid, ::geteuid());
  std::filesystem::remove_all(top);
}

TEST(UnixSocket, WhatIsNoSocketHasNoPeer) {
  const Fd file = sys::OpenAt(AT_FDCWD, "/dev/null", O_RDONLY).value();
  const auto peer = PeerOf(file, "asking who it is");
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().sys_errno(), ENOTSOCK);
  EXPECT_NE(peer.error().message().find("asking who it is"), std::string::npos);
}

}  // namespace
}  // namespace cay
