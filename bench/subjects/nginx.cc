#include "subjects/nginx.h"

#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <thread>

#include "base/os/file.h"
#include "base/units.h"
#include "subjects/http_server.h"
#include "subjects/process.h"

namespace cay::bench {
namespace {

std::string Configuration(const std::string& directory, const std::string& address) {
  return "daemon off; user root; worker_processes 2; pid " + directory + "/pid;\n" + "error_log " +
         directory + "/error.log;\n" + "events { worker_connections 64; }\n" +
         "http { access_log off; sendfile on; client_max_body_size 0;\n" +
         "  client_body_temp_path " + directory + "/body; proxy_temp_path " + directory +
         "/proxy; fastcgi_temp_path " + directory + "/fastcgi; uwsgi_temp_path " + directory +
         "/uwsgi; scgi_temp_path " + directory + "/scgi;\n" + "  server { listen " + address +
         "; root " + directory + "/files;\n" + "    dav_methods PUT; } }\n";
}

}  // namespace

Result<Nginx> Nginx::Start(const std::string& directory) {
  std::string program = FindProgram("nginx");
  if (program.empty() && std::filesystem::exists("/usr/sbin/nginx")) program = "/usr/sbin/nginx";
  if (program.empty()) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kMachine, "nginx is not installed"));
  }
  TRY(MakeDirectories(directory + "/files", 0755));
  const std::string address = "127.0.0.1:" + std::to_string(TRY(FreePort()));
  TRY(WriteFileAtomic(directory + "/nginx.conf", Configuration(directory, address), 0644));
  Nginx nginx(TRY(StartLogged({program, "-c", directory + "/nginx.conf"}, directory + "/log")),
              TRY(http::Url::Parse("http://" + address)));
  for (int i = 0; i < 1000; ++i) {
    const auto client = http::Client::Open(nginx.url_);
    if (client && (*client)->Send({})) return nginx;
    std::this_thread::sleep_for(Millis(5));
  }
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "nginx does not listen: " + ReadFile(directory + "/log").value_or("")));
}

Nginx::~Nginx() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace cay::bench
