// InputPump: the caller's standard input to a process of the server's, in a thread of its own: so
// output is read while a piece of input waits for the process to take it.
//
//   InputPump pump = TRY(InputPump::Start(connection, sandbox, process));
//   … poll pump.fd(); when it is readable: TRY(pump.Finished()) …
//
// What was read is sent in order, each piece once: a piece whose request is cut is not sent again,
// because it may have arrived; that ends the pump with an error. A server that is not there is
// waited for as EventSource does. Destroying it leaves the thread to end by itself: it may be
// waiting for the server.
#pragma once

#include <memory>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "cli/client/contexts.h"

namespace cay::cli {

class InputPump {
 public:
  static Result<InputPump> Start(const Connection& connection, std::string sandbox,
                                 std::string process);
  InputPump(InputPump&&) noexcept = default;
  InputPump& operator=(InputPump&&) = delete;
  ~InputPump();

  // Readable when it has ended.
  int fd() const;
  // How it ended: no error when the input ended, or the process wanted no more of it.
  Result<void> Finished();

 private:
  struct Shared;
  explicit InputPump(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

}  // namespace cay::cli
