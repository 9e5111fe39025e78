// What templates are to their users: what a sandbox is made of, what an import was told and found.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"
#include "template/oci/image_config.h"

namespace cay::templates {

// Where programs are looked for in what does not say it: Debian's.
inline constexpr std::string_view kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Template {
  std::string name;
  // While this lives, the layers are not collected; afterwards the sandbox's record keeps them. So
  // hold the Template until Engine::Create has returned.
  std::shared_ptr<const void> hold;
  engine::RootFilesystem root;
  std::vector<std::string> env;  // "NAME=value"; PATH, HOME, LANG at least
  std::string user = "user";     // a name of the template's passwd, or "uid[:gid]"
  std::string workdir = "/workspace";
  // Names of those of `env` that the image itself sets: its HOME is nobody else's to say.
  std::vector<std::string> own_variables{};
  // What an image says of its programs, as it is in its configuration; null: it is no image.
  std::shared_ptr<const oci::ProcessConfig> process{};
};

// What an import left out or changed, on purpose: counts.
struct ImportNotes {
  uint64_t skipped_special = 0;     // device nodes, FIFOs, sockets
  uint64_t skipped_whiteouts = 0;   // what overlayfs or an OCI layer takes for "deleted"
  uint64_t skipped_unreadable = 0;  // files of a directory that this user may not read
  uint64_t skipped_other = 0;       // mounts inside a directory, names too long, too many holes
  uint64_t changed_meanwhile = 0;   // files of a directory that somebody wrote while it was copied
  uint64_t stripped_modes = 0;      // entries that had setuid or setgid
  uint64_t dropped_xattrs = 0;      // all but user.*
  uint64_t replaced_owners = 0;     // entries of a uid or gid over 65535: nobody's (65534) now
};

// "skipped device nodes, FIFOs or sockets: 3; took setuid or setgid from files: 12"; empty when
// there is nothing to say.
std::string DescribeNotes(const ImportNotes& notes);

// How a template came to be here, which says who misses it: what somebody asked for by its name is
// never removed but by somebody; the others can be made again by the same that made them, and go
// when there is no room for them (space/collect.h).
enum class Came : uint8_t {
  kByHand,   // imported, pulled, built, a snapshot: by somebody
  kPulled,   // because a create, a run or a build stood on an image that was not here
  kDerived,  // made of another template by Cay itself
};
std::string_view CameName(Came came);  // "by_hand", "pulled", "derived"
// What no program wrote is by hand: it stays.
Came CameOf(std::string_view name);

struct TemplateInfo {
  std::string name;
  int64_t imported_unix_ms = 0;  // 0 for `host`
  Bytes size = 0;
  uint64_t entries = 0;
  std::string source;  // the path it was imported from, "built in", or an image's reference
  std::string user = "user";
  uint64_t layers = 1;
  std::string digest;   // of the image's manifest; empty for what is no image
  std::string parent;   // of a snapshot: the template that its sandbox was made from
  std::string sandbox;  // of a snapshot: whose it is
  Bytes written = 0;    // of a snapshot, of what was built: what it has beyond what it stands on
  Came came = Came::kByHand;
  // Of an image: what it says of its programs, as Docker names it (oci::ProcessConfig). Not in
  // lists of templates.
  std::vector<std::string> entrypoint{};
  std::vector<std::string> cmd{};
  std::vector<std::string> volumes{};        // paths
  std::vector<std::string> exposed_ports{};  // "8080/tcp"
  // Of one that was made for the packages that sandboxes asked for: which ("pip:pandas==2.2.0"). It
  // goes when it was not used for long (store/derived.h).
  std::vector<std::string> packages{};
  ImportNotes notes;
};

struct ImportProgress {
  uint64_t entries = 0;
  Bytes bytes = 0;
};

struct ImportOptions {
  Bytes max_bytes = 16 * kGiB;  // of unpacked content
  uint64_t max_entries = 2'000'000;
  bool replace = false;       // an existing template of that name is replaced atomically
  std::string source_name{};  // what TemplateInfo::source says; empty: where it came from
  Came came = Came::kByHand;
  std::function<void(const ImportProgress&)>
      on_progress;  // at most ten times a second; may be empty
  // Of a source that holds images: which, as the archive names it ("app:1.2", "1.2"; empty: the
  // only one), and for which platform ("linux/arm64"; empty: this machine's).
  std::string tag{};
  std::string platform{};
  // Told what the source is, once that is known: "an OCI archive of 3 layers". May be empty.
  std::function<void(const std::string& what)> on_recognized{};
  // Asked about as often, and while a layer is waited for: once it is true the import ends with an
  // error whose sys_errno is ECANCELED. May be empty.
  std::function<bool()> is_stopped{};
  // Asked before the first and after every 64 MiB that were written, with how many bytes those
  // were: whether there is still room. May be empty.
  std::function<Result<void>(Bytes written)> check_room{};
  // For somebody else who makes the same layer. A maker that is gone is not waited for.
  Millis maker_patience{1'800'000};
};

}  // namespace cay::templates
