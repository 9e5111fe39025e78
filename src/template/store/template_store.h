// Templates: what sandboxes start from.
//
//   auto store = TRY(TemplateStore::Open(paths, [&] { return engine->List(); }));
//   Template host = TRY(store.Find("host"));
//   TRY(store.Import("alpine", "/tmp/alpine.tar.gz", {}));
//
// `host` is always there: the machine's own /usr (with /bin, /lib …), the few files of /etc that
// programs need, generated passwd, group, hosts and resolv.conf, a home and /workspace, and nothing
// else of the machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "template/store/layer_store.h"
#include "template/template.h"

namespace cay::templates {

class TemplateStore {
 public:
  // `sandboxes`: lists the sandboxes whose layers stay. The caller keeps alive what it uses.
  static Result<TemplateStore> Open(const Paths& paths, SandboxLister sandboxes);

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
