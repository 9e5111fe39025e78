#include "arena.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/os/file.h"

namespace cay::attacks {
namespace {

[[noreturn]] void GiveUp(const std::string& what) {
  std::fprintf(stderr, "attacks: %s: %s\n", what.c_str(), std::strerror(errno));
  std::abort();
}

}  // namespace

std::vector<std::string> SplitWords(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string VerdictOf(const Outcome& outcome) {
  std::string text = outcome.out;
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  const size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

Arena& Arena::Own() {
  static Arena arena(::geteuid());
  return arena;
}

Arena& Arena::OrdinaryUser() {
  static Arena arena(kOrdinaryUser);
  return arena;
}

Arena::Arena(uid_t uid) : uid_(uid) {
  std::string pattern = "/tmp/cay-attacks-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) GiveUp("make a directory");
  directory_ = pattern;
  const std::string bin = directory_ + "/bin";
  if (::mkdir(bin.c_str(), 0755) != 0 || ::mkdir(state_dir().c_str(), 0700) != 0) {
    GiveUp("make directories");
  }
  std::filesystem::copy_file(CAY_ATTACK_VICTIM, victim());
  for (const std::string& path : {directory_, state_dir(), bin}) {
    if (::chown(path.c_str(), uid, uid) != 0) GiveUp("give directories to the user");
  }
  if (::chmod(directory_.c_str(), 0755) != 0 || ::chmod(victim().c_str(), 0755) != 0) {
    GiveUp("open the directory");
  }
}

Arena::~Arena() {
  const auto removed = RemoveTreeAt(AT_FDCWD, directory_);
  if (!removed) std::fprintf(stderr, "attacks: %s\n", removed.error().ToString().c_str());
}

std::vector<std::string> Arena::Environment() const { return {"CAY_STATE_DIR=" + state_dir()}; }

std::unique_ptr<ChildProcess> Arena::Cay(std::vector<std::string> arguments,
                                         std::vector<std::string> more_env) const {
  ChildProcess::Options options;
  options.argv = std::move(arguments);
  options.argv.insert(options.argv.begin(), CAY_PROGRAM);
  options.env = std::move(more_env);  // the first of a name counts
  for (const std::string& variable : Environment()) options.env.push_back(variable);
  if (uid_ != ::geteuid()) options.uid = uid_;
  return std::make_unique<ChildProcess>(options);
}

std::unique_ptr<ChildProcess> Arena::Attack(const std::string& probe,
                                            const std::string& options) const {
  std::vector<std::string> arguments = {"run", "--quiet", "--mount",
                                        directory_ + "/bin:/attack:ro"};
  if (uid_ != 0) arguments.emplace_back("--best-effort");
  for (const std::string& word : SplitWords(options)) arguments.push_back(word);
  arguments.emplace_back("--");
  arguments.emplace_back("/attack/attack-victim");
  for (const std::string& word : SplitWords(probe)) arguments.push_back(word);
  return Cay(arguments);
}

std::unique_ptr<ChildProcess> Arena::Outside(const std::string& probe) const {
  ChildProcess::Options options;
  options.argv = SplitWords(probe);
  options.argv.insert(options.argv.begin(), victim());
  options.own_namespaces = true;
  return std::make_unique<ChildProcess>(options);
}

std::vector<std::string> Arena::Leftovers() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state_dir() + "/sandboxes", error)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

}  // namespace cay::attacks
