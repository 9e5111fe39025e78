// The server as a program: its start, SIGHUP, and who runs it.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/os/file.h"
#include "http/server/test_certificate.h"
#include "live_server.h"

namespace cay::testing {
namespace {

class Live : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

TEST_F(Live, TheLimitsThatItTellsAreThoseInForce) {
  const std::string file = ::testing::TempDir() + "cay-live-" + std::to_string(::getpid());
  WriteText(file, "[limits.maxima]\nmemory = \"2g\"\n[limits]\nsandboxes = 7\n");
  LiveServer server({"--config", file});
  const auto maxima = [&] {
    return server.Call("GET", "/api/system").json().at("limits").at("maxima");
  };
  EXPECT_EQ(maxima().at("sandbox").at("memory").to_number<uint64_t>(), 2 * kGiB);
  EXPECT_EQ(maxima().at("sandboxes").to_number<uint64_t>(), 7U);
  WriteText(file, "[limits.maxima]\nmemory = \"1g\"\n[limits]\nsandboxes = 9\n");
  server.program().Signal(SIGHUP);
  server.program().WaitForWordAfter("configuration read again; changed: ");
  EXPECT_EQ(maxima().at("sandbox").at("memory").to_number<uint64_t>(), 1 * kGiB);
  EXPECT_EQ(maxima().at("sandboxes").to_number<uint64_t>(), 9U);
  const Reply refused = server.Call("POST", "/api/sandboxes", R"({"memory_limit":"2g"})");
  EXPECT_EQ(refused.status, 422) << refused.body;
  std::filesystem::remove(file);
}

TEST_F(Live, WhatACrashLeftIsRemovedAtTheStart) {
  LiveServer server;
  const std::string kept = server.Create();
  const std::string sandboxes = server.directory() + "/state/sandboxes";
  const auto count = [&] {
    return std::distance(std::filesystem::directory_iterator(sandboxes), {});
  };
  std::ptrdiff_t before = 0;
  server.Restart([&] {
    before = count();  // a server that runs has one more, made ahead
    CayProgram run(server.directory(), {"run", "--state-dir", server.directory() + "/state", "--",
                                        "sh", "-c", "echo \"it runs \"; exec sleep 600"});
    run.WaitForWordAfter("it runs");
    run.KillWithChildren();
    run.Wait();
    EXPECT_EQ(count(), before + 1);
  });
  EXPECT_EQ(server.program().WaitForWordAfter("removed what a crash left behind: sandboxes "), "1");
  EXPECT_EQ(count(), before);
  EXPECT_EQ(server.Call("GET", "/api/sandboxes/" + kept).Text("state"), "running");
}

TEST_F(Live, ANewCertificateIsTakenAtSighupAndABadOneIsNot) {
  const http::Certificate certificate("localhost");
  LiveServer server({"--tls-cert", certificate.options().certificate_file, "--tls-key",
                     certificate.options().key_file},
                    0, certificate.file());
  EXPECT_EQ(server.url().scheme, "https");
  EXPECT_EQ(server.Call("GET", "/ready").status, 200);
  certificate.Write("localhost");
  // It still has the first, which the second did not sign.
  const auto trusts = [&](const std::string& authority) {
    const auto client = http::Client::Open(server.url(), Millis(10'000), authority);
    return client && (*client)->Send({.target = "/ready"}).has_value();
  };
  EXPECT_FALSE(trusts(certificate.file()));
  server.program().Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] { return trusts(certificate.file()); }));
  const std::string second = server.directory() + "/second.pem";
  std::filesystem::copy_file(certificate.file(), second);
  WriteText(certificate.options().certificate_file, "nonsense");
  server.program().Signal(SIGHUP);
  server.program().WaitForWordAfter("the old certificate stays: ");
  EXPECT_TRUE(trusts(second));
  WriteText(certificate.options().certificate_file, ReadFile(second).value());
}

TEST_F(Live, AnOrdinaryUserHasAServerThatSaysWhatItCannotEnforce) {
  constexpr uid_t kNobody = 65534;
  LiveServer server({}, kNobody);
  EXPECT_EQ(server.program().WaitForWordAfter("cannot enforce everything: see cay "), "doctor");
  const Reply made = server.Call("POST", "/api/sandboxes", R"({"name":"own"})");
  ASSERT_EQ(made.status, 201) << made.body;
  // Nobody has given it a cgroup: what a default cannot enforce is told, what is asked for is
  // refused.
  const auto& not_enforced = made.json().at("not_enforced").as_array();
  ASSERT_FALSE(not_enforced.empty());
  EXPECT_EQ(not_enforced.front().at("limit").as_string(), "memory");
  const Reply refused = server.Call("POST", "/api/sandboxes", R"({"memory_limit":"100m"})");
  EXPECT_EQ(refused.status, 422) << refused.body;
  EXPECT_EQ(refused.Text("code"), "not_enforceable");
  server.Restart();
  const Reply run = server.Call("POST", "/api/sandboxes/own/execute",
                                R"({"command":"id -u; grep CapEff /proc/self/status"})");
  EXPECT_EQ(run.Text("stdout"), "1000\nCapEff:\t0000000000000000\n");
}

}  // namespace
}  // namespace cay::testing
