// CallOptions: what one call of a registry's client is told beside what it is about.
#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <string>

#include "template/registry/rules/credentials.h"

namespace cay::templates::registry {

struct CallOptions {
  // Who asks the registry itself; mirrors are asked as the store of credentials says. Nothing: the
  // store's for the registry, too.
  std::optional<Credentials> credentials{};
  // While this descriptor is readable (Wakeup::fd()) nobody wants it any more: the call ends within
  // what a look-up of a name takes, with an error whose sys_errno is ECANCELED. -1: none. The
  // caller keeps it.
  int stop_fd = -1;
  // What went wrong and was got over: a mirror that was passed by, a download that was begun anew.
  // May be called by several threads at a time.
  std::function<void(const std::string&)> on_note{};

  void Note(const std::string& text) const {
    if (on_note) on_note(text);
  }
  bool Stopped() const {
    pollfd waited = {.fd = stop_fd, .events = POLLIN, .revents = 0};
    return ::poll(&waited, 1, 0) > 0;
  }
};

}  // namespace cay::templates::registry
