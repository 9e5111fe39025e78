#include "template/dockerfile/instruction.h"

#include <array>

#include "template/dockerfile/source_lines.h"

namespace cay::templates::dockerfile {

std::string Heredoc::Text() const {
  if (!strips_tabs) return content;
  std::string text;
  bool at_beginning = true;
  for (const char c : content) {
    if (at_beginning && c == '\t') continue;
    at_beginning = c == '\n';
    text += c;
  }
  return text;
}

std::vector<std::string> CommandLine::Argv(const std::vector<std::string>& shell) const {
  if (is_exec) return argv;
  std::vector<std::string> all = shell;
  all.push_back(script);
  return all;
}

std::string_view RunMountTypeName(RunMount::Type type) {
  switch (type) {
    case RunMount::Type::kBind:
      return "bind";
    case RunMount::Type::kCache:
      return "cache";
    case RunMount::Type::kTmpfs:
      return "tmpfs";
    case RunMount::Type::kSecret:
      return "secret";
    case RunMount::Type::kSsh:
      return "ssh";
  }
  return "";
}

RunProgram ProgramOf(const Run& run, const std::vector<std::string>& shell) {
  CommandLine command = run.command;
  if (run.heredocs.empty()) return {.argv = command.Argv(shell)};
  const Heredoc& first = run.heredocs.front();
  if (const auto whole = ParseHeredoc(command.script); whole && *whole) {
    std::string text = first.Text();
    if (text.starts_with("#!")) {
      std::string path = "/dev/pipes/" + first.name;
      return {.argv = {path}, .file = RunProgram::File{.path = path, .content = std::move(text)}};
    }
    command.script = std::move(text);
  } else {
    for (const Heredoc& heredoc : run.heredocs) {
      command.script += "\n" + heredoc.content + heredoc.name;
    }
  }
  return {.argv = command.Argv(shell)};
}

std::string_view Instruction::Name() const {
  // In the order of Value.
  constexpr std::array<std::string_view, std::variant_size_v<Value>> kNames = {
      "FROM",    "RUN",   "COPY",       "ADD",         "ENV",     "ARG",
      "WORKDIR", "USER",  "CMD",        "ENTRYPOINT",  "LABEL",   "EXPOSE",
      "VOLUME",  "SHELL", "STOPSIGNAL", "HEALTHCHECK", "ONBUILD", "MAINTAINER"};
  return kNames[value.index()];
}

}  // namespace cay::templates::dockerfile
