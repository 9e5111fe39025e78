// The server as its users have it: `cay serve` as a program of its own, on a state directory of its
// own, over HTTP.
//
//   LiveServer server({"--requests-per-second", "5"});
//   EXPECT_EQ(server.Call("GET", "/api/sandboxes").status, 200);
//
// Its end destroys every sandbox that is there and ends the program. Failures to start fail the
// test.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api_fixture.h"

namespace cay::testing {

// `cay ARGUMENTS…`, with what it says, both streams, in a file. Killed and reaped when this ends.
class CayProgram {
 public:
  // `directory`: where the file is. `environment`: "NAME=VALUE", before this process's own.
  CayProgram(const std::string& directory, std::vector<std::string> arguments,
             const std::vector<std::string>& environment = {}, uid_t user = 0);
  ~CayProgram();
  CayProgram(const CayProgram&) = delete;
  CayProgram& operator=(const CayProgram&) = delete;

  // The rest of the line after `word`, up to a space or a comma, once it has been said. Fails the
  // test, and is empty, when the program ended before, or does not say it in time.
  std::string WaitForWordAfter(const std::string& word);
  std::string said() const;
  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // As a crash would: it and what it started (its launcher) are killed, it last and unable to
  // notice.
  void KillWithChildren() const;
  // Its exit code, or 128 + the signal.
  int Wait();

 private:
  bool Ended();

  pid_t pid_ = -1;
  int code_ = -1;
  std::string file_;
};

class LiveServer {
 public:
  // `arguments`: after `cay serve --listen 127.0.0.1:0`. `ca_file`: who signed the certificate of
  // an https server.
  explicit LiveServer(std::vector<std::string> arguments = {}, uid_t user = 0,
                      std::string ca_file = {});
  ~LiveServer();
  // Ends the program and starts it again on the same directory, on another port. In between
  // `prepare` is called.
  void Restart(const std::function<void()>& prepare = {});
  LiveServer(const LiveServer&) = delete;
  LiveServer& operator=(const LiveServer&) = delete;

  // Sent with every call from then on.
  void set_key(std::string key) { key_ = std::move(key); }

  Reply Call(const std::string& method, const std::string& target, const std::string& body = {},
             http::Headers headers = {});
  // "/api/sandboxes/ID" of a new one; the id.
  std::string Create(const std::string& body = "{}");
  // A Python program in that sandbox, as a background process, once it has said "listening".
  void StartPython(const std::string& id, const std::string& program);

  // `cay …` against this server.
  std::unique_ptr<CayProgram> Cay(std::vector<std::string> arguments);

  const http::Url& url() const { return url_; }
  const std::string& directory() const { return directory_; }
  CayProgram& program() { return *program_; }
  // A key that was made beside the server, as `cay keys create --local` does. The server knows of
  // it at once.
  std::string MakeKey(const std::string& scope, const std::vector<std::string>& more = {});

 private:
  void Start();
  void Stop();

  std::string directory_;
  std::vector<std::string> arguments_;
  uid_t user_;
  std::string ca_file_;
  std::unique_ptr<CayProgram> program_;
  http::Url url_;
  std::string key_;
};

}  // namespace cay::testing
