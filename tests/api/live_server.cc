#include "live_server.h"

#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/os/file.h"
#include "base/text.h"

namespace cay::testing {
namespace {

constexpr int kNotExecuted = 125;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child; what it must know was made ready before.
[[noreturn]] void Execute(const std::string& file, uid_t user, char* const* argv,
                          char* const* environment) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  ::dup2(null, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  const bool changed =
      user == 0 || (::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 &&
                    ::setresuid(user, user, user) == 0);
  if (changed) ::execve(CAY_PROGRAM_PATH, argv, environment);
  ::_exit(kNotExecuted);
}

}  // namespace

CayProgram::CayProgram(const std::string& directory, std::vector<std::string> arguments,
                       const std::vector<std::string>& environment, uid_t user) {
  file_ = directory + "/said-XXXXXX";
  const int made = ::mkstemp(file_.data());
  if (made < 0) {
    ADD_FAILURE() << "mkstemp " << file_;
    return;
  }
  ::close(made);
  arguments.insert(arguments.begin(), "cay");
  // Of two with one name the first counts.
  std::vector<std::string> variables = environment;
  for (char** each = environ; *each != nullptr; ++each) variables.emplace_back(*each);
  const auto argv = Pointers(arguments);
  const auto envp = Pointers(variables);
  pid_ = ::fork();
  if (pid_ == 0) Execute(file_, user, argv.data(), envp.data());
  if (pid_ < 0) ADD_FAILURE() << "fork";
}

CayProgram::~CayProgram() {
  if (pid_ <= 0 || Ended()) return;
  Signal(SIGKILL);
  Wait();
}

bool CayProgram::Ended() {
  if (code_ >= 0) return true;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

int CayProgram::Wait() {
  if (!Eventually([&] { return Ended(); })) {
    ADD_FAILURE() << "the program does not end: " << said();
    return -1;
  }
  return code_;
}

void CayProgram::Signal(int signal) const { ::kill(pid_, signal); }

void CayProgram::KillWithChildren() const {
  Signal(SIGSTOP);
  const std::string task = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& thread : std::filesystem::directory_iterator(task)) {
    const std::string children = ReadFile(thread.path() / "children").value_or("");
    for (const std::string_view child : Split(children, ' ')) {
      if (const auto pid = ParseUnsigned(child)) ::kill(static_cast<pid_t>(*pid), SIGKILL);
    }
  }
  Signal(SIGKILL);
}

std::string CayProgram::said() const { return ReadFile(file_, 16 * kMiB).value_or(""); }

std::string CayProgram::WaitForWordAfter(const std::string& word) {
  std::string text;
  size_t at = std::string::npos;
  size_t end = std::string::npos;
  const bool found = Eventually([&] {
    const bool ended = Ended();
    text = said();
    at = text.find(word);
    end = at == std::string::npos ? at : text.find_first_of(" ,\n", at + word.size());
    return end != std::string::npos || ended;
  });
  if (!found || end == std::string::npos) {
    ADD_FAILURE() << "it did not say \"" << word << "\": " << text;
    return {};
  }
  return text.substr(at + word.size(), end - at - word.size());
}

LiveServer::LiveServer(std::vector<std::string> arguments, uid_t user, std::string ca_file)
    : arguments_(std::move(arguments)), user_(user), ca_file_(std::move(ca_file)) {
  directory_ = ::testing::TempDir() + "cay-live-XXXXXX";
  if (::mkdtemp(directory_.data()) == nullptr ||
      (user != 0 && ::chown(directory_.c_str(), user, user) != 0)) {
    ADD_FAILURE() << "mkdtemp " << directory_;
    return;
  }
  arguments_.insert(arguments_.begin(),
                    {"serve", "--listen", "127.0.0.1:0", "--state-dir", directory_ + "/state"});
  Start();
}

void LiveServer::Start() {
  program_ = std::make_unique<CayProgram>(directory_, arguments_,
                                          std::vector<std::string>{"HOME=" + directory_}, user_);
  const auto url = http::Url::Parse(program_->WaitForWordAfter("listening on "));
  url_ = url.value_or(http::Url());
  if (!url) ADD_FAILURE() << url.error().ToString() << program_->said();
}

void LiveServer::Stop() {
  program_->Signal(SIGTERM);
  program_->Wait();
}

void LiveServer::Restart(const std::function<void()>& prepare) {
  Stop();
  if (prepare) prepare();
  Start();
}

LiveServer::~LiveServer() {
  if (!program_) return;
  const Reply all = url_.scheme.empty() ? Reply() : Call("GET", "/api/sandboxes?limit=1000");
  if (all.status == 200) {
    for (const auto& sandbox : all.json().at("sandboxes").as_array()) {
      Call("DELETE", "/api/sandboxes/" + std::string(sandbox.at("id").as_string()));
    }
  }
  Stop();
  program_.reset();
  std::filesystem::remove_all(directory_);
}

Reply LiveServer::Call(const std::string& method, const std::string& target,
                       const std::string& body, http::Headers headers) {
  if (!key_.empty() && !headers.Find("X-API-Key")) headers.Set("X-API-Key", key_);
  return CallAt(url_, {.method = method, .target = target, .headers = headers, .body = body},
                ca_file_);
}

std::string LiveServer::Create(const std::string& body) {
  const Reply reply = Call("POST", "/api/sandboxes", body);
  EXPECT_EQ(reply.status, 201) << reply.body;
  return reply.status == 201 ? reply.Text("id") : std::string();
}

void LiveServer::StartPython(const std::string& id, const std::string& program) {
  const std::string path = "/api/sandboxes/" + id;
  ASSERT_EQ(Call("PUT", path + "/files?path=server.py", program).status, 201);
  const Reply started = Call("POST", path + "/processes", R"({"command":["python3","server.py"]})");
  ASSERT_EQ(started.status, 201) << started.body;
  const std::string output =
      path + "/processes/" + std::to_string(started.Number("process_id")) + "/output?follow=false";
  ASSERT_TRUE(Eventually([&] {
    return Joined(ParseSse(Call("GET", output).body), "stdout") == "listening\n";
  })) << Call("GET", output).body;
}

std::unique_ptr<CayProgram> LiveServer::Cay(std::vector<std::string> arguments) {
  std::vector<std::string> environment = {"CAY_URL=" + url_.ToString(), "HOME=" + directory_};
  if (!key_.empty()) environment.push_back("CAY_API_KEY=" + key_);
  return std::make_unique<CayProgram>(directory_, std::move(arguments), environment);
}

std::string LiveServer::MakeKey(const std::string& scope, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"keys",    "create", "--local",     "--quiet",
                                        "--scope", scope,    "--state-dir", directory_ + "/state"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.push_back("test");
  CayProgram maker(directory_, std::move(arguments), {"HOME=" + directory_});
  EXPECT_EQ(maker.Wait(), 0) << maker.said();
  const std::string said = maker.said();
  const std::string key = said.substr(0, said.find('\n'));
  const auto status = [&](const std::string& with) {
    http::ClientRequest request{.method = "GET", .target = "/api/sandboxes"};
    if (!with.empty()) request.headers.Set("X-API-Key", with);
    return CallAt(url_, std::move(request)).status;
  };
  EXPECT_EQ(status(""), 401);
  EXPECT_EQ(status(key), 200);
  return key;
}

}  // namespace cay::testing
