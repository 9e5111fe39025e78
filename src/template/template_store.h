// Templates: what sandboxes start from.
//
//   auto store = TRY(TemplateStore::Open(paths));
//   Template host = TRY(store.Find("host"));
//   TRY(store.Import("alpine", "/tmp/alpine.tar.gz", {}));
//
// `host` is always there: the machine's own /usr (with /bin, /lib …), the few files of /etc that
// programs need, generated passwd, group, hosts and resolv.conf, a home and /workspace, and nothing
// else of the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"
#include "template/layer_store.h"

namespace cay::templates {

struct Template {
  std::string name;
  // While this lives, the layers are not collected; afterwards the sandbox's record keeps them. So
  // hold the Template until Engine::Create has returned.
  std::shared_ptr<const Fd> hold;
  engine::RootFilesystem root;
  std::vector<std::string> env;  // "NAME=value"; PATH, HOME, LANG at least
  std::string user = "user";     // a name of the template's passwd, or "uid[:gid]"
  std::string workdir = "/workspace";
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

struct TemplateInfo {
  std::string name;
  int64_t imported_unix_ms = 0;  // 0 for `host`
  Bytes size = 0;
  uint64_t entries = 0;
  std::string source;  // the path it was imported from, or "built in"
  std::string user = "user";
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
  std::function<void(const ImportProgress&)>
      on_progress;  // at most ten times a second; may be empty
};

class TemplateStore {
 public:
  static Result<TemplateStore> Open(const Paths& paths);

  // kNotFound names the templates that exist. `host` is (re)built when the machine's files changed.
  Result<Template> Find(const std::string& name);

  // From a root filesystem directory or a tar (plain, gzip, zstd), which may be hostile: nothing is
  // ever written outside, no device nodes, no setuid or setgid bits, no trusted.* or security.*
  // attributes, no overlay whiteouts. Names: [a-z0-9][a-z0-9._-]{0,63}.
  Result<TemplateInfo> Import(const std::string& name, const std::string& source,
                              const ImportOptions& options);

  Result<std::vector<TemplateInfo>> List();

  // kNotFound, or kInvalidArgument for `host`. A layer that a live sandbox uses stays on disk for
  // it.
  Result<void> Remove(const std::string& name);

  // Deletes the layers that no template, no sandbox and no caller of Find uses any more, and what a
  // killed import left; returns how many. Remove and Import do it too. With `dry_run` only counts.
  Result<uint64_t> CollectGarbage(bool dry_run = false);

 private:
  explicit TemplateStore(LayerStore layers) : layers_(std::move(layers)) {}
  Result<Template> FindHost();
  Result<Template> FindImported(const std::string& name);

  LayerStore layers_;
};

}  // namespace cay::templates
