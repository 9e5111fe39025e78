// OutputWriter: a descriptor of the caller's (standard output or error) written without ever
// blocking the poll loop, and without changing how the descriptor behaves for others who share it
// (O_NONBLOCK is of the open file description: setting it would break the shell that started us).
//
//   OutputWriter out(STDOUT_FILENO);
//   TRY(out.Write(bytes));               // takes all: what does not go now is kept
//   if (out.pending()) poll(out.fd(), POLLOUT), then TRY(out.Flush());
//
// Memory: what one Write was given, so the caller stops reading while pending().
//
// How: a terminal is opened once more, as an open file description of our own that does not block;
// sockets have MSG_DONTWAIT; pipes RWF_NOWAIT (6.4), and before that at most PIPE_BUF bytes after a
// poll says that there is room (pipe(7): a pipe that polls writable takes PIPE_BUF bytes); regular
// files never block in this sense.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::cli {

class OutputWriter {
 public:
  explicit OutputWriter(int fd);  // stays the caller's

  int fd() const { return fd_; }
  bool pending() const { return !rest_.empty(); }

  // An error has sys_errno EPIPE when the reader is gone.
  Result<void> Write(std::string_view bytes);
  Result<void> Flush();

 private:
  enum class Kind { kSocket, kPlain, kNoWait, kPolled };
  Result<size_t> WriteSome(std::string_view bytes);
  int fd_;
  std::optional<Fd> terminal_;  // opened by us; then fd_ is it
  Kind kind_;
  std::string rest_;
};

}  // namespace cay::cli
