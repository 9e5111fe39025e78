#include "engine/native/ids/userns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include "base/os/reap.h"
#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

std::string MapText(const std::vector<IdMapping>& mappings) {
  std::string text;
  for (const IdMapping& mapping : mappings) {
    text += std::to_string(mapping.inside) + " " + std::to_string(mapping.outside) + " " +
            std::to_string(mapping.count) + "\n";
  }
  return text;
}

Result<void> WriteProcFile(pid_t pid, const char* name, const std::string& text) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const Fd file = TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY));
  return sys::Write(file, text, "writing " + path);
}

}  // namespace

Result<void> WriteIdMaps(pid_t pid, const std::vector<IdMapping>& uids,
                         const std::vector<IdMapping>& gids, bool deny_setgroups) {
  if (deny_setgroups) TRY(WriteProcFile(pid, "setgroups", "deny"));
  TRY(WriteProcFile(pid, "uid_map", MapText(uids)));
  return WriteProcFile(pid, "gid_map", MapText(gids));
}

Result<Fd> OpenUserns(pid_t pid) {
  return sys::OpenAt(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/ns/user").c_str(), O_RDONLY);
}

Result<Fd> MakeUserns(const std::vector<IdMapping>& uids, const std::vector<IdMapping>& gids) {
  clone_args args{};
  args.flags = CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  const pid_t child = TRY(sys::Clone3(args));
  if (child == 0) {
    while (true) ::pause();
  }
  Result<void> mapped = WriteIdMaps(child, uids, gids, false);
  Result<Fd> userns = mapped ? OpenUserns(child) : Failure(std::move(mapped).error());
  KillAndReap(child);
  return userns;
}

}  // namespace cay::engine::native
