// Capabilities: what an engine can do beyond what every engine must. The rules in sandbox/ ask it
// before they ask the engine.
#pragma once

namespace cay::engine {

// What is not claimed is refused: kNotSupported. What is claimed may still fail on a machine that
// lacks what it needs (`cay doctor`): that is the machine's error then.
struct Capabilities {
  bool stop = false;              // Stop, Start: of persistent sandboxes
  bool pause = false;             // Pause, Resume
  bool reset = false;             // Reset
  bool visit = false;             // Visit, EndVisit
  bool update_limits = false;     // Update: memory, cpus and pids of a running sandbox
  bool disk_limit = false;        // Limits::disk and ::inodes hold, and are not only asked for
  bool host_mounts = false;       // CreateRequest::mounts: files and directories of this machine
  bool host_layers = false;       // root filesystems of HostLayers
  bool image_references = false;  // … of an ImageReference
  bool disk_images = false;       // … of a DiskImage
  // What sandboxes write is on the state directory's disk, so that there must be room for it.
  bool files_on_state_disk = false;
  bool network_policy = false;  // OpenNetwork: networks other than none
  bool snapshot = false;        // OpenWritten, HoldStill, GoOn: of what a sandbox wrote
  bool root = false;            // CreateRequest::privileges: Privileges::kRoot
  bool volumes = false;         // CreateRequest::volumes

  // What no engine can do yet. Nothing asks for it: it has its place so that engines can be told
  // apart.
  bool memory_snapshot = false;  // of the whole sandbox, to be resumed later
};

}  // namespace cay::engine
