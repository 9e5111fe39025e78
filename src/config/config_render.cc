// The configuration for people: as TOML with its origins, and as documentation.
#include <algorithm>

#include "config/config.h"

namespace cay::config {
namespace {

// A basic string of TOML.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string TomlText(const Key& key, const Values& values) {
  if (!key.list) {
    const std::string& value = values[0];
    const bool bare =
        value == "true" || value == "false" ||
        (!value.empty() && value.size() < 18 && (value.size() == 1 || value[0] != '0') &&
         std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; }));
    return bare ? value : Quoted(value);
  }
  std::string out = "[";
  for (const std::string& value : values) {
    out.append(out.size() > 1 ? ", " : "").append(Quoted(value));
  }
  return out + "]";
}

std::string_view Section(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

// What Markdown would take for its own within a cell.
std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

void AppendRow(std::string& out, const Key& key, const Config& defaults) {
  const std::string flag = key.flag.empty() ? "" : "`--" + std::string(key.flag) + "`";
  out.append("| `").append(key.name).append("` | ").append(flag);
  out.append(" | `").append(Cell(TomlText(key, key.show(defaults))));
  out.append("` | ").append(key.reloads ? "yes" : "no");
  out.append(" | ").append(Cell(key.doc)).append(" |\n");
}

constexpr std::string_view kIntroduction =
    R"(# Configuration

`cay serve` needs none. Settings are in `cay.toml` (`--config FILE`, `CAY_CONFIG`, otherwise `/etc/cay/cay.toml`, or
`~/.config/cay/cay.toml` of an ordinary user), in the environment, and in flags; each wins over the one before. A key
that does not exist, or a value that makes no sense, is an error with its line and column; nothing is guessed, nothing
is clamped.

```sh
cay config check cay.toml     # everything that is wrong with it, and exit code 125
cay config show               # what holds now, and where each value comes from; --json for programs
cay serve --set limits.maxima.memory=32g --set 'cors.allowed_origins=https://app.example.com'
```

- **In the file** a key is `[limits.defaults]` and `memory = "512m"`, or `limits.defaults.memory = "512m"`. Sizes are
  `"512m"`, `"1g"` or a number of bytes; durations `"30s"`, `"1h"` or a number of seconds.
- **In the environment** it is `CAY_` and the name in capitals with `_` for `.`: `CAY_LIMITS_DEFAULTS_MEMORY=512m`.
  Lists are separated by spaces. A variable that begins with `CAY_` and is no key gives a warning.
- **As a flag** it is the one named below, or `--set KEY=VALUE` for any key. Flags of lists may be given several times.
- **SIGHUP** reads everything again. "Reload" says whether a key is applied then; the server says which of the others
  need a restart. API keys take effect at once, without either; the TLS files are read again by SIGHUP.

```toml
listen = ["127.0.0.1:8888", "unix:/run/cay/cay.sock"]

[limits.defaults]
memory = "512m"
cpus = 1

[limits.maxima]
memory = "8g"

[[pools]]
template = "host"
minimum = 2
maximum = 20
memory = "256m"
```

What sandboxes of a template reach whose creators ask for no network is a table of its own, with the words of the API's
[`network`](api.md#networks): `mode`, `allow`, `deny`, `presets`, `join` and `limits`. A creator who asks for a network
gets that instead, wider or narrower; neither goes beyond `network.*`, and a table that does is an error at the start.

```toml
[templates.host.network]
presets = ["pypi"]
allow = ["api.example.com:443"]
limits = {connections = 32, idle = "5m"}
```

Beside these tables `[templates]` says which images of registries become templates, and when; the table of a template
that is called like one of its keys is written into `templates.networks`.

```toml
[templates]
pull = "missing"
allow = ["python:*", "registry.example:5000/team/**"]
private_registries = ["registry.example:5000"]
credentials = "/etc/cay/registries.json"
```

It also says who builds templates from [Dockerfiles](api.md#builds), and with how much: what `templates.build_memory`
and its like give to each step is beside the limits of sandboxes, and counts in none of them.

```toml
[templates]
build = "all"
max_concurrent_builds = 2
build_memory = "4g"
```

And how much of the disk all that takes, together with snapshots, volumes and packages
([operations.md](operations.md#space)):

```toml
[templates]
space = "100g"
space_age = "720h"
```

| key | flag | default | reload | |
|---|---|---|---|---|
)";

}  // namespace

std::string RenderToml(const Loaded& loaded) {
  std::string out = loaded.file.empty() ? "# no file was read\n" : "# " + loaded.file + "\n";
  std::string_view section;
  for (const Key& key : Keys()) {
    if (Section(key.name) != section) {
      section = Section(key.name);
      out += '\n';
    }
    out.append(key.name).append(" = ").append(TomlText(key, key.show(loaded.config)));
    out.append("  # ").append(loaded.origins.at(std::string(key.name))).append("\n");
  }
  return out;
}

std::string RenderMarkdown() {
  std::string out(kIntroduction);
  const Config defaults;
  for (const Key& key : Keys()) AppendRow(out, key, defaults);
  return out;
}

}  // namespace cay::config
