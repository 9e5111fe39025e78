#include "base/os/process_title.h"

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace cay {
namespace {

// The arguments' bytes: execve(2) lays them out one after the other.
char* g_begin = nullptr;
size_t g_room = 0;

}  // namespace

void NoteArguments(int argc, char** argv) {
  if (argc == 0) return;
  const char* const last = argv[argc - 1];
  g_begin = argv[0];
  g_room = static_cast<size_t>(last + ::strlen(last) - g_begin);
}

void BecomeNamed(const char* name) {
  ::prctl(PR_SET_NAME, name, 0, 0, 0);
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
    ::explicit_bzero(*variable, ::strlen(*variable));
  }
  ::clearenv();
  if (g_room == 0) return;
  ::explicit_bzero(g_begin, g_room);
  std::copy_n(name, std::min(::strlen(name), g_room), g_begin);
}

}  // namespace cay
