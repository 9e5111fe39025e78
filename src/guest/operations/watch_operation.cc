#include "guest/files/tree_watcher.h"
#include "guest/operations/connection.h"
#include "guest/operations/file_operations.h"
#include "guest/operations/user_files.h"
#include "protocol/file_messages.h"

namespace cay::guest {
namespace {

using protocol::FrameType;

class WatchOperation final : public Operation, public EventLoop::Handler {
 public:
  WatchOperation(Guest& guest, Connection& connection, UserFiles files, TreeWatcher watcher)
      : guest_(guest),
        connection_(connection),
        files_(std::move(files)),
        watcher_(std::move(watcher)) {}
  ~WatchOperation() override { guest_.loop.Forget(watcher_.fd()); }

  Result<void> Begin() { return guest_.loop.Watch(watcher_.fd(), EPOLLIN, *this); }

  Result<void> OnFrame(const protocol::Frame& /*frame*/) override {
    return Failure(
        Error(ErrorCode::kProtocol, Fault::kCaller, "a frame that this operation does not take"));
  }

  bool WantsToSend() const override { return watcher_.HasEvents(); }

  Result<void> OnRoom() override {
    while (watcher_.HasEvents() && connection_.HasRoom()) {
      connection_.SendMessage(
          FrameType::kWatchEvents,
          protocol::WatchEvents{.events = watcher_.Take(protocol::kMaxWatchEventsInFrame)});
    }
    if (watcher_.gone() && !watcher_.HasEvents()) {
      return Failure(
          Error(ErrorCode::kNotFound, Fault::kCaller, "the watched directory was removed"));
    }
    return {};
  }

  void OnReady(uint32_t /*events*/) override {
    if (const Result<void> done = CollectAndSend(); !done) {
      guest_.loop.Forget(watcher_.fd());
      connection_.Fail(done.error());
      return;
    }
    connection_.Update();
  }

 private:
  Result<void> CollectAndSend() {
    const FileCredentials as_user = TRY(files_.Assume());
    TRY(watcher_.Collect());
    return OnRoom();
  }

  Guest& guest_;
  Connection& connection_;
  UserFiles files_;
  TreeWatcher watcher_;
};

}  // namespace

Opened OpenWatch(Guest& guest, Connection& connection, std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::WatchRequest>(payload));
  UserFiles files = TRY(UserFiles::Open(guest, request.user));
  const FileCredentials as_user = TRY(files.Assume());
  TreeWatcher watcher = TRY(TreeWatcher::Begin(
      files.view(), request.path, request.recursive ? Recursive::kYes : Recursive::kNo));
  auto operation =
      std::make_unique<WatchOperation>(guest, connection, std::move(files), std::move(watcher));
  TRY(operation->Begin());
  connection.Send(FrameType::kReady, {});
  return operation;
}

}  // namespace cay::guest
