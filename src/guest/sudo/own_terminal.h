// OwnTerminal: a terminal for a command, between it and the caller's.
//
//   auto terminal = TRY(OwnTerminal::Open());        // nothing where the caller has none
//   send terminal->Replaced(STDIN_FILENO) …          // what the command gets for 0, 1, 2
//   terminal->Begin();                               // the caller's is raw now, in its foreground
//   … poll input_fd() and master_fd(): FromCaller(), FromCommand()
#pragma once

#include <termios.h>

#include <optional>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::guest::sudo {

class OwnTerminal {
 public:
  // Nothing where none of 0, 1, 2 is a terminal, or there is no controlling one.
  static Result<std::optional<OwnTerminal>> Open();
  OwnTerminal(OwnTerminal&& other) noexcept = default;
  OwnTerminal& operator=(OwnTerminal&&) = delete;
  OwnTerminal(const OwnTerminal&) = delete;
  OwnTerminal& operator=(const OwnTerminal&) = delete;
  ~OwnTerminal();

  // The command's instead of that one of the caller's, if it is a terminal.
  int Replaced(int fd) const;

  // The command has it: closes its end here.
  void Begin();

  // What is there goes to the other side. False: there will be nothing more.
  bool FromCaller();
  bool FromCommand();

  // After SIGWINCH; after SIGCONT, when it may be in the foreground, or no more.
  void TakeSize() const;
  void TakeForeground();

  // -1 while it is in the background, where to read would stop it.
  int input_fd() const { return raw_ ? caller_->get() : -1; }
  int master_fd() const { return master_->get(); }
  // Also a command that ended may have left something to be shown.
  void ShowRest();

 private:
  OwnTerminal(Fd caller, Fd master, Fd slave, const termios& modes)
      : caller_(std::move(caller)),
        master_(std::move(master)),
        slave_(std::move(slave)),
        modes_(modes) {}
  void Restore();

  std::optional<Fd> caller_;
  std::optional<Fd> master_;
  std::optional<Fd> slave_;
  termios modes_;  // the caller's
  bool raw_ = false;
  bool reads_ = false;  // the command's stdin is this terminal
};

}  // namespace cay::guest::sudo
