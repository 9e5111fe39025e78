// What the caller of Cay has in its environment, its descriptors and its files stays with it.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "arena.h"
#include "base/os/file.h"
#include "base/os/linux_abi.h"

namespace cay::attacks {
namespace {

constexpr const char* kFirstHalf = "cay-attack-secret-";
constexpr const char* kSecondHalf = "7f3a91c4d5e8";
const std::string kSecret = std::string(kFirstHalf) + kSecondHalf;

std::vector<Arena*> Callers() {
  if (::geteuid() != 0) return {&Arena::Own()};
  return {&Arena::Own(), &Arena::OrdinaryUser()};
}

// A file with the secret that every user of the host can read.
class SecretFile {
 public:
  SecretFile() : path_(Arena::Own().directory() + "/secret") {
    std::ofstream(path_) << kSecret << "\n";
    ::chmod(path_.c_str(), 0644);
  }
  ~SecretFile() { ::unlink(path_.c_str()); }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

ChildProcess::Options CayOptions(const Arena& arena, const std::string& probe) {
  ChildProcess::Options options;
  options.argv = {CAY_PROGRAM, "run", "--quiet", "--mount", arena.directory() + "/bin:/attack:ro"};
  if (&arena != &Arena::Own()) {
    options.argv.emplace_back("--best-effort");
    options.uid = Arena::kOrdinaryUser;
  }
  options.argv.emplace_back("--");
  options.argv.emplace_back("/attack/attack-victim");
  for (const std::string& word : SplitWords(probe)) options.argv.push_back(word);
  options.env = arena.Environment();
  return options;
}

TEST(Secrets, OfTheCallersEnvironmentDescriptorsAndFilesAreNotFoundInside) {
  const SecretFile file;
  const int fd = ::open(file.path().c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  for (const Arena* arena : Callers()) {
    auto options = CayOptions(*arena, std::string("find_secret ") + kFirstHalf + " " + kSecondHalf);
    options.env.push_back("CAY_ATTACK_SECRET=" + kSecret);
    options.inherit = fd;
    ChildProcess child(options);
    const Outcome outcome = child.Wait();
    EXPECT_EQ(VerdictOf(outcome), "nothing") << outcome.err;
  }
  ::close(fd);
}

TEST(Secrets, AreFoundByTheProbeWhereTheyAre) {
  ChildProcess::Options options;
  options.argv = {Arena::Own().victim(), "find_secret", kFirstHalf, kSecondHalf};
  options.env = {"CAY_ATTACK_SECRET=" + kSecret};
  ChildProcess child(options);
  EXPECT_TRUE(VerdictOf(child.Wait()).starts_with("found in"));
}

TEST(Secrets, AFileOfTheHostIsReachedByNoPath) {
  const SecretFile file;
  for (const Arena* arena : Callers()) {
    ChildProcess child(CayOptions(*arena, "reach " + file.path()));
    const Outcome outcome = child.Wait();
    EXPECT_EQ(VerdictOf(outcome), "not reachable") << outcome.err;
  }
  ChildProcess::Options options;
  options.argv = {Arena::Own().victim(), "reach", file.path()};
  ChildProcess outside(options);
  EXPECT_TRUE(VerdictOf(outside.Wait()).starts_with("through"));
}

// CVE-2024-21626: a working directory that is a descriptor of the runtime's, left open.
TEST(Secrets, AWorkingDirectoryThroughADescriptorDoesNotLeadToTheHost) {
  const SecretFile file;
  const std::string probe = "reach " + file.path();
  for (int fd = 0; fd < 16; ++fd) {
    const Outcome outcome =
        Arena::Own().Attack(probe, "--workdir /proc/self/fd/" + std::to_string(fd))->Wait();
    EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 125) << outcome.err;
    if (outcome.exit_code == 0) {
      EXPECT_EQ(VerdictOf(outcome), "not reachable") << "fd " << fd;
    }
  }
}

// Pids of the host whose environment or parent lead to `ancestor`.
std::vector<pid_t> DescendantsOf(pid_t ancestor) {
  std::vector<std::pair<pid_t, pid_t>> parents;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string line;
    std::getline(stat, line);
    const size_t end = line.rfind(')');
    if (end == std::string::npos) continue;
    std::istringstream rest(line.substr(end + 1));
    std::string state;
    pid_t parent = 0;
    rest >> state >> parent;
    parents.emplace_back(std::stoi(name), parent);
  }
  std::vector<pid_t> family = {ancestor};
  for (size_t i = 0; i < family.size(); ++i) {
    for (const auto& [pid, parent] : parents) {
      if (parent == family[i]) family.push_back(pid);
    }
  }
  return family;
}

bool MemoryHolds(pid_t pid, const std::string& text) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  const int memory = ::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY);
  if (memory < 0) return false;
  bool found = false;
  for (std::string line; !found && std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char mode = 0;
    std::istringstream(line) >> std::hex >> begin;
    std::istringstream(line.substr(line.find('-') + 1)) >> std::hex >> end >> mode;
    if (mode != 'r' || end - begin > (256UL << 20)) continue;
    std::string content(end - begin, '\0');
    const ssize_t got = ::pread(memory, content.data(), content.size(), static_cast<off_t>(begin));
    found = got > 0 && content.find(text) != std::string::npos;
  }
  ::close(memory);
  return found;
}

TEST(Secrets, OfTheCallersEnvironmentAreNotInTheMemoryOfTheGuest) {
  if (kSanitized) GTEST_SKIP() << "the memory of a sanitized program is too large to search";
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  auto options = CayOptions(Arena::Own(), "hold_lock /usr/bin/env");
  options.argv.insert(options.argv.begin() + 2, "-i");
  options.env.push_back("CAY_ATTACK_SECRET=" + kSecret);
  ChildProcess child(options);
  ASSERT_TRUE(child.WaitForLine("ready")) << child.Wait().err;
  unsigned guests = 0;
  for (const pid_t pid : DescendantsOf(child.pid())) {
    if (ReadFile("/proc/" + std::to_string(pid) + "/comm").value_or("") != "cay-guest\n") continue;
    ++guests;
    EXPECT_FALSE(MemoryHolds(pid, kSecret));
  }
  EXPECT_EQ(guests, 1U);
  EXPECT_TRUE(MemoryHolds(child.pid(), kSecret)) << "the search finds nothing at all";
  child.CloseInput();
  EXPECT_EQ(VerdictOf(child.Wait()), "held");
}

// Runs a program as the leader of a session with a terminal; what appears on the terminal.
std::string OnATerminal(std::vector<std::string> argv, const std::vector<std::string>& env) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    for (const std::string& variable : env) ::putenv(const_cast<char*>(variable.c_str()));
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  std::string out;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = ::read(terminal, buffer.data(), buffer.size())) > 0;) {
    out.append(buffer.data(), static_cast<size_t>(got));
  }
  ::waitpid(child, nullptr, 0);
  ::close(terminal);
  return out;
}

TEST(Secrets, TheTerminalOfTheCallerIsNotReached) {
  const Arena& arena = Arena::Own();
  const std::vector<std::string> victim = {arena.victim(), "write", "/dev/tty", "typed"};
  EXPECT_NE(OnATerminal(victim, {}).find("typed"), std::string::npos);
  const auto options = CayOptions(arena, "write /dev/tty typed");
  const std::string out = OnATerminal(options.argv, arena.Environment());
  EXPECT_EQ(out.find("typed"), std::string::npos) << out;
  EXPECT_NE(out.find("refused ENXIO"), std::string::npos) << out;
}

TEST(Secrets, PathsOfTheHostAreNotInMountinfo) {
  for (const Arena* arena : Callers()) {
    const std::string probe = "host_paths " + arena->state_dir();
    const Outcome outcome = arena->Attack(probe)->Wait();
    EXPECT_EQ(VerdictOf(outcome), "nothing") << outcome.err;
  }
}

// A process that is about to execute something is still a copy of the guest: what it names so is
// the program of the host.
TEST(Secrets, TheProgramOfTheGuestIsNotExecutedInside) {
  if (kSanitized) GTEST_SKIP() << "guests are executed from a memfd";
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2) {
    GTEST_SKIP() << "this kernel's Landlock cannot forbid it";
  }
  const Arena& arena = Arena::Own();
  const std::string script = arena.state_dir() + "/interpreted-by-itself";
  ASSERT_TRUE(WriteFileAtomic(script, "#!/proc/self/exe\n", 0755));
  for (const std::string command : {"/proc/self/exe", "/tmp/script"}) {
    ChildProcess::Options options;
    options.env = arena.Environment();
    options.argv = {CAY_PROGRAM, "run", "--copy", script + ":/tmp/script", "--", command};
    const Outcome outcome = ChildProcess(options).Wait();
    EXPECT_EQ(outcome.exit_code, 126) << command << ": " << outcome.out << outcome.err;
  }
}

TEST(Secrets, TheProgramOnDiskIsTheSameAfterEveryAttackOnIt) {
  const auto before = ReadFile(CAY_PROGRAM, 256 << 20);
  ASSERT_TRUE(before);
  for (const Arena* arena : Callers()) {
    for (const char* probe : {"write /proc/self/exe x", "write /proc/1/exe x", "write_memory"}) {
      EXPECT_TRUE(VerdictOf(arena->Attack(probe)->Wait()).starts_with("refused"));
    }
  }
  const auto after = ReadFile(CAY_PROGRAM, 256 << 20);
  ASSERT_TRUE(after);
  EXPECT_TRUE(*before == *after);
}

}  // namespace
}  // namespace cay::attacks
