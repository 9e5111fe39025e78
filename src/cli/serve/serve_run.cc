#include "cli/serve/serve_run.h"

#include <csignal>
#include <thread>

#include "base/os/log.h"
#include "base/os/wakeup.h"
#include "cli/frame/command.h"
#include "cli/serve/serve_assembly.h"
#include "cli/serve/serve_signals.h"
#include "cli/serve/service_notify.h"

namespace cay::cli {
namespace {

using config::Config;

void ApplyLogging(const Config& config) {
  SetLogLevel(config.log_level);
  const bool text = config.log_format == LogFormat::kText;
  SetLogFormat(text ? LogFormat::kTimedText : config.log_format);
}

std::string UrlOf(const http::ListenAddress& address, bool tls) {
  if (!address.unix_path.empty()) return "unix:" + address.unix_path;
  return (tls ? "https://" : "http://") + address.ToString();
}

class ServerProcess {
 public:
  ServerProcess(const config::Sources& sources, Config config, ServeSignals signals)
      : sources_(sources), config_(std::move(config)), signals_(std::move(signals)) {}

  Result<int> Run() {
    assembly_ = TRY(ServeAssembly::Make(config_));
    TRY(Listen());
    for (const std::string& line : assembly_->Report()) LogAlways(line);
    NotifyService("READY=1\nSTATUS=" + listening_);
    while (true) {
      const int signal = TRY(signals_.Wait(ServeSignals::kForever));
      if (signal == SIGHUP) Reload();
      if (signal == SIGTERM || signal == SIGINT) return Drain(signal);
    }
  }

 private:
  Result<void> Listen() {
    http::ServerOptions options{.listen = {}, .tls = config_.tls, .limits = config_.http};
    for (const std::string& text : config_.listen) {
      options.listen.push_back(TRY(http::ListenAddress::Parse(text)));
    }
    server_ = TRY(http::Server::Start(
        std::move(options), [this](http::Exchange& exchange) { assembly_->Handle(exchange); },
        [this](http::Request& request) { return assembly_->Screen(request); }));
    assembly_->SetServer(server_.get());
    for (const http::ListenAddress& address : server_->addresses()) {
      listening_ +=
          (listening_.empty() ? "listening on " : ", ") + UrlOf(address, config_.tls.enabled());
    }
    LogAlways(listening_);
    return {};
  }

  // A configuration that is not good leaves everything as it is.
  void Reload() {
    NotifyReloading();
    Result<config::Loaded> loaded = config::LoadConfig(sources_);
    if (!loaded) {
      LogError("the configuration was not read again: " + loaded.error().ToString());
    } else {
      const config::Changes changes = config::Compare(config_, loaded->config);
      config::CopyReloadable(loaded->config, config_);
      ApplyLogging(config_);
      assembly_->Reconfigure(config_);
      LogAlways(Summary(changes));
    }
    if (const auto tls = config_.tls.enabled() ? server_->ReloadTls() : Result<void>(); !tls) {
      LogError("the old certificate stays: " + tls.error().ToString());
    }
    NotifyService("READY=1\nSTATUS=" + listening_);
  }

  static std::string Summary(const config::Changes& changes) {
    std::string text = "configuration read again";
    const auto list = [&](std::string_view what, const std::vector<std::string>& names) {
      if (names.empty()) return;
      text.append("; ").append(what);
      for (const std::string& name : names)
        text.append(&name == names.data() ? " " : ", ").append(name);
    };
    list("changed:", changes.applied);
    list("only a restart changes:", changes.need_restart);
    if (changes.applied.empty() && changes.need_restart.empty()) text += "; nothing changed";
    return text;
  }

  Result<int> Drain(int signal) {
    NotifyService("STOPPING=1\nSTATUS=finishing the requests under way");
    LogAlways("ending: waiting up to " + FormatDuration(config_.drain_timeout) +
              " for requests under way; sandboxes live on");
    const Wakeup done = TRY(Wakeup::Make());
    assembly_->BeginDraining();
    // All that may have to wait for somebody: meanwhile a second signal is heard.
    std::thread ender([&] {
      server_->Drain(config_.drain_timeout);
      assembly_->FinishDraining(config_.drain_timeout);
      server_.reset();
      assembly_.reset();
      done.Raise();
    });
    const Result<int> second = WaitForSecond(done.fd());
    if (second && *second != 0) {
      LogAlways("ending at once");
      // Nothing that was acknowledged is only in memory.
      std::_Exit(kExitSignalBase + signal);
    }
    ender.join();
    LogAlways("ended");
    return 0;
  }

  Result<int> WaitForSecond(int done) {
    while (true) {
      const int signal = TRY(signals_.Wait(ServeSignals::kForever, done));
      if (signal != SIGHUP) return signal;
    }
  }

  const config::Sources& sources_;
  Config config_;
  ServeSignals signals_;
  std::unique_ptr<ServeAssembly> assembly_;
  std::unique_ptr<http::Server> server_;
  std::string listening_;
};

}  // namespace

Result<int> RunServer(const config::Sources& sources) {
  config::Loaded loaded = TRY(config::LoadConfig(sources));
  ApplyLogging(loaded.config);
  ServeSignals signals = TRY(ServeSignals::Block());
  return ServerProcess(sources, std::move(loaded.config), std::move(signals)).Run();
}

}  // namespace cay::cli
