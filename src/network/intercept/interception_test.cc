#include "network/intercept/interception.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/os/fd.h"
#include "crypto/authority.h"

namespace cay::network {
namespace {

// A controller that takes a relay over gives it an authority again, and a server's is renewed:
// connections of before may not have asked for their server yet.
TEST(Interception, ItsServerMayComeAfterTheAuthorityWasReplaced) {
  const auto authority = MakeAuthority("a test");
  ASSERT_TRUE(authority);
  auto interceptor = Interceptor::Make(*authority, authority->certificate);
  ASSERT_TRUE(interceptor) << interceptor.error().ToString();
  SocketPair client = MakeSocketPair(SOCK_STREAM).value();
  SocketPair server = MakeSocketPair(SOCK_STREAM).value();
  ASSERT_TRUE(SetNonBlocking(client.first, true) && SetNonBlocking(server.first, true));
  auto begun =
      Interception::Begin(interceptor->get(), std::make_shared<const Credentials>(),
                          {.name = "api.example", .port = 443, .cache = {}}, client.first.get());
  ASSERT_TRUE(begun) << begun.error().ToString();
  interceptor->reset();
  Interception& interception = **begun;
  const auto there = interception.ServerIs(server.first.get());
  ASSERT_TRUE(there) << there.error().ToString();
  interception.Step(65'536);
  // It greets the server: a TLS handshake is on its way there.
  char first = 0;
  ASSERT_EQ(::recv(server.second.get(), &first, 1, MSG_DONTWAIT), 1);
  EXPECT_EQ(first, 0x16);
  EXPECT_FALSE(interception.over());
}

}  // namespace
}  // namespace cay::network
