// Instruction: one instruction of a Dockerfile as a value (docs.docker.com, "Dockerfile reference";
// where that is silent, BuildKit's frontend/dockerfile). Pure.
//
//   if (const Run* run = instruction.As<Run>()) {
//     const RunProgram program = ProgramOf(*run, ShellOf(config));   // image_changes.h
//     for (const RunMount& mount : run->mounts) …
//   }
//
// Texts are as they were written: quotes, escapes and variables are still in them until
// ExpandInstruction (expansion.h) has taken them out. Where a text is never expanded, that is said.
// A space is one of ASCII: space, tab, vertical tab, form feed, carriage return.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/units.h"
#include "template/oci/image_config.h"

namespace cay::templates::dockerfile {

// "<<EOF" and what stands below it, to the line that is its name.
struct Heredoc {
  std::string name{};        // "EOF": without quotes
  std::string content{};     // each line with its end, and its tabs
  bool expands = true;       // nothing of the name was quoted
  bool strips_tabs = false;  // "<<-EOF"
  uint32_t descriptor = 0;   // "3<<EOF" is 3

  std::string Text() const;  // the content, of "<<-" without the tabs its lines begin with
  friend bool operator==(const Heredoc&, const Heredoc&) = default;
};

// A command, as RUN, CMD, ENTRYPOINT have it. Never expanded: variables are the shell's business.
struct CommandLine {
  // The JSON form: executed as it is. May be empty: CMD [] and ENTRYPOINT [] take away.
  bool is_exec = false;
  std::vector<std::string> argv{};  // of the JSON form
  std::string script{};             // of the other: one text for the shell

  // What is executed. `shell`: "/bin/sh", "-c".
  std::vector<std::string> Argv(const std::vector<std::string>& shell) const;
  friend bool operator==(const CommandLine&, const CommandLine&) = default;
};

// FROM [--platform=P] IMAGE [AS NAME]
struct From {
  std::string image{};     // an image, a stage before, or "scratch"
  std::string name{};      // of the stage, in lower case; or empty. Never expanded
  std::string platform{};  // or empty
  friend bool operator==(const From&, const From&) = default;
};

// RUN --mount=type=…
struct RunMount {
  enum class Type { kBind, kCache, kTmpfs, kSecret, kSsh };
  enum class Sharing { kShared, kPrivate, kLocked };  // of caches

  std::string text{};  // as it was written: ExpandInstruction reads it again
  // A stage (by name or number) or an image; empty: the context, or nothing of a cache. Never
  // expanded.
  std::string from{};
  // False while the text has variables, quotes or escapes: what is below is not known then.
  bool is_read = false;
  Type type = Type::kBind;
  std::string source{};  // of bind, cache: a path in `from`; empty: its root
  std::string target{};  // a relative one is below the working directory; empty: of ssh, and of
                         // a secret that is a variable only
  std::string id{};      // of caches (the target, where none was given), secrets, ssh
  std::string environment{};  // of a secret, "env": the variable it is given as
  bool read_only = true;      // caches and tmpfs: false
  bool required = false;      // of secrets and ssh
  Sharing sharing = Sharing::kShared;
  std::optional<uint32_t> mode{};  // permissions; nothing: Docker's default (0400, of a cache 0755)
  std::optional<uint32_t> uid{};
  std::optional<uint32_t> gid{};
  Bytes size = 0;  // of tmpfs; 0: no bound was given

  friend bool operator==(const RunMount&, const RunMount&) = default;
};
std::string_view RunMountTypeName(RunMount::Type type);  // "bind", …

enum class RunNetwork { kDefault, kNone, kHost };
enum class RunSecurity { kSandbox, kInsecure };

// RUN [--mount=…]… [--network=…] [--security=…] COMMAND
// What cannot be done where it is built (kHost, kInsecure, kSsh) is a value as well: whoever
// executes it refuses.
struct Run {
  CommandLine command{};
  std::vector<Heredoc> heredocs{};  // of a shell form; never expanded
  std::vector<RunMount> mounts{};
  RunNetwork network = RunNetwork::kDefault;
  RunSecurity security = RunSecurity::kSandbox;
  friend bool operator==(const Run&, const Run&) = default;
};

// What a RUN executes, as BuildKit does it.
struct RunProgram {
  struct File {
    std::string path{};  // absolute, of mode 0755
    std::string content{};
    friend bool operator==(const File&, const File&) = default;
  };
  std::vector<std::string> argv{};
  // A heredoc that is all of the command and begins with "#!": a read-only file of this step only.
  std::optional<File> file{};
  friend bool operator==(const RunProgram&, const RunProgram&) = default;
};

// A heredoc that is all of the command ("RUN <<EOF") is the script. Another one ("RUN cat <<EOF")
// is put together again for the shell.
RunProgram ProgramOf(const Run& run, const std::vector<std::string>& shell);

// What COPY and ADD have in common.
struct FilesToCopy {
  std::vector<std::string> sources{};  // paths, patterns (patterns/glob.h); of ADD URLs as well
  // Files of their own, by their names. ExpandInstruction takes the tabs away and expands the
  // contents of those that expand; they do neither after it.
  std::vector<Heredoc> heredocs{};
  std::string destination{};  // its slash at the end counts
  std::string chown{};        // "user:group", names or numbers; or empty
  std::string chmod{};        // "0644", "u=rwX,go=rX"; or empty
  bool link = false;
  std::vector<std::string> excludes{};  // patterns of .dockerignore's kind (patterns/ignore.h)
  friend bool operator==(const FilesToCopy&, const FilesToCopy&) = default;
};

struct Copy {
  FilesToCopy files{};
  std::string from{};    // a stage by name or number, an image; empty: the context. Never expanded
  bool parents = false;  // sources keep their parent directories, from "/./" on if there is one
  friend bool operator==(const Copy&, const Copy&) = default;
};

struct Add {
  FilesToCopy files{};
  std::string checksum{};
  bool keep_git_dir = false;
  std::optional<bool> unpack{};  // nothing: local archives are unpacked, others not
  friend bool operator==(const Add&, const Add&) = default;
};

struct NameAndValue {
  std::string name{};
  std::string value{};
  friend bool operator==(const NameAndValue&, const NameAndValue&) = default;
};

struct Env {
  std::vector<NameAndValue> variables{};  // at least one
  friend bool operator==(const Env&, const Env&) = default;
};

struct Label {
  std::vector<NameAndValue> labels{};  // at least one
  friend bool operator==(const Label&, const Label&) = default;
};

struct Arg {
  struct Declaration {
    std::string name{};
    std::optional<std::string> value{};  // the default
    friend bool operator==(const Declaration&, const Declaration&) = default;
  };
  std::vector<Declaration> declarations{};  // at least one
  friend bool operator==(const Arg&, const Arg&) = default;
};

struct Workdir {
  std::string path{};
  friend bool operator==(const Workdir&, const Workdir&) = default;
};

struct User {
  std::string user{};  // "name", "uid", "name:group", "uid:gid"
  friend bool operator==(const User&, const User&) = default;
};

struct Cmd {
  CommandLine command{};
  friend bool operator==(const Cmd&, const Cmd&) = default;
};

struct Entrypoint {
  CommandLine command{};
  friend bool operator==(const Entrypoint&, const Entrypoint&) = default;
};

struct Expose {
  std::vector<std::string> ports{};  // "80", "80/udp", "8000-8010"; expanded, one may be several
  friend bool operator==(const Expose&, const Expose&) = default;
};

struct Volume {
  std::vector<std::string> paths{};
  friend bool operator==(const Volume&, const Volume&) = default;
};

struct Shell {
  std::vector<std::string> argv{};  // at least one. Never expanded
  friend bool operator==(const Shell&, const Shell&) = default;
};

struct StopSignal {
  std::string signal{};
  friend bool operator==(const StopSignal&, const StopSignal&) = default;
};

// HEALTHCHECK NONE, or [OPTIONS] CMD COMMAND. Never expanded.
struct HealthcheckOf {
  oci::Healthcheck check{};  // its test is never empty
  friend bool operator==(const HealthcheckOf&, const HealthcheckOf&) = default;
};

// ONBUILD INSTRUCTION: done by the build that begins with the image. Never expanded.
struct OnBuild {
  std::string trigger{};  // "RUN make": one instruction, for ParseInstruction (dockerfile.h)
  friend bool operator==(const OnBuild&, const OnBuild&) = default;
};

struct Maintainer {
  std::string author{};  // never expanded
  friend bool operator==(const Maintainer&, const Maintainer&) = default;
};

struct Instruction {
  using Value = std::variant<From, Run, Copy, Add, Env, Arg, Workdir, User, Cmd, Entrypoint, Label,
                             Expose, Volume, Shell, StopSignal, HealthcheckOf, OnBuild, Maintainer>;

  Value value;
  uint32_t first_line = 1;  // from 1; of the file
  uint32_t last_line = 1;   // heredocs are part of it
  // These lines as they are in the file, without the end of the last. ParseInstruction gives the
  // same value for them.
  std::string source{};

  template <class T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
  std::string_view Name() const;  // "RUN"
  friend bool operator==(const Instruction&, const Instruction&) = default;
};

}  // namespace cay::templates::dockerfile
