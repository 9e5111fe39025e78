// ServerCore: the server's inside. Threads wait on one epoll together and serve what they are given
// (server_connections.cc); one more, the sweep, ends waits that took too long (server.cc).
//
// Ownership: a connection that is not armed belongs to the thread that serves it, and only that
// thread closes it. The sweep, Drain and the destructor end a wait, or a thread's I/O, by
// shutdown(2), and leave the rest to that thread: so none of them races with a close.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/os/wakeup.h"
#include "http/server/connection.h"
#include "http/server/listener.h"
#include "http/server/server.h"
#include "http/wire/head.h"

namespace cay::http {

class ServerCore final : public Server {
 public:
  ServerCore(ServerOptions options, Handler handler, Screen screen, Fd epoll, Wakeup wake,
             Wakeup ending);
  ~ServerCore() override;

  // Everything that can fail; serves from here on.
  Result<void> Begin();

  std::vector<ListenAddress> addresses() const override;
  const ServerCounters& counters() const override { return counters_; }
  Result<void> ReloadTls() override;
  void Drain(Millis patience) override;
  bool draining() const override { return draining_; }

 private:
  using Clock = Connection::Clock;

  // server.cc
  Result<void> Watch(EventSource& source, int fd, uint32_t events, bool again);
  void Work();
  bool EnsureWaiter();
  bool Spawn();
  bool MayEnd();
  void SweepLoop();
  bool Sweep();
  void ShutDownAll();
  void EvictIdle();
  void StopListeners();
  std::shared_ptr<TlsContext> tls() const;

  // server_connections.cc
  void AcceptSome(Listener& listener);
  void AdmitOne(Accepted accepted);
  void OnReady(Connection& connection);
  void OnHandshake(Connection& connection);
  void OnHead(Connection& connection);
  void OnLinger(Connection& connection);
  bool ReadMore(Connection& connection);
  bool ServeBuffered(Connection& connection);

  // server_requests.cc
  bool ServeOne(Connection& connection, size_t head_bytes);
  void OnBody(Connection& connection);
  void AwaitBody(Connection& connection);
  std::optional<Intake> ScreenOne(Connection& connection, Request& request);
  bool Run(Connection& connection, PendingRequest& pending);
  bool CallHandler(Connection& connection, PendingRequest& pending);
  bool RefusePlace(Connection& connection, Shares::Taken taken);

  // server_connections.cc
  void Refuse(Connection& connection, int status, std::string_view detail);
  void Arm(Connection& connection, Clock::time_point deadline, uint32_t events);
  void BeginLinger(Connection& connection);
  void Close(Connection& connection);

  const ServerOptions options_;
  const Handler handler_;
  const Screen screen_;
  const size_t max_connections_;  // as many of those of the options as there are descriptors for
  ServerCounters counters_;
  // Taken by connections and requests: made before them, gone after them.
  Shares connection_places_;
  Shares places_;         // of requests whose handlers run
  Shares public_places_;  // of those of Intake::Lane::kPublic, which are not among places_
  Shares uploads_;        // of those of both that read a body as it comes
  Shares bodies_;         // memory for bodies that were taken in, in bytes
  const std::function<void()> request_ended_;
  const Fd epoll_;
  const Wakeup wake_;    // raised for ever once the server ends
  const Wakeup ending_;  // once it drains
  EventSource wake_source_{EventSource::Kind::kWake};
  std::vector<std::unique_ptr<Listener>> listeners_;

  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};

  mutable std::mutex tls_mutex_;
  std::shared_ptr<TlsContext> tls_;

  std::mutex connections_mutex_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  Clock::time_point next_eviction_{};  // of idle ones, at the earliest

  // Threads that wait in epoll_wait, or are about to. A request is served only while one does.
  std::atomic<size_t> waiting_{0};
  std::mutex threads_mutex_;
  std::condition_variable threads_changed_;  // also: a request has ended
  std::unordered_map<std::thread::id, std::thread> threads_;
  std::vector<std::thread> ended_;  // to be joined
  std::thread sweeper_;
};

}  // namespace cay::http
