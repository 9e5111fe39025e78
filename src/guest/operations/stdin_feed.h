// StdinFeed: one connection's stdin for a process: keeps what the pipe has not taken yet, at most
// the window, and acknowledges. Used by the operations kStart, kAttach and kOpenStdin.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "guest/operations/connection.h"
#include "guest/processes/process.h"

namespace cay::guest {

class StdinFeed final : public StdinWriter {
 public:
  // `on_end`: told once, when all was taken after kStdinEnd or kStdinFlush (complete), or nothing
  // more will be.
  using OnEnd = std::function<void(bool complete)>;
  StdinFeed(Connection& connection, std::shared_ptr<Process> process, OnEnd on_end)
      : connection_(connection), process_(std::move(process)), on_end_(std::move(on_end)) {}
  ~StdinFeed() override { process_->RemoveWriter(*this); }
  StdinFeed(const StdinFeed&) = delete;
  StdinFeed& operator=(const StdinFeed&) = delete;

  // kStdinData, kStdinEnd, kStdinFlush. kProtocol beyond the window and after the end.
  Result<void> OnFrame(const protocol::Frame& frame);

 private:
  std::string_view pending() const override;
  bool wants_close() const override { return ending_ && closing_; }
  void OnTaken(size_t bytes) override;
  void OnStdinClosed() override;
  void Acknowledge();
  void End(bool complete);

  Connection& connection_;
  std::shared_ptr<Process> process_;
  OnEnd on_end_;
  std::string pending_;
  size_t pending_at_ = 0;
  uint64_t taken_ = 0;
  uint64_t acknowledged_ = 0;
  bool ending_ = false;   // nothing more comes
  bool closing_ = false;  // and then it is to be closed
  bool closed_ = false;   // nothing more is taken
  bool ended_ = false;    // on_end_ was told
};

}  // namespace cay::guest
