// Worker: a process of the launcher's for work that the launcher should not wait for. Forked from
// it, with one SEQPACKET socket to it and no other descriptor (the copies of the launcher's locks,
// above all); ends when that is closed, and is reaped by ReapStrays (base/os/reap.h).
#pragma once

#include <functional>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

// The launcher's end. `serve` runs in the worker, until end of file. `name`: at most 15 bytes, for
// ps(1).
Result<Fd> StartWorker(const char* name, const std::function<void(const Fd& socket)>& serve);

}  // namespace cay::engine::native
